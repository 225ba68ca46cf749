// A request that comes late would undo a logout.
use http_session::{Secret, Session, SessionConfig};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn hello(_: http::Request<()>, _: Session<Visit>) -> Result<http::Response<()>, ()> {
    Ok(http::Response::new(()))
}
fn main() {
    SessionConfig::builder().secret(Secret::random()).store(ui_tests::PlainStore(())).build().service(hello);
}
