//! R22, R23: which requests have a session.

use http::header::COOKIE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_session::error::SessionRejection;
use http_session::{Cookie, MemoryStore, Session, SessionConfig, cookie_name, cookie_path};

use crate::support::{Browser, Oops, Rig, Visit, secret};

fn below_app() -> Rig {
    let cookie = Cookie::secure(cookie_name!("sid")).path(cookie_path!("/app"));
    Rig::with(true, |b| b.cookie(cookie).ignore_paths(["/app/favicon.ico"]).build())
}

#[tokio::test]
async fn r22_the_cookies_path_matches_whole_segments_and_the_extractor_says_so() {
    for wiring in [crate::support::Wiring::Layer, crate::support::Wiring::Service] {
        let rig = Rig { wiring, ..below_app() };
        for (path, inside) in [
            ("/app", true),
            ("/app/", true),
            ("/app/a/b?x=/", true),
            ("/", false),
            ("/application", false),
            ("/App", false),
            ("/ap", false),
            ("/app/favicon.ico", false),
            ("/app/favicon.ico?v=2", false),
            ("/app/favicon.ico/x", true),
            ("/%61pp", false),
        ] {
            let request = Browser::default().request(Method::GET, path);
            let answer = rig.send(request, async |mut s: Session<Visit>| s.views = 1).await.unwrap();
            if inside {
                assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 1), "{path}");
            } else {
                assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (500, 0), "{path}");
                assert_eq!(answer.text, SessionRejection::OutsidePath.body_text(), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn r22_outside_the_cookies_path_the_store_is_never_called() {
    let rig = below_app();
    let mut browser = Browser::default();
    let begin = rig.send(browser.request(Method::GET, "/app"), async |mut s: Session<Visit>| s.views = 1).await;
    browser.keep(&begin.unwrap());
    rig.store.take_calls();
    let answer = rig.send(browser.request(Method::GET, "/"), async |_: Session<Visit>| ()).await.unwrap();
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), [""; 0]);
}

#[tokio::test]
async fn r22_only_16_kb_of_a_header_of_100_kb_are_scanned() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let ours = browser.cookie_header("/app").unwrap();
    let filler = |length: usize| "a=1; ".repeat(length / 5);
    for (line, found) in [
        (format!("{ours}; {}", filler(100_000)), true),
        (format!("{}{ours}", filler(16_000)), true),
        (format!("{}{ours}", filler(100_000)), false),
    ] {
        let mut request = Browser::default().request(Method::GET, "/");
        request.headers_mut().insert(COOKIE, line.parse().unwrap());
        let answer = rig.send(request, async |s: Session<Visit>| s.views.to_string()).await.unwrap();
        assert_eq!(answer.text == "1", found, "{}", line.len());
    }
}

#[tokio::test]
async fn r22_cookie_names_match_exactly_and_quotes_do_not_join_cookies() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let token = browser.cookie("__Host-sid").unwrap();
    for (line, found) in [
        (format!("__Host-sid={token}"), true),
        (format!("a=\"; __Host-sid={token}; b=\""), true),
        (format!("\t __Host-sid\t=\t\"{token}\" "), true),
        (format!("__host-sid={token}"), false),
        (format!("__Host-sid2={token}"), false),
        (format!("x__Host-sid={token}"), false),
        (format!("__Host-sid={token}x"), false),
        (format!("a=\"__Host-sid={token}\""), false),
    ] {
        let mut request = Browser::default().request(Method::GET, "/");
        request.headers_mut().insert(COOKIE, HeaderValue::from_str(&line).unwrap());
        let answer = rig.send(request, async |s: Session<Visit>| s.views.to_string()).await.unwrap();
        assert_eq!(answer.text == "1", found, "{line}");
    }
}

async fn count(_: Request<String>, mut s: Session<Visit>) -> Result<Response<String>, Oops> {
    s.views += 1;
    Ok(Response::new(s.views.to_string()))
}

#[tokio::test]
async fn r23_the_development_preset_serves_only_this_machine() {
    let sessions = SessionConfig::development().secret(secret()).store(MemoryStore::new()).build();
    let service = sessions.service(count);
    for (host, served) in [
        ("localhost:3000", true),
        ("127.0.0.1", true),
        ("[::1]:80", true),
        ("example.com", false),
        ("localhost.example.com", false),
        ("192.168.0.7", false),
    ] {
        let mut request = Browser::default().request(Method::GET, "/");
        request.headers_mut().insert("host", host.parse().unwrap());
        let response = hyper::service::Service::call(&service, request).await.unwrap();
        assert_eq!(response.status() == StatusCode::OK, served, "{host}");
        assert_eq!(response.headers().contains_key("set-cookie"), served, "{host}");
    }
    let mut request = Browser::default().request(Method::GET, "/");
    request.headers_mut().remove("host");
    let response = hyper::service::Service::call(&service, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn r23_no_production_configuration_reads_the_development_cookie() {
    let store = MemoryStore::new();
    let development = SessionConfig::development().secret(secret()).store(store.clone()).build().service(count);
    let production = SessionConfig::builder().secret(secret()).store(store.clone());
    let production = production.cookie(Cookie::plain(cookie_name!("sid")).insecure()).build().service(count);
    let mut browser = Browser::default();
    let answer = browser.get(&development, "/").await;
    assert!(!answer.set_cookies()[0].contains("Secure") && answer.set_cookies()[0].contains("HttpOnly"));
    let value = browser.cookie("sid-development").unwrap().to_owned();
    for name in ["sid", "sid-development", "__Host-sid"] {
        browser.set_cookie(name, value.clone());
    }
    assert_eq!(browser.get_and_lose(&production, "/").await.text, "1");
    assert_eq!(browser.get_and_lose(&development, "/").await.text, "2");
}
