// A secret must not be written to a log.
use http_session::Secret;

fn main() {
    println!("{}", Secret::random());
}
