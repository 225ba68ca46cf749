// Only a struct that derives `Session` has a handle.
struct Visit {}

struct Request {
    session: http_session::Session<Visit>,
}

fn main() {}
