// A request without a form passes `None`, so that nobody forgets the token of a form.
use http_session::Csrf;

fn posted(csrf: &Csrf) -> bool {
    csrf.check().is_ok()
}

fn main() {}
