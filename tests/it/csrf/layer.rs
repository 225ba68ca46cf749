//! The CSRF layer among other layers: order, nesting, paths, a store that is down, and events.

use axum::Router;
use axum::routing::{get, post};
use http::{Method, StatusCode};
use http_session::error::{CsrfRejection, StoreErrorKind};
use http_session::{Cookie, Csrf, Session, cookie_name, cookie_path};
use tower::{Layer as _, ServiceExt as _};

use super::{guarded, passed, send, token};
use crate::support::{Answer, Browser, Call, Events, Fault, Rig, Visit};

async fn ask(app: &Router, browser: &Browser, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = browser.request(method, path).map(axum::body::Body::new);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    Answer::read(app.clone().oneshot(request).await.unwrap()).await
}

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");

#[tokio::test]
async fn r24_in_axum_pages_have_tokens_and_posts_are_guarded() {
    let rig = Rig::new();
    let page = async |csrf: Csrf, mut session: Session<Visit>| {
        session.views += 1;
        csrf.token().unwrap().to_string()
    };
    let add = async |mut session: Session<Visit>| {
        session.cart.push("pear".to_owned());
        session.cart.len().to_string()
    };
    let verify = async |csrf: Csrf, body: String| csrf.verify(body).map(|()| "verified");
    let app = Router::new()
        .route("/", get(page))
        .route("/cart", post(add))
        .layer(rig.sessions.csrf_layer())
        .route("/verify", post(verify))
        .layer(rig.sessions.layer());
    let mut browser = Browser::default();
    let answer = ask(&app, &browser, Method::GET, "/", &[CROSS]).await;
    browser.keep(&answer);
    let token = answer.text;
    assert_eq!(ask(&app, &browser, Method::POST, "/cart", &[OWN]).await.text, "1");
    assert_eq!(ask(&app, &browser, Method::POST, "/cart", &[("x-csrf-token", &token)]).await.text, "2");
    for headers in [&[][..], &[CROSS], &[CROSS, ("x-csrf-token", &token)]] {
        let answer = ask(&app, &browser, Method::POST, "/cart", headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let mut request = browser.request(Method::POST, "/verify").map(|_| axum::body::Body::from(token));
    assert_eq!(Answer::read(app.clone().oneshot(request).await.unwrap()).await.text, "verified");
    request = browser.request(Method::POST, "/verify").map(|_| axum::body::Body::from("x"));
    let refused = Answer::read(app.clone().oneshot(request).await.unwrap()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("reload it and try again"));
}

#[tokio::test]
async fn r18_r24_a_store_that_is_down_fails_only_requests_that_need_a_token() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let ada = rig.signed_in("ada").await;
        let right = token(&rig, &ada).await;
        for fault in [Fault::Error(StoreErrorKind::Unavailable), Fault::Panic] {
            rig.store.inner.fail(Call::Load, fault);
            let answer = send(&rig.sessions, &ada, Method::POST, &[("x-csrf-token", &right)]).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (503, "the session store is unavailable"));
            assert_eq!(answer.headers["vary"], "Cookie");
            assert!(answer.set_cookies().is_empty());
            assert_eq!(rig.store.take_names(), ["load"]);
            assert!(passed(&send(&rig.sessions, &ada, Method::POST, &[OWN]).await));
            assert!(!passed(&send(&rig.sessions, &ada, Method::POST, &[CROSS]).await));
            assert_eq!(rig.store.take_names(), [""; 0]);
            let app = Router::new()
                .route("/", post(async |_: Csrf| "unreachable"))
                .route(
                    "/perhaps",
                    post(async |csrf: Result<Csrf, http_session::error::SessionRejection>| csrf.is_err().to_string()),
                )
                .layer(rig.sessions.layer());
            assert_eq!(ask(&app, &ada, Method::POST, "/", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(ask(&app, &ada, Method::POST, "/perhaps", &[]).await.text, "true");
            rig.store.take_calls();
        }
        rig.store.inner.heal();
        assert!(passed(&send(&rig.sessions, &ada, Method::POST, &[("x-csrf-token", &right)]).await));
    }
}

#[tokio::test]
async fn r24_a_refused_request_changes_nothing() {
    let rig = Rig::new();
    let ada = rig.signed_in("ada").await;
    let before = rig.only_record().await;
    assert!(!passed(&send(&rig.sessions, &ada, Method::POST, &[]).await));
    assert_eq!(rig.only_record().await, before);
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test]
async fn r24_without_a_session_layer_every_response_says_what_is_missing() {
    let rig = Rig::new();
    let other = rig.another(|b| b.scope("other").build());
    let missing = Router::new().route("/", get(async || "done")).layer(rig.sessions.csrf_layer());
    let reversed = missing.clone().layer(other.sessions.layer());
    for app in [missing, reversed] {
        for headers in [&[][..], &[OWN]] {
            let answer = ask(&app, &Browser::default(), Method::GET, "/", headers).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(answer.text.contains("add `.layer(sessions.layer())` around"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn r24_a_layer_checks_against_the_session_of_its_own_configuration() {
    let rig = Rig::new();
    let admin = rig.another(|b| b.cookie(Cookie::secure(cookie_name!("admin"))).scope("admin").build());
    let mut both = rig.signed_in("ada").await;
    let admins = admin.signed_in("root").await;
    for name in admins.cookie_names() {
        both.set_cookie(name, admins.cookie(name).unwrap());
    }
    let (outer, inner) = (token(&rig, &both).await, token(&admin, &both).await);
    let routes = || Router::new().route("/", post(async || "done"));
    let (sessions, admins) = (rig.sessions.clone(), admin.sessions.clone());
    let of_outer = routes().layer(sessions.csrf_layer()).layer(admins.layer()).layer(sessions.layer());
    let of_inner = routes().layer(admins.csrf_layer()).layer(admins.layer()).layer(sessions.layer());
    let twice = routes().layer(sessions.layer()).layer(sessions.csrf_layer()).layer(sessions.layer());
    for (app, right, wrong) in [(of_outer, &outer, &inner), (of_inner, &inner, &outer), (twice, &outer, &inner)] {
        assert!(passed(&ask(&app, &both, Method::POST, "/", &[("x-csrf-token", right)]).await));
        assert!(!passed(&ask(&app, &both, Method::POST, "/", &[("x-csrf-token", wrong)]).await));
    }
}

#[tokio::test]
async fn r24_outside_the_cookies_path_only_the_browsers_headers_count() {
    let rig = Rig::with(true, |b| b.cookie(Cookie::secure(cookie_name!("shop")).path(cookie_path!("/shop"))).build());
    let app = Router::new()
        .route("/", post(async || "done"))
        .route(
            "/shop",
            post(async || "done").get(async |mut s: Session<Visit>| {
                s.views += 1;
                s.csrf().token().unwrap().to_string()
            }),
        )
        .layer(rig.sessions.csrf_layer())
        .layer(rig.sessions.layer());
    let mut browser = Browser::default();
    let answer = ask(&app, &browser, Method::GET, "/shop", &[]).await;
    browser.keep(&answer);
    let token = [("x-csrf-token", answer.text.as_str())];
    assert!(passed(&ask(&app, &browser, Method::POST, "/shop", &token).await));
    assert!(!passed(&ask(&app, &browser, Method::POST, "/", &token).await));
    assert!(passed(&ask(&app, &browser, Method::POST, "/", &[OWN]).await));
}

#[tokio::test]
async fn r24_r26_events_contain_the_reason_and_no_token() {
    let rig = Rig::new();
    let ada = rig.signed_in("ada").await;
    let (right, wrong) = (token(&rig, &ada).await, token(&rig, &rig.signed_in("bob").await).await);
    let anonymous = Browser::default();
    let events = Events::capture();
    for (browser, headers, reason) in [
        (&ada, &[CROSS, ("x-csrf-token", &*right)][..], "cross-site"),
        (&ada, &[("origin", "https://evil.com"), ("x-csrf-token", &right)], "foreign origin"),
        (&ada, &[("origin", "null"), ("x-csrf-token", &right)], "null origin"),
        (&anonymous, &[("x-csrf-token", &right)], "no session"),
        (&ada, &[], "no token"),
        (&ada, &[("x-csrf-token", &wrong)], "wrong token"),
    ] {
        let answer = send(&rig.sessions, browser, Method::POST, headers).await;
        assert!(!passed(&answer) && !answer.text.contains(reason));
        let said = events.take();
        let refused: Vec<_> = said.iter().filter(|line| line.starts_with("session.csrf.refused")).collect();
        assert_eq!(refused.len(), 1, "{said:?}");
        assert!(refused[0].contains(&format!("reason=\"{reason}\"")), "{refused:?}");
        assert!(said.iter().all(|line| !line.contains(&*right) && !line.contains(&*wrong) && !line.contains("evil")));
    }
    assert!(passed(&send(&rig.sessions, &ada, Method::POST, &[("x-csrf-token", &right)]).await));
    assert!(!events.has("session.csrf.refused"));
}

#[tokio::test]
async fn r26_the_tokens_header_is_marked_sensitive_behind_the_layer() {
    let rig = Rig::new();
    let shows = tower::service_fn(async |request: crate::support::Request| {
        Ok::<_, CsrfRejection>(http::Response::new(format!("{request:?}")))
    });
    let service = rig.sessions.layer().layer(rig.sessions.csrf_layer().layer(shows));
    let mut request = Browser::default().request(Method::GET, "/");
    request.headers_mut().insert("x-csrf-token", "a-token-that-is-not-shown".parse().unwrap());
    let answer = Answer::read(service.oneshot(request).await.unwrap()).await;
    assert!(answer.text.contains("x-csrf-token") && !answer.text.contains("a-token-that-is-not-shown"));
}

#[tokio::test]
async fn r24_the_body_is_not_changed() {
    let rig = Rig::new();
    let ada = rig.signed_in("ada").await;
    let app = Router::new()
        .route("/", post(async |body: String| body))
        .layer(rig.sessions.csrf_layer())
        .layer(rig.sessions.layer());
    let mut request = ada.request(Method::POST, "/").map(|_| axum::body::Body::from("a=b"));
    request.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
    assert_eq!(Answer::read(app.oneshot(request).await.unwrap()).await.text, "a=b");
    assert!(passed(&guarded(&rig.sessions, ada.request(Method::GET, "/")).await));
}
