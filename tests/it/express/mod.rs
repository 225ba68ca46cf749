//! Parity with express-session 1.x: its recorded decisions, and its own test cases.
//!
//! `README.md` in this folder lists all cases. A comment before a test names the cases that it covers, and `DIFFERENCE`
//! marks an intended difference.

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

/// The options of express's own tests: this secret, a `maxAge` of a minute, `resave` and `saveUninitialized` on.
fn express(store: &Store) -> Builder<WithSecret, Store, Express> {
    SessionConfig::express().secret(cat()).store(store.clone()).max_age(Duration::from_secs(60))
}

fn cat() -> ExpressSecret {
    Secret::express("keyboard cat").unwrap()
}

fn ok(text: impl Display) -> Result<Response<String>, Infallible> {
    Ok(Response::new(text.to_string()))
}

/// A handler that does not use its session.
async fn idle(_: Request, session: Session<Hits>) -> Result<Response<String>, Infallible> {
    ok(session.hits)
}

/// A handler that counts its requests.
async fn hit(_: Request, mut session: Session<Hits>) -> Result<Response<String>, Infallible> {
    session.hits += 1;
    ok(session.hits)
}

/// Returns the only `Set-Cookie` line, without the cookie's name.
fn cookie(answer: &Answer) -> &str {
    match answer.set_cookies().as_slice() {
        [line] => line.strip_prefix("connect.sid=").unwrap(),
        lines => panic!("expected one session cookie: {lines:?}"),
    }
}

/// Returns the cookie's value, without its attributes.
fn value(answer: &Answer) -> &str {
    cookie(answer).split(';').next().unwrap()
}

fn has_cookie(answer: &Answer) -> bool {
    !answer.set_cookies().is_empty()
}
