// Browsers send no path in `Origin`.
use http_session::trusted_origin;

fn main() {
    let _origin = trusted_origin!("https://pay.example.com/");
}
