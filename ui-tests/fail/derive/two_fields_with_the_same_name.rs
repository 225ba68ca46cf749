// A stored name belongs to one field only.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
    #[session(rename = "views")]
    page_views: u64,
}

fn main() {}
