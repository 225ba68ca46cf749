//! Cases U: the session's own cookie.

use std::convert::Infallible;
use std::time::Duration;

use http::Response;
use http_session::clock::ManualClock;
use http_session::{
    Cookie, MemoryStore, Session, SessionConfig, config::Priority, config::StoredAttributes, config::express::Resave,
    cookie_name, cookie_path,
};

use super::{Hits, Request, cat, cookie, express, has_cookie, hit, idle, ok, store};
use crate::support::{Browser, Recording};

// 115
#[tokio::test]
async fn a_handler_may_change_http_only_and_secure() {
    let loosen = |_: Request, mut session: Session<Hits>| async move {
        let mut cookie = session.cookie_mut();
        (cookie.http_only, cookie.secure) = (false, true);
        drop(cookie);
        session.hits += 1;
        ok("")
    };
    for (attributes, http_only) in [(StoredAttributes::Exact, false), (StoredAttributes::Narrow, true)] {
        let sessions = express(&store()).stored_attributes(attributes).build();
        let mut request = Browser::default().request(http::Method::GET, "/");
        request.extensions_mut().insert(http_session::config::Transport::Secure);
        let response = tower::ServiceExt::oneshot(sessions.service(loosen), request).await.unwrap();
        let line = response.headers()["set-cookie"].to_str().unwrap();
        assert!(line.contains("; Secure"), "{line}");
        // DIFFERENCE: attributes may only be narrowed, unless the configuration asks for parity (R21).
        assert_eq!(line.contains("; HttpOnly"), http_only, "{line}");
    }
}

// 116, 117, 132, 133
#[tokio::test]
async fn a_browser_session_cookie_is_set_once_and_without_expires() {
    for handler in ["/idle", "/hit"] {
        let sessions = SessionConfig::express().secret(cat()).store(store()).build();
        let service = sessions.service(|request: Request, mut session: Session<Hits>| async move {
            session.hits += u64::from(request.uri().path() == "/hit");
            ok("")
        });
        let mut browser = Browser::default();
        let answer = browser.get(&service, handler).await;
        assert!(cookie(&answer).ends_with("; HttpOnly; Path=/"), "{}", cookie(&answer));
        assert!(!has_cookie(&browser.get(&service, handler).await));
    }
}

// 118
#[tokio::test]
async fn options_override_the_defaults() {
    let own = Cookie::plain(cookie_name!("connect.sid")).readable_by_scripts().path(cookie_path!("/admin"));
    let own = own.priority(Priority::High).without_same_site().insecure();
    let service = express(&store()).cookie(own).build().service(hit);
    let answer = Browser::default().get(&service, "/admin").await;
    let line = cookie(&answer);
    assert!(line.contains("; Expires=") && line.contains("; Path=/admin") && line.contains("; Priority=High"));
    assert!(!line.contains("HttpOnly") && !line.contains("Secure"), "{line}");
}

// 120, 121
#[tokio::test]
async fn r12_the_handlers_own_cookies_stay_and_come_first() {
    let service = express(&store()).build().service(|_: Request, mut session: Session<Hits>| async move {
        session.hits += 1;
        let response = Response::builder().header("set-cookie", "x=1").header("set-cookie", "y=2");
        Ok::<_, Infallible>(response.body(String::new()).unwrap())
    });
    let answer = Browser::default().get(&service, "/").await;
    let names: Vec<_> = answer.set_cookies().into_iter().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["x", "y", "connect.sid"]);
}

// 122, 123, 124
#[tokio::test]
async fn the_original_max_age_is_the_same_at_every_request() {
    let service = express(&store()).max_age(Duration::from_secs(2)).build().service(
        |_: Request, mut session: Session<Hits>| async move {
            session.hits += 1;
            assert_eq!(session.cookie().original_max_age, Some(Duration::from_secs(2)));
            ok("")
        },
    );
    let mut browser = Browser::default();
    for _ in 0..3 {
        assert_eq!(browser.get(&service, "/").await.status, 200);
    }
}

/// Returns the `Expires` attributes of two requests. The handler sets the session's `max_age` in the first one only.
async fn expires(max_age: Option<Duration>) -> [Option<String>; 2] {
    let clock = ManualClock::new();
    let store = Recording::new(MemoryStore::new().clock(clock.clone()));
    let sessions = express(&store).max_age(Duration::from_secs(2)).clock(clock.clone()).build();
    let set = sessions.service(move |_: Request, mut session: Session<Hits>| async move {
        session.hits += 1;
        session.cookie_mut().max_age = max_age;
        ok("")
    });
    let mut browser = Browser::default();
    let first = browser.get(&set, "/").await;
    let second = browser.get(&sessions.service(hit), "/").await;
    [first, second].map(|answer| {
        let line = answer.set_cookies().first()?.to_string();
        line.split("; ").find_map(|part| part.strip_prefix("Expires=")).map(str::to_owned)
    })
}

// 127 to 131
#[tokio::test]
async fn the_expiry_follows_the_sessions_max_age() {
    let at = |text: &str| Some(format!("{text} GMT"));
    let new_year = at("Mon, 01 Jan 2024 00:00:02");
    assert_eq!(expires(Some(Duration::from_secs(2))).await, [new_year.clone(), new_year]);
    // 128: the `max_age` is stored with the session.
    let five = at("Mon, 01 Jan 2024 00:00:05");
    assert_eq!(expires(Some(Duration::from_secs(5))).await, [five.clone(), five]);
    // 129: more milliseconds than fit into 31 bits.
    let far = at("Sun, 04 Feb 2024 17:20:00");
    assert_eq!(expires(Some(Duration::from_millis(3_000_000_000))).await, [far.clone(), far]);
    // 130: the cookie is already expired. A record that has no time left is not found again.
    assert_eq!(expires(Some(Duration::ZERO)).await[0], at("Mon, 01 Jan 2024 00:00:00"));
    // 131, 132, 133: no expiry, and no second cookie.
    assert_eq!(expires(None).await, [None, None]);
}

// 134, 135, 136
#[tokio::test]
async fn partitioned_is_sent_if_configured() {
    let secure = || Cookie::plain(cookie_name!("connect.sid")).without_same_site();
    let line = async |builder: http_session::config::builder::Builder<_, super::Store, _>| {
        let mut request = Browser::default().request(http::Method::GET, "/");
        request.extensions_mut().insert(http_session::config::Transport::Secure);
        let response = tower::ServiceExt::oneshot(builder.build().service(hit), request).await.unwrap();
        response.headers()["set-cookie"].to_str().unwrap().to_owned()
    };
    assert!(!line(express(&store()).cookie(secure())).await.contains("Partitioned"));
    assert!(line(express(&store()).cookie(secure().partitioned())).await.contains("; Partitioned"));
}

// As in express-session, changing only the cookie's attributes does not count as a modification.
#[tokio::test]
async fn a_longer_max_age_alone_is_a_touch_and_sends_no_cookie() {
    let store = store();
    let sessions = express(&store).resave(Resave::WhenModified).build();
    let mut browser = Browser::default();
    browser.get(&sessions.service(hit), "/").await;
    store.take_names();
    let longer = sessions.service(|_: Request, mut session: Session<Hits>| async move {
        session.cookie_mut().max_age = Some(Duration::from_secs(5));
        ok("")
    });
    assert!(!has_cookie(&browser.get(&longer, "/").await));
    assert_eq!(store.take_names(), ["load", "touch"]);
    assert_eq!(browser.get(&sessions.service(idle), "/").await.text, "1");
}
