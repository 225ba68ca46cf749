// axum moves futures between threads, so the struct must be `Send`.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(skip)]
    cache: std::rc::Rc<u64>,
}

#[axum::debug_handler]
async fn hello(_: Session<Visit>) {}

fn main() {}
