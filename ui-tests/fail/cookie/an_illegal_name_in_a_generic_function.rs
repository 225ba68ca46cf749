// `cargo check` finds the mistake even if nothing calls the function.
use http_session::{Cookie, SessionConfig, SessionStore, cookie_name};

pub fn sessions<S: SessionStore>(store: S, secret: http_session::Secret) -> SessionConfig<S> {
    SessionConfig::builder().cookie(Cookie::host(cookie_name!("sid,"))).secret(secret).store(store).build()
}

fn main() {}
