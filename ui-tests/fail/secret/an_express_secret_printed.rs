// A secret for express must not be written to a log either.
use http_session::Secret;

fn main() {
    println!("{}", Secret::express("keyboard cat").unwrap());
}
