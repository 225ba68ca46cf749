// `Basic` needs three methods.
use std::collections::HashMap;

use http_session::store::Basic;

fn main() {
    let map: HashMap<String, String> = HashMap::new();
    let _store = Basic::new(map);
}
