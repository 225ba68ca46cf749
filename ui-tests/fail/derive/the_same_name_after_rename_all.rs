// Both fields would be stored as `pageViews`.
use http_session::Session;

#[derive(Session)]
#[session(rename_all = "camelCase")]
struct Visit {
    page_views: u64,
    page__views: u64,
}

fn main() {}
