// A field is stored by its name, and these have none.
use http_session::Session;

#[derive(Session)]
struct Visit(u64);

fn main() {}
