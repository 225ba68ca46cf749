//! Several session layers, other people's layers, and axum.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_session::{Cookie, MemoryStore, Session, SessionConfig, cookie_name, cookie_path};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;
use tower_http::trace::TraceLayer;

use crate::support::{Answer, Browser, Oops, Rig, Visit, secret};

async fn count(mut session: Session<Visit>) -> String {
    session.views += 1;
    session.views.to_string()
}

async fn maybe(session: Option<Session<Visit>>) -> String {
    session.map_or_else(|| "none".to_owned(), |session| session.views.to_string())
}

async fn send(app: &Router, browser: &mut Browser, path: &str) -> Answer {
    let request = browser.request(Method::GET, path).map(axum::body::Body::new);
    let response = app.clone().oneshot(request).await.unwrap();
    let answer = Answer::read(response).await;
    browser.keep(&answer);
    answer
}

#[tokio::test]
async fn the_outer_of_two_layers_of_one_configuration_serves_the_session() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let inner = Router::new().route("/", get(count)).layer(rig.sessions.layer());
        let both =
            async |mut session: Session<Visit>, request: axum::extract::Request, next: axum::middleware::Next| {
                session.hits += 1;
                next.run(request).await
            };
        let app = inner.layer(axum::middleware::from_fn(both)).layer(rig.sessions.layer());
        let mut browser = Browser::default();
        let answer = send(&app, &mut browser, "/").await;
        assert_eq!((answer.text.as_str(), answer.set_cookies().len()), ("1", 1));
        assert_eq!(send(&app, &mut browser, "/").await.text, "2");
        assert_eq!(rig.store.take_names(), ["insert", "load", "update"]);
        assert_eq!(rig.only_record().await.fields.find("hits"), Some(b"2".as_slice()));
    }
}

#[tokio::test]
async fn a_service_inside_a_layer_of_the_same_configuration_uses_its_session() {
    async fn hello(_: Request<String>, mut session: Session<Visit>) -> Result<Response<String>, Oops> {
        session.views += 1;
        Ok(Response::new(session.views.to_string()))
    }
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let service = tower::Layer::layer(&rig.sessions.layer(), rig.sessions.service(hello));
        let mut browser = Browser::default();
        for text in ["1", "2"] {
            let answer = browser.get(&service, "/").await;
            assert_eq!(answer.text, text);
        }
        assert_eq!(rig.store.take_names(), ["insert", "load", "update"]);
    }
}

/// Another configuration on the same store.
fn admin(rig: &Rig) -> Rig {
    rig.another(|b| b.cookie(Cookie::secure(cookie_name!("admin"))).scope("admin").build())
}

#[tokio::test]
async fn two_nested_configurations_have_a_session_and_a_cookie_each() {
    let rig = Rig::new();
    let admin = admin(&rig);
    let inside = Router::new().route("/", get(count)).layer(admin.sessions.layer());
    let app = Router::new().route("/", get(count)).nest("/admin", inside).layer(rig.sessions.layer());
    let mut browser = Browser::default();
    assert_eq!(send(&app, &mut browser, "/").await.text, "1");
    assert_eq!(send(&app, &mut browser, "/").await.text, "2");
    let answer = send(&app, &mut browser, "/admin").await;
    assert_eq!((answer.text.as_str(), answer.set_cookies().len()), ("1", 1));
    assert_eq!(browser.cookie_names().collect::<Vec<_>>(), ["__Host-sid", "__Secure-admin"]);
    assert_eq!(send(&app, &mut browser, "/").await.text, "3");
    assert_eq!(rig.ids().await.len(), 2);
}

#[tokio::test]
async fn both_of_two_nested_configurations_may_send_a_cookie() {
    let rig = Rig::new();
    let admin = admin(&rig);
    let outer = async |mut session: Session<Visit>, request: axum::extract::Request, next: axum::middleware::Next| {
        session.hits += 1;
        drop(session);
        next.run(request).await
    };
    let inside = Router::new().route("/", get(count)).layer(admin.sessions.layer());
    let app = Router::new().nest("/admin", inside).layer(axum::middleware::from_fn(outer)).layer(rig.sessions.layer());
    let answer = send(&app, &mut Browser::default(), "/admin").await;
    assert_eq!(answer.set_cookies().len(), 2);
    assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
}

#[tokio::test]
async fn the_layer_works_next_to_compression_and_trace() {
    let rig = Rig::new();
    let text = async |mut session: Session<Visit>| {
        session.views += 1;
        session.views.to_string().repeat(5000)
    };
    let routes = Router::new().route("/", get(text));
    for app in [
        routes.clone().layer(CompressionLayer::new()).layer(TraceLayer::new_for_http()).layer(rig.sessions.layer()),
        routes.clone().layer(rig.sessions.layer()).layer(CompressionLayer::new()).layer(TraceLayer::new_for_http()),
    ] {
        let mut browser = Browser::default();
        let ask = async |browser: &mut Browser| {
            let mut request = browser.request(Method::GET, "/").map(axum::body::Body::new);
            request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.headers()["content-encoding"], "gzip");
            let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
            assert!(vary.len() == 2, "{vary:?}");
            let (parts, body) = response.into_parts();
            let length = body.collect().await.unwrap().to_bytes().len();
            assert!(length > 0 && length < 1000);
            let answer = Answer::read(Response::from_parts(parts, String::new())).await;
            browser.keep(&answer);
            answer
        };
        assert_eq!(ask(&mut browser).await.set_cookies().len(), 1);
        assert_eq!(ask(&mut browser).await.set_cookies().len(), 0);
        assert!(rig.seen(&browser).await.contains("v2"));
    }
}

#[tokio::test]
async fn both_axum_extractors_work_with_nested_routers() {
    let sessions = SessionConfig::builder().secret(secret()).store(MemoryStore::new()).build();
    let user = async |Path(id): Path<u8>, session: Session<Visit>| format!("{id} {}", session.views);
    let api = Router::new().route("/maybe", get(maybe)).route("/user/{id}", get(user));
    let app = Router::new().route("/", get(count)).nest("/api", api).layer(sessions.layer());
    let mut browser = Browser::default();
    assert_eq!(send(&app, &mut browser, "/api/maybe").await.text, "0");
    assert!(browser.cookie_names().count() == 0);
    assert_eq!(send(&app, &mut browser, "/").await.text, "1");
    assert_eq!(send(&app, &mut browser, "/api/maybe").await.text, "1");
    assert_eq!(send(&app, &mut browser, "/api/user/7").await.text, "7 1");
}

#[tokio::test]
async fn r22_a_nested_router_strips_the_path_that_the_layer_compares() {
    let rig = Rig::new();
    let cookie = Cookie::secure(cookie_name!("admin")).path(cookie_path!("/admin"));
    let admin = rig.another(|b| b.cookie(cookie).build());
    let route = || Router::new().route("/", get(count));
    let outside = Router::new().nest("/admin", route()).layer(admin.sessions.layer());
    assert_eq!(send(&outside, &mut Browser::default(), "/admin").await.text, "1");
    // Inside the nested router the layer sees `/`, where its cookie is not sent.
    let stripped = Router::new().nest("/admin", route().layer(admin.sessions.layer()));
    let answer = send(&stripped, &mut Browser::default(), "/admin").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text.contains("outside the session cookie's path"), "{answer:?}");
}

#[tokio::test]
async fn a_missing_layer_is_a_clear_500() {
    let app = Router::new().route("/", get(count)).route("/maybe", get(maybe));
    for path in ["/", "/maybe"] {
        let answer = send(&app, &mut Browser::default(), path).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            answer.text.contains("did not pass through a session layer: add `.layer(sessions.layer())`"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn r18_in_axum_while_the_store_is_down_option_is_none_and_session_is_a_503() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let app = Router::new().route("/", get(count)).route("/maybe", get(maybe)).layer(rig.sessions.layer());
    let down = crate::support::Fault::Error(http_session::error::StoreErrorKind::Unavailable);
    rig.store.inner.fail(crate::support::Call::Load, down);
    let answer = send(&app, &mut browser, "/").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (503, "the session store is unavailable"));
    let answer = send(&app, &mut browser, "/maybe").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str(), answer.set_cookies().len()), (200, "none", 0));
    assert_eq!(rig.store.take_names(), ["load", "load"]);
}

#[tokio::test]
async fn r11_a_time_limit_inside_the_layer_discards_and_a_time_limit_outside_drops() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    let answer = rig
        .ask(&browser, async |mut s: Session<Visit>| {
            s.views = 9;
            StatusCode::REQUEST_TIMEOUT
        })
        .await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

/// The layers are A, B, A, B from the outside. Each configuration is served by its outer layer.
#[tokio::test]
async fn two_configurations_nested_twice_are_each_served_by_their_outer_layer() {
    let rig = Rig::new();
    let admin = admin(&rig);
    let app = Router::new()
        .route("/", get(count))
        .layer(admin.sessions.layer())
        .layer(rig.sessions.layer())
        .layer(axum::middleware::from_fn(
            async |mut session: Session<Visit>, request: axum::extract::Request, next: axum::middleware::Next| {
                session.hits += 1;
                drop(session);
                next.run(request).await
            },
        ))
        .layer(admin.sessions.layer())
        .layer(rig.sessions.layer());
    let mut browser = Browser::default();
    let answer = send(&app, &mut browser, "/").await;
    assert_eq!((answer.text.as_str(), answer.set_cookies().len()), ("1", 1), "{:?}", answer.set_cookies());
    assert_eq!(rig.ids().await.len(), 1);
}
