//! Two services that share their sessions in Redis, so that either of them can answer a request.
//!
//! Start the server with `docker compose -f examples/compose.yaml up redis`, or use your own Redis 6.2 or newer. Then run
//! `cargo run --example redis`, and open the two addresses that it prints. `SESSION_STORE` may be the URL of another server, of
//! a cluster, or of sentinels.

#![expect(clippy::print_stdout, reason = "prints its addresses")]

use std::env;

use axum::response::Html;
use axum::routing::get;
use axum::{Router, serve};
use http_session::error::StoreError;
use http_session::store::{EnumerateSessions as _, Indexed};
use http_session::{Session, SessionConfig, secret};
use http_session_redis::RedisStore;
use tokio::net::TcpListener;

type Sessions = SessionConfig<Indexed<RedisStore>>;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<String>,
    /// If both services count a view at the same moment, both views are counted.
    #[session(merge = "add")]
    views: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::var("SESSION_STORE").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let store = RedisStore::connect(&url).await?;
    println!("{} sessions are stored", store.len().await?);

    let mut services = Vec::new();
    for _ in 0..2 {
        // All services need the same secret and the same store. This configuration is for plain HTTP on this machine. In
        // production, start with `SessionConfig::builder()`, and read the secret with `Secret::from_env("SESSION_SECRET")?`.
        let builder = SessionConfig::development().secret(secret!("a secret that is only for this example"));
        // Each service has its own connection, like two processes.
        let sessions = builder.store(RedisStore::connect(&url).await?).indexed().build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        services.push(tokio::spawn(async move { serve(listener, app(&sessions)).await }));
    }
    for service in services {
        service.await??;
    }
    Ok(())
}

fn app(sessions: &Sessions) -> Router {
    let everywhere = sessions.clone();
    Router::new()
        .route("/", get(page))
        .route("/sign-in", get(sign_in))
        .route("/sign-out-everywhere", get(async move |session| sign_out_everywhere(everywhere, session).await))
        .layer(sessions.layer())
}

async fn page(mut session: Session<Visit>) -> Html<String> {
    session.views += 1;
    let user = session.user.as_deref().unwrap_or("nobody");
    Html(format!(
        "<p>{} views by {user}. <a href=/sign-in>Sign in</a>, <a href=/sign-out-everywhere>sign out everywhere</a></p>",
        session.views
    ))
}

// To keep the example short, this is a link. In a real service it is a form with a CSRF token.
async fn sign_in(mut session: Session<Visit>) -> Html<&'static str> {
    session.sign_in("ada".to_owned());
    Html("<p>You are ada. <a href=/>Back</a></p>")
}

async fn sign_out_everywhere(sessions: Sessions, session: Session<Visit>) -> Result<Html<String>, StoreError> {
    let Some(user) = session.user.clone() else {
        return Ok(Html("<p>Nobody is signed in. <a href=/>Back</a></p>".to_owned()));
    };
    drop(session);
    let ended = sessions.destroy_all_of::<Visit>(&user).await?;
    Ok(Html(format!("<p>{ended} sessions were destroyed. <a href=/>Back</a></p>")))
}
