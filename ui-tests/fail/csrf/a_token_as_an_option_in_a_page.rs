// A token is an `Option`, because there is no token after the response has been committed.
use http_session::Csrf;

fn page(csrf: &Csrf) -> String {
    format!("<meta name=csrf-token content={}>", csrf.token())
}

fn main() {}
