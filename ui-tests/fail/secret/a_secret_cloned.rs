// Each copy of a secret would have to be wiped too.
use http_session::Secret;

fn main() {
    let secret = Secret::random();
    let _copy = secret.clone();
}
