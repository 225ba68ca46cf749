// Only the derive knows how to store a struct.
struct Visit {
    views: u64,
}

fn is_session<T: http_session::SessionData>() {}
const _: fn() = is_session::<Visit>;

fn main() {}
