// Whether a secret is set is not for others to say.
use http_session::config::builder::CanRoll;

struct MyLifetime;

impl CanRoll for MyLifetime {}

fn main() {}
