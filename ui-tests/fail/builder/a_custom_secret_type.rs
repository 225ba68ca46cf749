// Only the library decides which secrets are strong enough.
use http_session::Secret;
use http_session::config::builder::SecretFor;

struct MySecret(Secret);

impl<L> SecretFor<L> for MySecret {
    fn into_secret(self) -> Secret {
        self.0
    }
}

fn main() {}
