// `cargo check` finds the mistake even if nothing calls the function.
use http_session::{Secret, secret};

pub fn shared<T: Default>() -> (T, Secret) {
    (T::default(), secret!("keyboard cat"))
}

fn main() {}
