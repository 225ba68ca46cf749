// A secret in a log is none any more.
use http_session::Secret;

fn main() {
    println!("{}", Secret::random());
}
