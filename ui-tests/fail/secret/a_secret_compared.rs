// Comparing byte by byte tells by its time how much is right.
use http_session::Secret;

fn main() {
    let _same = Secret::random() == Secret::random();
}
