// A request from another site must be refused.
#![deny(unused_must_use)]
use http_session::Csrf;

fn posted(csrf: &Csrf) {
    csrf.check(None);
}

fn main() {}
