//! The layer on a server and on a cluster, end to end.

use http::{Method, StatusCode};
use http_session::store::{EnumerateSessions as _, Indexed};
use http_session::{Session, SessionConfig};
use http_session_redis::RedisStore;

use http_session_test_kit::servers::{self, Redis};
use http_session_test_kit::{Answer, Browser, Request, secret, through};

#[derive(Session, Debug)]
struct Visit {
    #[session(identity)]
    user: Option<String>,
    views: u64,
    #[session(merge = "append", keep = "sign_in")]
    cart: Vec<String>,
    device: String,
}

type Sessions = SessionConfig<Indexed<RedisStore>>;

fn sessions(store: RedisStore) -> Sessions {
    SessionConfig::builder().secret(secret()).store(store).indexed().build()
}

async fn visit(sessions: &Sessions, browser: &mut Browser, work: impl AsyncFnOnce(Session<Visit>)) -> Answer {
    let request = browser.request(Method::GET, "/");
    let answer = through(sessions, request, async |request: Request| {
        work(Session::extract(request.extensions()).await.unwrap()).await;
    })
    .await;
    browser.keep(&answer);
    assert_eq!(answer.status, StatusCode::OK);
    answer
}

async fn signed_in(sessions: &Sessions, user: &str, device: &str) -> Browser {
    let mut browser = Browser::default();
    visit(sessions, &mut browser, async |mut s| s.cart.push("apple".to_owned())).await;
    visit(sessions, &mut browser, async |mut s| {
        s.sign_in(user.to_owned());
        s.device = device.to_owned();
    })
    .await;
    browser
}

async fn user(sessions: &Sessions, browser: &Browser) -> Option<String> {
    let mut user = None;
    visit(sessions, &mut browser.clone(), async |s| user = s.user.clone()).await;
    user
}

async fn tour(url: &str, prefix: &str) {
    let connected = async || RedisStore::options().prefix(prefix).connect(url).await.unwrap();
    // Two processes share one store.
    let (one, other) = (sessions(connected().await), sessions(connected().await));
    let phone = signed_in(&one, "ada", "phone").await;
    let laptop = signed_in(&other, "ada", "laptop").await;
    let bob = signed_in(&one, "bob", "tablet").await;

    let mut late = phone.clone();
    for sessions in [&one, &other] {
        let mut views = 0;
        visit(sessions, &mut phone.clone(), async |mut s| {
            s.views += 1;
            s.cart.push("pear".to_owned());
            views = s.views;
        })
        .await;
        assert!(views > 0);
    }
    visit(&one, &mut late, async |s| assert_eq!((s.views, s.cart.len()), (2, 3))).await;

    let of_ada = one.sessions_of::<Visit>(&"ada".to_owned()).await.unwrap();
    let mut devices: Vec<_> = of_ada.iter().map(|session| session.device.as_str()).collect();
    devices.sort_unstable();
    assert_eq!(devices, ["laptop", "phone"]);
    assert_eq!(connected().await.len().await.unwrap(), 3);

    assert_eq!(other.destroy_all_of::<Visit>(&"ada".to_owned()).await.unwrap(), 2);
    assert_eq!(user(&one, &phone).await, None);
    assert_eq!(user(&one, &laptop).await, None);
    assert_eq!(user(&other, &bob).await.as_deref(), Some("bob"));
    assert!(one.sessions_of::<Visit>(&"ada".to_owned()).await.unwrap().is_empty());
    let again = signed_in(&one, "ada", "phone").await;
    assert_eq!(user(&other, &again).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn r28_sessions_on_one_server() {
    let Some(redis) = Redis::start("the layer on Redis") else { return };
    tour(&redis.url(), "session:").await;
}

#[tokio::test]
async fn r28_sessions_on_a_cluster() {
    let Some(cluster) = servers::redis_cluster("the layer on a Redis Cluster") else { return };
    tour(cluster.url(), &format!("layer-{}:", std::process::id())).await;
}
