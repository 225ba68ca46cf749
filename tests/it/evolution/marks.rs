//! Two versions that give one field different marks, requirements or merge rules.

use http::Method;
use http_session::Session;
use tokio::sync::oneshot;

use super::raw;
use crate::support::{Answer, Browser, Rig, poll_once};

#[derive(Session)]
struct Kept {
    #[session(identity)]
    user: Option<String>,
    #[session(keep)]
    theme: String,
    views: u64,
}

#[derive(Session)]
struct Unkept {
    #[session(identity)]
    user: Option<String>,
    theme: String,
    #[session(keep = "sign_in", merge = "add")]
    views: u64,
}

#[derive(Session)]
struct Required {
    #[session(required)]
    plan: String,
    other: u64,
}

#[tokio::test]
async fn r16_a_required_default_never_replaces_a_value() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let mut browser = Browser::default();
        rig.visit(&mut browser, async |mut s: Session<Kept>| s.views = 1).await;
        let (go, wait) = oneshot::channel::<()>();
        let mut slow = rig.start(browser.request(Method::GET, "/"), async move |mut s: Session<Required>| {
            s.other = 1;
            wait.await.unwrap();
        });
        assert!(poll_once(&mut slow).is_pending() && poll_once(&mut slow).is_pending());
        // Another request stores the field for the first time.
        rig.ask(&browser, async |mut s: Session<Required>| s.plan = "paid".to_owned()).await;
        go.send(()).unwrap();
        assert_eq!(Answer::read(slow.await.unwrap()).await.status, 200);
        assert_eq!(raw(&rig, "plan").await.as_deref(), Some("\"paid\""));
        assert_eq!(raw(&rig, "other").await.as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn r5_the_mark_of_the_last_writer_counts_even_within_this_request() {
    let rig = Rig::new();
    let mut browser = Browser::default();
    rig.visit(&mut browser, async |mut s: Session<Kept>| {
        s.sign_in("ada".to_owned());
        s.theme = "dark".to_owned();
    })
    .await;
    let switch = async |mut s: Session<Unkept>| {
        s.theme = "light".to_owned();
        s.sign_in("bob".to_owned());
        s.theme.clone()
    };
    assert_eq!(rig.visit(&mut browser, switch).await.text, "");
    assert_eq!(raw(&rig, "theme").await, None, "the store agrees with what the handler saw");
}

#[tokio::test]
async fn r5_what_a_sign_in_clears_is_not_counted_again() {
    let rig = Rig::new();
    let mut browser = Browser::default();
    rig.visit(&mut browser, async |mut s: Session<Kept>| s.views = 3).await;
    rig.visit(&mut browser, async |mut s: Session<Unkept>| {
        s.views += 1;
        s.sign_in("ada".to_owned());
    })
    .await;
    assert_eq!(raw(&rig, "views").await.as_deref(), Some("4"));
}
