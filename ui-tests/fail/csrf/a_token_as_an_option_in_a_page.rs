// There may be none: the response is committed already.
use http_session::Csrf;

fn page(csrf: &Csrf) -> String {
    format!("<meta name=csrf-token content={}>", csrf.token())
}

fn main() {}
