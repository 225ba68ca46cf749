// That there is no form must be said: a token that is forgotten would be a form that is refused.
use http_session::Csrf;

fn posted(csrf: &Csrf) -> bool {
    csrf.check().is_ok()
}

fn main() {}
