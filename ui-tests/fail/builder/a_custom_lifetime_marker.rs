// Only the builder decides which options are set.
use http_session::config::builder::CanRoll;

struct MyLifetime;

impl CanRoll for MyLifetime {}

fn main() {}
