// A token that does not fit must not go unnoticed.
#![deny(unused_must_use)]
use http_session::Csrf;

fn posted(csrf: &Csrf, token: &str) {
    csrf.verify(token);
}

fn main() {}
