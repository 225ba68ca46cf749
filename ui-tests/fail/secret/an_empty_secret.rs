// An empty secret is none.
use http_session::secret;

fn main() {
    let _secret = secret!("");
}
