// What a store must do, by name.
use http_session::SessionStore;

struct Nothing;

impl SessionStore for Nothing {}

fn main() {}
