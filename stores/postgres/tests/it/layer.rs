//! The middleware on PostgreSQL.

use std::convert::Infallible;

use http::{Request, Response};
use http_session::{Session, SessionConfig};
use http_session_postgres::PostgresStore;

use super::Table;
use http_session_test_kit::servers;
use http_session_test_kit::{Browser, secret};

#[derive(Session, Debug)]
struct Visit {
    #[session(identity)]
    user: Option<String>,
    views: u64,
    #[session(merge = "append", keep = "sign_in")]
    cart: Vec<String>,
    #[session(keep)]
    theme: String,
    #[session(merge = "add")]
    hits: i64,
}

async fn handle(request: Request<String>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
    match request.uri().path() {
        "/in" => session.sign_in("ada".to_owned()),
        "/out" => _ = session.sign_out().await,
        "/view" => session.views += 1,
        "/hit" => {
            // Lets the other requests load the same record.
            tokio::task::yield_now().await;
            session.hits += 1;
        }
        "/buy" => session.cart.push("apple".to_owned()),
        "/dark" => session.theme = "dark".to_owned(),
        _ => {}
    }
    let Visit { user, views, cart, theme, hits } = &*session;
    Ok(Response::new(format!("{user:?} {views} {} {theme} {hits}", cart.len())))
}

async fn sessions(table: &Table) -> SessionConfig<http_session::store::Indexed<PostgresStore>> {
    SessionConfig::builder().secret(secret()).store(table.open().await).indexed().build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_shared_by_processes_and_ended_everywhere() {
    let Some(server) = servers::postgres("the layer on PostgreSQL") else { return };
    let table = Table::new(&server);
    let (one, two) = (sessions(&table).await, sessions(&table).await);
    let (first, second) = (one.service(handle), two.service(handle));
    let (mut laptop, mut phone) = (Browser::new(), Browser::new());
    laptop.get(&first, "/view").await;
    laptop.get(&second, "/buy").await;
    assert_eq!(laptop.get(&first, "/dark").await.text, "None 1 1 dark 0");
    assert_eq!(laptop.get(&second, "/in").await.text, "Some(\"ada\") 0 1 dark 0");
    let stolen = laptop.clone();
    assert_eq!(laptop.get(&first, "/view").await.text, "Some(\"ada\") 1 1 dark 0");

    // Many requests at once lose nothing.
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let mut tab = laptop.clone();
        let sessions = if number % 2 == 0 { &one } else { &two };
        let service = sessions.service(handle);
        tasks.spawn(async move { tab.get(&service, "/hit").await.status });
    }
    assert!(tasks.join_all().await.into_iter().all(|status| status == 200));
    assert_eq!(laptop.get(&second, "/").await.text, "Some(\"ada\") 1 1 dark 20");

    phone.get(&second, "/in").await;
    let user = "ada".to_owned();
    assert_eq!(one.sessions_of::<Visit>(&user).await.unwrap().len(), 2);
    one.destroy_all_of::<Visit>(&user).await.unwrap();
    assert_eq!(two.sessions_of::<Visit>(&user).await.unwrap().len(), 0);
    for mut browser in [laptop, phone, stolen] {
        assert!(browser.get(&second, "/").await.text.starts_with("None 0 0  0"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_can_be_read_by_a_person() {
    let Some(server) = servers::postgres("rows of PostgreSQL") else { return };
    let table = Table::new(&server);
    let sessions = sessions(&table).await;
    let service = sessions.service(handle);
    let mut browser = Browser::new();
    browser.get(&service, "/buy").await;
    browser.get(&service, "/dark").await;
    browser.get(&service, "/in").await;
    let row = format!("select identity, epoch, identity_epoch, fields, keep, octet_length(verifier) from {}", table.0);
    assert_eq!(
        table.sql(&row),
        r#""ada"|1|1|{"cart": "[\"apple\"]", "theme": "\"dark\""}|{"cart": "sign_in", "theme": "always"}|32"#
    );
    // An administrator signs her out.
    assert_eq!(
        table.sql(&format!("delete from {} where left(identity, 128) = '\"ada\"' returning epoch", table.0)),
        "1"
    );
    assert!(browser.get(&service, "/").await.text.starts_with("None"));
}
