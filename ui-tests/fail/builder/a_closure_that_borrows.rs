// A configuration outlives every borrow: `move` gives the closure what it needs.
use http_session::SessionConfig;

fn main() {
    let salt = String::from("salt");
    let _builder = SessionConfig::builder().fingerprint(|_| salt.as_bytes().to_vec());
}
