// Every attribute that a struct or a field may have.
#![deny(warnings)]

use std::collections::{BTreeSet, HashMap};

use http_session::Session;
use serde::{Deserialize, Serialize};

mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Theme {
    Light,
    Dark,
}

fn dark() -> Theme {
    Theme::Dark
}

fn longest(base: String, theirs: String, ours: String) -> String {
    [base, theirs, ours].into_iter().max_by_key(String::len).unwrap_or_default()
}

struct Cache;

#[derive(Session)]
#[session(rename_all = "camelCase", crate = "http_session")]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
    #[session(merge = "add", required)]
    page_views: u64,
    #[session(merge = "max", alias = "seen", alias = "last_seen")]
    last_seen_at: u64,
    #[session(merge = "min", default = u64::MAX)]
    first_seen_at: u64,
    #[session(merge = "append", keep = "sign_in")]
    cart: Vec<String>,
    #[session(merge = "union", keep)]
    tags: BTreeSet<String>,
    #[session(merge = "keys")]
    settings: HashMap<String, String>,
    #[session(merge = "reject", rename = "state")]
    login_state: Option<String>,
    #[session(merge = "replace", default)]
    notice: Option<String>,
    #[session(merge = "longest")]
    note: String,
    #[session(merge = self::longest)]
    comment: String,
    #[session(default = "dark")]
    theme: Theme,
    #[session(default = Theme::Light)]
    second_theme: Theme,
    #[session(default = [1, 2, 3], required)]
    numbers: [u8; 3],
    #[session(with = "seconds")]
    idle: std::time::Duration,
    #[session(with = seconds, default = std::time::Duration::from_secs(7))]
    away: std::time::Duration,
    #[session(skip, default = Cache)]
    cache: Cache,
    #[session(skip)]
    hits: usize,
    r#type: String,
}

fn is_session<T: http_session::HasIdentity<Identity = u64>>() {}

fn main() {
    is_session::<Visit>();
}
