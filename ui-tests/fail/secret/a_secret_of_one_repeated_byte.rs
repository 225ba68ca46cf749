// The secret is long enough, but easy to guess.
use http_session::secret;

fn main() {
    let _secret = secret!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}
