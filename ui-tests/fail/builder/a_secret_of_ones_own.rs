// What is strong enough is not for others to say.
use http_session::Secret;
use http_session::config::builder::SecretFor;

struct MySecret(Secret);

impl<L> SecretFor<L> for MySecret {
    fn into_secret(self) -> Secret {
        self.0
    }
}

fn main() {}
