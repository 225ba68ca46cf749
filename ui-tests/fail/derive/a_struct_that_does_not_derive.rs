// Without the derive, the library does not know how to store the struct.
struct Visit {
    views: u64,
}

fn is_session<T: http_session::SessionData>() {}
const _: fn() = is_session::<Visit>;

fn main() {}
