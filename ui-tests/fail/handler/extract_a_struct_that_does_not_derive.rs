// Other frameworks call this one; it needs the fields too.
use http_session::Session;

struct Visit {}

async fn visit(request: http::Request<()>) {
    let _ = Session::<Visit>::extract(request.extensions()).await;
}

fn main() {}
