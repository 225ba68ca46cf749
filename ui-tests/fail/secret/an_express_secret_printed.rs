// It is a secret all the same.
use http_session::Secret;

fn main() {
    println!("{}", Secret::express("keyboard cat").unwrap());
}
