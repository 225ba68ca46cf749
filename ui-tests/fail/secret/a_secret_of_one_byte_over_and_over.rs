// Long, and guessed at once.
use http_session::secret;

fn main() {
    let _secret = secret!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}
