// `Session<T>` needs a struct that derives `Session`, in the type of a field too.
struct Visit {}

struct Request {
    session: http_session::Session<Visit>,
}

fn main() {}
