// The configuration may outlive any local variable, so the closure needs `move`.
use http_session::SessionConfig;

fn main() {
    let salt = String::from("salt");
    let _builder = SessionConfig::builder().fingerprint(|_| salt.as_bytes().to_vec());
}
