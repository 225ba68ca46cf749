// The error lists the methods that a store must have.
use http_session::SessionStore;

struct Nothing;

impl SessionStore for Nothing {}

fn main() {}
