// An origin is checked before it is used.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::builder().trust_origin("https://pay.example.com");
}
