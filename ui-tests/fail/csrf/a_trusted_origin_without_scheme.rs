// http and https are different origins.
use http_session::trusted_origin;

fn main() {
    let _origin = trusted_origin!("pay.example.com");
}
