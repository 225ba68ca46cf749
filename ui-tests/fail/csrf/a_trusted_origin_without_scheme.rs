// http and https are different origins, so the scheme is needed.
use http_session::trusted_origin;

fn main() {
    let _origin = trusted_origin!("pay.example.com");
}
