//! A small shop on hyper alone: it counts views, keeps a cart, and signs users in and out.
//!
//! Run `cargo run --example visits`, and open the address that it prints. The pages are plain HTML without scripts. The sessions
//! are in `target/visits.db`, so you are still signed in after a restart. To see them, run
//! `sqlite3 target/visits.db "select id, identity, fields from sessions"`.

#![expect(clippy::print_stdout, reason = "prints its address")]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::{env, fs};

use http_body_util::{BodyExt as _, Collected, Full, Limited};
use http_session::{Csrf, Secret, Session, SessionConfig};
use http_session_sqlite::SqliteStore;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, COOKIE, LOCATION};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

type Page = Response<Full<Bytes>>;

#[derive(Session)]
struct Visit {
    views: u64,
    /// A change of this field signs a user in or out: the session rotates, and the other fields are cleared.
    #[session(identity)]
    user: Option<String>,
    /// The cart of an anonymous visitor stays at sign-in, and is cleared at sign-out.
    #[session(merge = "append", keep = "sign_in")]
    cart: Vec<String>,
    /// A flash message: it is shown once.
    notice: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all("target")?;
    let secret = match Secret::from_env("SESSION_SECRET") {
        Err(error) if error.is_not_set() => kept_secret(Path::new("target/visits.secret"))?,
        secret => secret?,
    };
    let store = SqliteStore::connect("sqlite:target/visits.db").await?;
    println!("sessions are in target/visits.db, and stay there after this process ends");
    // For plain HTTP on this machine. In production, start with `SessionConfig::builder()`.
    let sessions = SessionConfig::development().secret(secret).store(store).build();
    let shop = sessions.service(shop);

    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; choose another port: PORT=3001"))?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let shop = shop.clone();
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), shop);
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}

/// The secret in this file, which is created if it is missing. After a restart with another secret, all cookies would be invalid.
/// In production the secret comes from the environment, and is kept apart from the sessions.
fn kept_secret(file: &Path) -> Result<Secret, Box<dyn std::error::Error>> {
    println!("SESSION_SECRET is not set: the secret is in {}", file.display());
    match fs::read_to_string(file) {
        Ok(text) => {
            return Secret::try_from(text.as_str()).map_err(|error| format!("{}: {error}", file.display()).into());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{}: {error}", file.display()).into()),
    }
    let text = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(text.as_bytes())?;
    Ok(Secret::try_from(text.as_str())?)
}

async fn shop(request: Request<Incoming>, mut session: Session<Visit>) -> Result<Page, Infallible> {
    let (head, body) = request.into_parts();
    let form = Form::read(body).await;
    // First, refuse a form that is not from one of our own pages.
    if let Err(rejection) = session.csrf().check(form.value(Csrf::FIELD)) {
        return Ok(answer(rejection.status(), rejection.body_text()));
    }
    Ok(match (&head.method, head.uri.path()) {
        (&Method::GET, "/") => {
            session.views += 1;
            page(&head, &mut session)
        }
        (&Method::POST, "/cart") => {
            if let Some(item) = form.value("item") {
                session.notice = Some(format!("{item} is in your cart"));
                session.cart.push(item.to_owned());
            }
            back()
        }
        (&Method::POST, "/sign-in") => {
            if let Some(name) = form.value("name") {
                session.sign_in(name.to_owned());
                session.notice = Some("signed in: the cookie is new, and the cart stayed".to_owned());
            }
            back()
        }
        (&Method::POST, "/sign-out") => {
            if session.sign_out().await.is_err() {
                return Ok(answer(StatusCode::SERVICE_UNAVAILABLE, "the store is down; you are still signed in"));
            }
            session.notice = Some("signed out: the cart is empty".to_owned());
            back()
        }
        (&Method::POST, "/forget") => {
            if session.destroy().await.is_err() {
                return Ok(answer(StatusCode::SERVICE_UNAVAILABLE, "the store is down; the session is still there"));
            }
            back()
        }
        _ => answer(StatusCode::NOT_FOUND, "not found"),
    })
}

fn page(head: &Parts, session: &mut Session<Visit>) -> Page {
    let mut html = String::from(
        "<!doctype html><meta charset=utf-8><title>visits</title>\
         <style>body{font:16px/1.5 sans-serif;max-width:44em;margin:2em auto;padding:0 1em}\
         pre{background:#f2f2f2;padding:1em;white-space:pre-wrap;overflow-wrap:anywhere}form{margin:.5em 0}.notice{background:#ffd;padding:.5em}</style>",
    );
    if let Some(notice) = session.notice.take() {
        let _ = write!(html, "<p class=notice>{}</p>", escape(&notice));
    }
    let user = session.user.as_deref().unwrap_or("anonymous");
    let _ = write!(html, "<h1>{} views</h1><p>You are <b>{}</b>.</p>", session.views, escape(user));
    html.push_str("<h2>Cart</h2><ul>");
    for item in &session.cart {
        let _ = write!(html, "<li>{}</li>", escape(item));
    }
    // The token belongs to the session that this response stores.
    let token = session.csrf().hidden_input();
    let _ = write!(
        html,
        "</ul><form method=post action=/cart>{token}<input name=item placeholder='an item' required><button>Add</button></form>\
         <form method=post action=/sign-in>{token}<input name=name placeholder='a name' required><button>Sign in</button></form>\
         <form method=post action=/sign-out>{token}<button>Sign out</button></form>\
         <form method=post action=/forget>{token}<button>Forget this session</button></form>",
    );
    // Only its beginning, because a page that shows the whole cookie would undo `HttpOnly`.
    let cookie = match head.headers.get(COOKIE).and_then(|cookie| cookie.to_str().ok()) {
        Some(cookie) => {
            let beginning: String = cookie.chars().take(48).collect();
            format!("{}… ({} characters: name, id, epoch, secret, signature)", escape(&beginning), cookie.len())
        }
        None => "none yet".to_owned(),
    };
    let _ = write!(html, "<h2>The cookie, as you sent it</h2><pre>{cookie}</pre>");
    let left =
        session.expires_in().map_or_else(|| "not stored yet".to_owned(), |left| format!("{} s left", left.as_secs()));
    let id = session.id();
    let _ = write!(
        html,
        "<h2>The session</h2><pre>id      {}\nnew     {}\nexpires {left}\nviews   {}\nuser    {}\ncart    {}</pre>",
        id.as_ref().map_or("none", |id| id.as_str()),
        session.is_new(),
        session.views,
        escape(&format!("{:?}", session.user)),
        escape(&format!("{:?}", session.cart)),
    );
    let mut page = Response::new(html.into());
    page.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/html; charset=utf-8"));
    page
}

/// A posted form of at most 4 KiB.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(body: Incoming) -> Self {
        let bytes = Limited::new(body, 4096).collect().await.map(Collected::to_bytes).unwrap_or_default();
        Self(form_urlencoded::parse(&bytes).map(|(name, value)| (name.into_owned(), value.trim().to_owned())).collect())
    }

    /// The value of a field that is not empty.
    fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, value)| key == name && !value.is_empty())?;
        Some(value)
    }
}

fn back() -> Page {
    let mut response = answer(StatusCode::SEE_OTHER, "");
    response.headers_mut().insert(LOCATION, hyper::header::HeaderValue::from_static("/"));
    response
}

fn answer(status: StatusCode, text: &'static str) -> Page {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
