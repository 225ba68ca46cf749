// Every copy is one more that must be wiped.
use http_session::Secret;

fn main() {
    let secret = Secret::random();
    let _copy = secret.clone();
}
