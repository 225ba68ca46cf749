// Whoever gets any subdomain would be trusted.
use http_session::trusted_origin;

fn main() {
    let _origin = trusted_origin!("https://*.example.com");
}
