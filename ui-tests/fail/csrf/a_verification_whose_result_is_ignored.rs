// A request with a wrong token must be refused.
#![deny(unused_must_use)]
use http_session::Csrf;

fn posted(csrf: &Csrf, token: &str) {
    csrf.verify(token);
}

fn main() {}
