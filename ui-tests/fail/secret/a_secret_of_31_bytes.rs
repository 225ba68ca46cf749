// A secret has at least as many bytes as the output of HMAC-SHA256.
use http_session::secret;

fn main() {
    let _secret = secret!("b1f0c3d9a6e84f7792c5d0e13a4b6f8");
}
