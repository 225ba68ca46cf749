// Comparing byte by byte tells by its time how much is right: `Csrf::verify` does it.
use http_session::{Csrf, CsrfToken};

fn posted(csrf: &Csrf, ours: &CsrfToken) -> bool {
    csrf.token().as_ref() == Some(ours)
}

fn main() {}
