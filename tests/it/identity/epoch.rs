//! R4: data that was computed for one user is never written into the session of another.

use http::Method;
use http_session::Session;

use crate::support::{Events, Request, Rig, Visit, minutes, poll_once};

#[tokio::test]
async fn r4_a_slow_request_with_the_old_epoch_writes_nothing() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let old = rig.signed_in("ada").await;
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let mut slow = rig.start(old.request(Method::GET, "/"), async move |mut s: Session<Visit>| {
            s.notice = Some("for ada".to_owned());
            s.cart.push("of ada".to_owned());
            s.hits += 1;
            let _ = wait.await;
        });
        // Loads the session (a waiting store answers at the second poll) and stops in the handler.
        assert!(poll_once(&mut slow).is_pending() && poll_once(&mut slow).is_pending());
        let mut new = old.clone();
        rig.visit(&mut new, async |mut s: Session<Visit>| s.sign_in("bob".to_owned())).await;
        rig.store.take_calls();
        let events = Events::capture();
        go.send(()).unwrap();
        let response = slow.await.unwrap();
        assert!(response.headers().get("set-cookie").is_none());
        assert_eq!(rig.store.take_names(), ["update"], "the store refuses once, and there is no retry");
        assert!(events.has("session.commit.superseded"));
        let record = rig.only_record().await;
        assert!(record.fields.find("notice").is_none() && record.fields.find("hits").is_none());
        assert_eq!(rig.seen(&new).await, "bob v0 [] dark");
    }
}

#[tokio::test]
async fn r4_every_change_of_the_verifier_raises_the_epoch_and_ends_the_old_cookie() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    for _ in 0..3 {
        let (old, epoch) = (browser.clone(), rig.only_record().await.epoch);
        rig.visit(&mut browser, async |mut s: Session<Visit>| s.rotate()).await;
        assert_eq!(rig.only_record().await.epoch, epoch.next());
        assert_eq!(rig.seen(&old).await, "none");
        assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
    }
}

#[tokio::test]
async fn r4_a_rotation_ends_the_previous_verifier_of_a_renewal_too() {
    let rig = Rig::with(true, |b| b.renew_after(minutes(30)).build());
    let before = rig.signed_in("ada").await;
    rig.clock.advance(minutes(31));
    let mut browser = before.clone();
    rig.visit(&mut browser, async |_: Session<Visit>| ()).await;
    assert_ne!(browser, before, "renewed");
    assert_eq!(rig.seen(&before).await, "ada v1 [\"apple\"] dark");
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.rotate()).await;
    assert_eq!(rig.only_record().await.previous, None);
    assert_eq!(rig.seen(&before).await, "none");
}

#[tokio::test]
async fn r4_a_handle_older_than_an_identity_change_loses_its_changes() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let events = Events::capture();
    let work = async |request: Request| {
        let mut outer = Session::<Visit>::extract(request.extensions()).await.unwrap();
        outer.notice = Some("computed for ada".to_owned());
        let mut inner = Session::<Visit>::extract(request.extensions()).await.unwrap();
        inner.sign_in("bob".to_owned());
        inner.views = 7;
    };
    rig.raw(browser.request(Method::GET, "/"), work).await.unwrap();
    assert!(events.has("session.handle.stale"));
    let record = rig.only_record().await;
    assert_eq!((record.fields.find("notice"), record.fields.find("views")), (None, Some(b"7".as_slice())));
}
