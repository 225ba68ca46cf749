// The default must have the type of the field.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(default = "ten".len())]
    views: u64,
}

fn main() {}
