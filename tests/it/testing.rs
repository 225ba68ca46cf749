//! The public helpers for tests of a service.

use http::{Method, Request, Response};
use http_session::MemoryStore;
use http_session::store::conformance::Suite;
use http_session::testing::{Answer, Browser, Faulty, ManualClock};
use proptest::prelude::*;

async fn answer(cookies: &[&str]) -> Answer {
    let response = cookies.iter().fold(Response::builder(), |response, line| response.header("set-cookie", *line));
    Answer::read(response.body(String::new()).unwrap()).await
}

async fn with(cookies: &[&str]) -> Browser {
    let mut browser = Browser::new();
    browser.keep(&answer(cookies).await);
    browser
}

#[tokio::test]
async fn a_cookie_is_sent_to_its_path_and_below() {
    let browser = with(&["a=1; Path=/shop"]).await;
    for (path, is_sent) in [("/shop", true), ("/shop/", true), ("/shop/cart", true), ("/shopping", false), ("/", false)]
    {
        assert_eq!(browser.cookie_header(path).is_some(), is_sent, "{path}");
    }
    assert_eq!(browser.request(Method::GET, "/shop?page=2").headers()["cookie"], "a=1");
}

#[tokio::test]
async fn longer_paths_come_first() {
    let browser = with(&["a=1", "b=2; Path=/shop/cart", "a=3; Path=/shop"]).await;
    assert_eq!(browser.cookie_header("/shop/cart").as_deref(), Some("b=2; a=3; a=1"));
}

#[tokio::test]
async fn a_removal_removes_the_cookie_of_its_path() {
    for removal in ["a=; Max-Age=0", "a=; Max-Age=-1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
        let mut browser = with(&["a=1", "a=2; Path=/shop", "b=3"]).await;
        browser.keep(&answer(&[removal]).await);
        assert_eq!(browser.cookie_header("/shop").as_deref(), Some("a=2; b=3"), "{removal}");
    }
    let kept = with(&["a=1; Expires=Mon, 01 Jan 2024 00:00:05 GMT", "b=2; Max-Age=5"]).await;
    assert_eq!(kept.cookie_names().collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn cookies_that_browsers_refuse_are_not_kept() {
    let lines = [
        "__Host-a=1; Path=/",
        "__Host-b=1; Secure",
        "__Host-c=1; Secure; Path=/shop",
        "__Host-d=1; Secure; Path=/; Domain=example.com",
        "__Secure-e=1; Path=/",
        "__Host-f=1; Secure; Path=/",
        "__Secure-g=1; Secure; Path=/shop",
        "h=1",
    ];
    assert_eq!(with(&lines).await.cookie_names().collect::<Vec<_>>(), ["__Host-f", "__Secure-g", "h"]);
    let mut plain = Browser::http();
    plain.keep(&answer(&lines).await);
    assert_eq!(plain.cookie_names().collect::<Vec<_>>(), ["h"]);
}

#[tokio::test]
async fn the_cookie_header_contains_the_kept_cookies() {
    let echo = tower::service_fn(|request: Request<String>| async move {
        let sent: Vec<_> = request.headers().get_all("cookie").iter().map(|line| line.to_str().unwrap()).collect();
        Ok::<_, std::convert::Infallible>(Response::new(sent.join(" and ")))
    });
    let mut browser = with(&["a=1"]).await;
    let request = Request::post("/").header("cookie", "b=2").body(String::new()).unwrap();
    assert_eq!(browser.send(&echo, request).await.text, "a=1");
    browser.remove_cookie("a");
    assert_eq!(browser.get(&echo, "/").await.text, "");
}

#[tokio::test]
async fn r26_the_browsers_debug_output_shows_no_value() {
    assert_eq!(format!("{:?}", with(&["a=s3cret"]).await), "Browser { cookies: [\"a\"] }");
}

/// `Faulty` without a fault is as good as the store behind it.
#[tokio::test]
async fn a_store_that_is_not_told_to_fail_keeps_every_rule() {
    let clock = ManualClock::new();
    let store = Faulty::new(MemoryStore::new().clock(clock.clone()));
    let suite = Suite::new(store.clone()).enumerates().indexes().express().peer(store).rounds(4);
    suite.clock(move |by| clock.advance(by)).run().await.assert();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a server sends, the browser neither panics nor sends a cookie outside the cookie's path.
    #[test]
    fn any_set_cookie_is_kept_whole_or_not_at_all(line in "[ -~]{0,40}", path in "(/[a-c]{0,2}){1,3}") {
        let mut browser = Browser::new();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            browser.keep(&answer(&[&line, "own=1; Path=/b"]).await);
        });
        let header = browser.cookie_header(&path).unwrap_or_default();
        let below = path == "/b" || path.starts_with("/b/");
        prop_assert_eq!(header.contains("own=1"), below, "{}", path);
    }
}
