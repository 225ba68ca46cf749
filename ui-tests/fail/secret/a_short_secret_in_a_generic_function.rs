// `cargo check` finds it even in a function that nobody calls.
use http_session::{Secret, secret};

pub fn shared<T: Default>() -> (T, Secret) {
    (T::default(), secret!("keyboard cat"))
}

fn main() {}
