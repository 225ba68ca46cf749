// A wildcard would trust anybody who can get a subdomain.
use http_session::trusted_origin;

fn main() {
    let _origin = trusted_origin!("https://*.example.com");
}
