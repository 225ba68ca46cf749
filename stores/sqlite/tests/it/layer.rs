//! The middleware with sessions in a file.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_session::store::{EnumerateSessions as _, Indexed};
use http_session::{Session, SessionConfig};
use http_session_sqlite::SqliteStore;

use super::Files as _;
use http_session_test_kit::{Browser, Folder, secret};

#[derive(Session)]
struct Visit {
    views: u64,
    #[session(identity)]
    user: Option<String>,
    #[session(merge = "append", keep = "sign_in")]
    cart: Vec<String>,
}

async fn shop(request: Request<String>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
    let path = request.uri().path().to_owned();
    match path.split('/').collect::<Vec<_>>()[..] {
        ["", "sign-in", name] => session.sign_in(name.to_owned()),
        ["", "sign-out"] => _ = session.sign_out().await,
        ["", "cart", item] => session.cart.push(item.to_owned()),
        _ => session.views += 1,
    }
    let user = session.user.as_deref().unwrap_or("-");
    Ok(Response::new(format!("{user} {} {}", session.views, session.cart.join(","))))
}

fn sessions(store: SqliteStore) -> SessionConfig<Indexed<SqliteStore>> {
    SessionConfig::builder().secret(secret()).store(store).indexed().build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_outlive_a_restart() {
    let folder = Folder::new();
    let mut browser = Browser::default();
    let store = folder.store().await;
    let service = sessions(store.clone()).service(shop);
    assert_eq!(browser.get(&service, "/").await.text, "- 1 ");
    assert_eq!(browser.get(&service, "/cart/apple").await.text, "- 1 apple");
    assert_eq!(browser.get(&service, "/sign-in/ada").await.status, StatusCode::OK);
    drop((service, store));

    let service = sessions(folder.store().await).service(shop);
    assert_eq!(browser.get(&service, "/").await.text, "ada 1 apple");
    assert_eq!(browser.get(&service, "/").await.text, "ada 2 apple");
    let _ = browser.get(&service, "/sign-out").await;
    assert_eq!(browser.get(&service, "/").await.text, "- 1 ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_sessions_of_a_user_are_found_and_ended() {
    let folder = Folder::new();
    let sessions = sessions(folder.store().await);
    let service = sessions.service(shop);
    let (mut phone, mut laptop, mut other) = (Browser::default(), Browser::default(), Browser::default());
    for (browser, path) in [(&mut phone, "/sign-in/ada"), (&mut laptop, "/sign-in/ada"), (&mut other, "/sign-in/bob")] {
        let _ = browser.get(&service, path).await;
    }
    let ada = "ada".to_owned();
    assert_eq!(sessions.sessions_of::<Visit>(&ada).await.unwrap().len(), 2);
    assert_eq!(sessions.destroy_all_of::<Visit>(&ada).await.unwrap(), 2);
    assert_eq!(sessions.sessions_of::<Visit>(&ada).await.unwrap().len(), 0);
    assert_eq!(phone.get(&service, "/").await.text, "- 1 ");
    assert_eq!(other.get(&service, "/").await.text, "bob 1 ");
    assert_eq!(sessions.store().len().await.unwrap(), 1);

    // The same by hand.
    let deleted = folder.connection().execute("DELETE FROM sessions WHERE identity = '\"bob\"'", []).unwrap();
    assert_eq!(deleted, 1);
    assert_eq!(other.get(&service, "/").await.text, "- 1 ");
}

/// As a browser sends requests at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_requests_at_the_same_moment_keep_each_others_changes() {
    let folder = Folder::new();
    let service = sessions(folder.store().await).service(shop);
    let mut browser = Browser::default();
    let _ = browser.get(&service, "/").await;
    let requests = (0..32).map(|item| {
        let (service, browser) = (service.clone(), browser.clone());
        tokio::spawn(async move { browser.get_and_lose(&service, &format!("/cart/{item}")).await.status })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap(), StatusCode::OK);
    }
    let text = browser.get(&service, "/").await.text;
    let mut cart: Vec<u64> = text.rsplit(' ').next().unwrap().split(',').map(|item| item.parse().unwrap()).collect();
    cart.sort_unstable();
    assert_eq!(cart, (0..32).collect::<Vec<_>>());
}

/// What a person sees in the file.
#[tokio::test]
async fn r1_a_row_can_be_read_and_holds_no_cookie() {
    let folder = Folder::new();
    let service = sessions(folder.store().await).service(shop);
    let mut browser = Browser::default();
    let _ = browser.get(&service, "/cart/apple").await;
    let _ = browser.get(&service, "/sign-in/ada").await;
    let connection = folder.connection();
    let sql = "SELECT identity, fields, keep, json_extract(fields, '$.cart') FROM sessions";
    let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let (identity, fields, keep, cart): (String, String, String, String) =
        connection.query_row(sql, [], columns).unwrap();
    assert_eq!((&*identity, &*fields, &*keep), (r#""ada""#, r#"{"cart":"[\"apple\"]"}"#, r#"{"cart":"sign_in"}"#));
    assert_eq!(cart, r#"["apple"]"#);
    let cookie = browser.cookie("__Host-sid").unwrap().to_owned();
    drop((service, connection));
    let bytes = std::fs::read(folder.file()).unwrap();
    let secret = &cookie.as_bytes()[cookie.len() - 30..];
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
}
