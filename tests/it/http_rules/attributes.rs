//! R20, R21: cache headers and cookie attributes.

use http::{HeaderMap, Response};
use http_session::record::{Lifetime, Patch, RawJson};
use http_session::{Cookie, CookiePath, SameSite, Session, SessionStore as _, cookie_domain, cookie_name, cookie_path};

use crate::support::{Answer, Browser, Events, Rig, Visit, minutes};

fn with_headers(headers: &[(&'static str, &'static str)]) -> Response<String> {
    let mut response = Response::new(String::new());
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    response
}

fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn r20_a_response_whose_handler_read_the_session_varies_by_cookie() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    for browser in [&browser, &Browser::default()] {
        let answer = rig.ask(browser, async |_: Session<Visit>| ()).await;
        assert_eq!(all(&answer.headers, "vary"), ["Cookie"]);
    }
    let untouched = rig.raw(browser.request(http::Method::GET, "/"), async |_| ()).await.unwrap();
    assert!(!untouched.headers().contains_key("vary"));
    for (theirs, expected) in
        [("Accept", vec!["Accept", "Cookie"]), ("accept, COOKIE", vec!["accept, COOKIE"]), ("*", vec!["*"])]
    {
        let answer = rig.ask(&browser, async move |_: Session<Visit>| with_headers(&[("vary", theirs)])).await;
        assert_eq!(all(&answer.headers, "vary"), expected);
    }
}

#[tokio::test]
async fn r20_a_response_with_our_cookie_is_private() {
    let rig = Rig::new();
    let cases = [
        (vec![], "private"),
        (vec![("cache-control", "public, max-age=60, s-maxage=600")], "private, max-age=60"),
        (vec![("cache-control", "no-store")], "no-store"),
        (vec![("cache-control", "public"), ("cdn-cache-control", "max-age=600")], "private"),
        (vec![("cache-control", "private=\"set-cookie\", max-age=1")], "private, max-age=1"),
    ];
    for (headers, expected) in cases {
        let answer = rig
            .ask(&Browser::default(), async move |mut s: Session<Visit>| {
                s.views = 1;
                with_headers(&headers)
            })
            .await;
        assert_eq!(all(&answer.headers, "cache-control"), [expected]);
        assert!(!answer.headers.contains_key("cdn-cache-control"));
    }
    // So is a removal. A response without our cookie keeps the handler's headers.
    let browser = rig.signed_in("ada").await;
    let public = || with_headers(&[("cache-control", "public, max-age=60")]);
    let read = rig.ask(&browser, async move |_: Session<Visit>| public()).await;
    assert_eq!(all(&read.headers, "cache-control"), ["public, max-age=60"]);
    let removed = rig
        .ask(&browser, async move |s: Session<Visit>| {
            let _ = s.destroy().await;
            public()
        })
        .await;
    assert_eq!(all(&removed.headers, "cache-control"), ["private, max-age=60"]);
}

fn attributes(answer: &Answer) -> Vec<String> {
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let mut attributes: Vec<_> = cookies[0].split("; ").skip(1).map(str::to_owned).collect();
    attributes.sort();
    attributes
}

#[tokio::test]
async fn r21_the_default_attributes() {
    let rig = Rig::new();
    let answer = rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.views = 1).await;
    assert_eq!(attributes(&answer), ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]);
    assert!(answer.set_cookies()[0].starts_with("__Host-sid="));
}

fn wide() -> Rig {
    let cookie = Cookie::secure(cookie_name!("sid")).path(cookie_path!("/app")).domain(cookie_domain!("example.com"));
    Rig::with(true, |b| b.cookie(cookie.partitioned()).build())
}

fn at(browser: &Browser, path: &str) -> crate::support::Request {
    browser.request(http::Method::GET, path)
}

#[tokio::test]
async fn r21_a_removal_repeats_the_attributes_of_the_cookie() {
    let rig = wide();
    let mut browser = Browser::default();
    let set = rig.send(at(&browser, "/app"), async |mut s: Session<Visit>| s.views = 1).await.unwrap();
    browser.keep(&set);
    let removed = rig.send(at(&browser, "/app"), async |s: Session<Visit>| drop(s.destroy().await)).await.unwrap();
    let mut expected = attributes(&set);
    expected.extend(["Expires=Thu, 01 Jan 1970 00:00:00 GMT".to_owned(), "Max-Age=0".to_owned()]);
    expected.sort();
    assert_eq!(attributes(&removed), expected);
    for attribute in ["Path=/app", "Domain=example.com", "Secure", "Partitioned"] {
        assert!(expected.iter().any(|own| own == attribute), "{attribute}");
    }
    assert!(removed.set_cookies()[0].starts_with("__Secure-sid=;"));
}

#[tokio::test]
async fn r21_a_removal_repeats_a_sessions_own_path_but_only_if_it_was_sent() {
    let rig = wide();
    let mut browser = Browser::default();
    let narrow = async |mut s: Session<Visit>| s.cookie_mut().path = cookie_path!("/app/admin");
    browser.keep(&rig.send(at(&browser, "/app"), async |mut s: Session<Visit>| s.views = 1).await.unwrap());
    let set = rig.send(at(&browser, "/app"), narrow).await.unwrap();
    assert!(attributes(&set).contains(&"Path=/app/admin".to_owned()));
    browser.keep(&set);
    let leave = async |mut s: Session<Visit>| {
        s.cookie_mut().path = CookiePath::try_from("/app/other").unwrap();
        drop(s.destroy());
    };
    let removed = rig.send(at(&browser, "/app"), leave).await.unwrap();
    assert!(attributes(&removed).contains(&"Path=/app/admin".to_owned()), "{removed:?}");
}

#[tokio::test]
async fn r21_a_sessions_own_attributes_may_only_narrow_the_configured_ones() {
    let rig = wide();
    let mut browser = Browser::default();
    let narrow = async |mut s: Session<Visit>| {
        let mut cookie = s.cookie_mut();
        cookie.path = cookie_path!("/app/admin");
        cookie.domain = None;
        cookie.same_site = Some(SameSite::Strict);
        drop(cookie);
        s.views = 1;
    };
    let answer = rig.send(at(&browser, "/app"), narrow).await.unwrap();
    browser.keep(&answer);
    assert_eq!(attributes(&answer), ["HttpOnly", "Partitioned", "Path=/app/admin", "SameSite=Strict", "Secure"]);
    // The attributes apply to later responses too.
    let rotated = rig.send(at(&browser, "/app/admin"), async |mut s: Session<Visit>| s.rotate()).await.unwrap();
    assert_eq!(attributes(&rotated), attributes(&answer));
    let widen = async |mut s: Session<Visit>| {
        let mut cookie = s.cookie_mut();
        cookie.path = CookiePath::ROOT;
        cookie.domain = Some(cookie_domain!("com"));
        cookie.same_site = Some(SameSite::None);
        cookie.http_only = false;
        cookie.secure = false;
        cookie.partitioned = false;
        drop(cookie);
        s.views = 2;
    };
    let events = Events::capture();
    let answer = rig.send(at(&Browser::default(), "/app"), widen).await.unwrap();
    let configured = ["Domain=example.com", "HttpOnly", "Partitioned", "Path=/app", "SameSite=Lax", "Secure"];
    assert_eq!(attributes(&answer), configured);
    assert!(events.has("session.cookie.refused"));
}

#[tokio::test]
async fn r21_attributes_in_a_record_are_checked_like_configured_ones() {
    let rig = wide();
    let mut browser = Browser::default();
    browser.keep(&rig.send(at(&browser, "/app"), async |mut s: Session<Visit>| s.views = 1).await.unwrap());
    let id = rig.ids().await[0].clone();
    let evil = [
        r#"{"domain":"evil.com","path":"/","httpOnly":false,"secure":false,"sameSite":"none","partitioned":false}"#,
        r#"{"domain":"example.com; HttpOnly=x","path":"/app; Domain=evil.com","sameSite":"\r\nSet-Cookie: a=b"}"#,
        r#"{"path":"/application","originalMaxAge":"soon","priority":"huge"}"#,
        "[]",
        "{",
        "\u{0}",
    ];
    for json in evil {
        let mut patch = Patch::unchanged(&rig.record(&id).await.unwrap());
        patch.cookie = Some(Some(RawJson::new(json.as_bytes())));
        let lifetime = Lifetime::new(minutes(60), minutes(600));
        let _ = rig.store.inner.store().update(&id, &patch, lifetime).await.unwrap();
        let events = Events::capture();
        let answer = rig.send(at(&browser, "/app"), async |mut s: Session<Visit>| s.rotate()).await.unwrap();
        assert!(events.has("session.cookie.refused"), "{json}");
        browser.keep(&answer);
        let seen = attributes(&answer);
        let configured = ["Domain=example.com", "HttpOnly", "Partitioned", "Path=/app", "SameSite=Lax", "Secure"];
        let seen: Vec<_> = seen.iter().filter(|attribute| !attribute.starts_with("Max-Age")).collect();
        assert_eq!(seen, configured, "{json}");
    }
}

#[tokio::test]
async fn r21_the_handlers_own_cookies_are_sent_too() {
    let rig = Rig::new();
    let handler = async |mut s: Session<Visit>| {
        s.views = 1;
        with_headers(&[("set-cookie", "theme=dark"), ("set-cookie", "__Host-sid=mine"), ("set-cookie", "lang=en")])
    };
    let answer = rig.ask(&Browser::default(), handler).await;
    let cookies = answer.set_cookies();
    assert_eq!(cookies[..3], ["theme=dark", "__Host-sid=mine", "lang=en"]);
    assert_eq!(cookies.len(), 4);
    // Our cookie comes last, so it is the cookie that browsers keep.
    assert!(cookies[3].starts_with("__Host-sid=") && cookies[3].len() > 100);
}
