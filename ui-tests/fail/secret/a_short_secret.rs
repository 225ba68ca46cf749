// A short secret can be guessed from a single cookie.
use http_session::secret;

fn main() {
    let _secret = secret!("keyboard cat");
}
