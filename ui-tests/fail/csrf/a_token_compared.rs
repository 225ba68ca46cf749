// The time that `==` takes would reveal the token, so use `Csrf::verify`.
use http_session::{Csrf, CsrfToken};

fn posted(csrf: &Csrf, ours: &CsrfToken) -> bool {
    csrf.token().as_ref() == Some(ours)
}

fn main() {}
