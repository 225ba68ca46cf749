// `extract` needs a struct that derives `Session`.
use http_session::Session;

struct Visit {}

async fn visit(request: http::Request<()>) {
    let _ = Session::<Visit>::extract(request.extensions()).await;
}

fn main() {}
