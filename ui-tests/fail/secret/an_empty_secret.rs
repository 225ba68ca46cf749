// An empty secret protects nothing.
use http_session::secret;

fn main() {
    let _secret = secret!("");
}
