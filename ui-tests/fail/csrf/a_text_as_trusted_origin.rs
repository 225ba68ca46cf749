// An origin must be checked.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::builder().trust_origin("https://pay.example.com");
}
