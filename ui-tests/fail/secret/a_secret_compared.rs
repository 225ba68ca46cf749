// The time that `==` takes would reveal the secret.
use http_session::Secret;

fn main() {
    let _same = Secret::random() == Secret::random();
}
