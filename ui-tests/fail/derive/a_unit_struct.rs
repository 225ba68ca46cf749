// A session without fields is written with braces.
use http_session::Session;

#[derive(Session)]
struct Visit;

fn main() {}
