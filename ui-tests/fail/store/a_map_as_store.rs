// A map does not implement `SessionStore`.
use std::collections::HashMap;

use http_session::{Secret, SessionConfig};

fn main() {
    let store: HashMap<String, String> = HashMap::new();
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(store).build();
}
