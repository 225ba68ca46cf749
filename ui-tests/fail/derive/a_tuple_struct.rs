// Fields are stored by name, and these fields have no names.
use http_session::Session;

#[derive(Session)]
struct Visit(u64);

fn main() {}
