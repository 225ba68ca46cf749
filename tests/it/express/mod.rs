//! Parity with express-session 1.x: its recorded decisions, and its own test cases (README.md lists them all).

mod cases;
mod cookies;
mod difference;
mod matrix;
mod operations;
mod play;
mod sign_out;
mod signatures;

mod transport;

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use http::Response;
use http_session::config::builder::Builder;
use http_session::config::builder::{Express, WithSecret};
use http_session::{MemoryStore, Secret, Session, SessionConfig, config::express::ExpressSecret};

use crate::support::{Answer, Recording};

type Request = http::Request<String>;
type Store = Recording<MemoryStore>;

#[derive(Session)]
struct Hits {
    hits: u64,
}

fn store() -> Store {
    Recording::new(MemoryStore::new().max_sessions(64))
}

/// As express's own tests begin: this secret, a `maxAge` of a minute, `resave` and `saveUninitialized` on.
fn express(store: &Store) -> Builder<WithSecret, Store, Express> {
    SessionConfig::express().secret(cat()).store(store.clone()).max_age(Duration::from_secs(60))
}

fn cat() -> ExpressSecret {
    Secret::express("keyboard cat").unwrap()
}

fn ok(text: impl Display) -> Result<Response<String>, Infallible> {
    Ok(Response::new(text.to_string()))
}

/// Does nothing with its session.
async fn idle(_: Request, session: Session<Hits>) -> Result<Response<String>, Infallible> {
    ok(session.hits)
}

/// Counts.
async fn hit(_: Request, mut session: Session<Hits>) -> Result<Response<String>, Infallible> {
    session.hits += 1;
    ok(session.hits)
}

/// The only `Set-Cookie` line, without the cookie's name.
fn cookie(answer: &Answer) -> &str {
    match answer.set_cookies().as_slice() {
        [line] => line.strip_prefix("connect.sid=").unwrap(),
        lines => panic!("not one session cookie: {lines:?}"),
    }
}

/// The value alone.
fn value(answer: &Answer) -> &str {
    cookie(answer).split(';').next().unwrap()
}

fn has_cookie(answer: &Answer) -> bool {
    !answer.set_cookies().is_empty()
}
