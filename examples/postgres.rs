//! Sessions in PostgreSQL, shared by all processes that you start.
//!
//! Start the server with `docker compose -f examples/compose.yaml up postgres`, or use your own PostgreSQL 12 or newer. Then run
//! `DATABASE_URL=postgres://sessions:sessions@127.0.0.1/sessions cargo run --example postgres`, and open the address that it
//! prints. To share the sessions with a second process, give both the same `SESSION_SECRET`, and the second `PORT=3001`.

#![expect(clippy::print_stdout, reason = "prints its address")]

use std::env;

use axum::Router;
use axum::routing::get;
use http_session::{Secret, Session, SessionConfig};
use http_session_postgres::PostgresStore;
use tokio::net::TcpListener;

#[derive(Session)]
struct Visit {
    #[session(merge = "add")] // if two requests count at the same moment, both are counted
    views: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::var("DATABASE_URL")
        .map_err(|_| "set DATABASE_URL to the URL of a database, such as postgres://me@localhost/me")?;
    let secret = match Secret::from_env("SESSION_SECRET") {
        Err(error) if error.is_not_set() => Secret::random(),
        secret => secret?,
    };
    let store = PostgresStore::options().table("example_session").prepared().connect(&url).await?;
    // For plain HTTP on this machine. In production, start with `SessionConfig::builder()`.
    let sessions = SessionConfig::development().secret(secret).store(store).build();
    let app = Router::new().route("/", get(hello)).layer(sessions.layer());

    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn hello(mut session: Session<Visit>) -> String {
    session.views += 1;
    format!("{} views\n", session.views)
}
