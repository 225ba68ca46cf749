// A session without fields is written with braces, so that it can get some.
use http_session::Session;

#[derive(Session)]
struct Visit;

fn main() {}
