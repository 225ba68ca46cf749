//! R6: periodic renewal of the verifier.

use http::Method;
use http_session::Session;

use crate::support::{Answer, Browser, Events, Rig, Visit, minutes, poll_once};

fn renewing(is_instant: bool) -> Rig {
    Rig::with(is_instant, |b| b.renew_after(minutes(30)).build())
}

#[tokio::test]
async fn r6_a_verifier_older_than_the_period_is_renewed_and_the_previous_one_stays_valid() {
    for is_instant in [true, false] {
        let rig = renewing(is_instant);
        let mut browser = rig.signed_in("ada").await;
        let (first, before) = (browser.clone(), rig.only_record().await);
        rig.clock.advance(minutes(29));
        assert!(rig.visit(&mut browser, async |_: Session<Visit>| ()).await.set_cookies().is_empty());
        rig.clock.advance(minutes(1));
        assert_eq!(rig.visit(&mut browser, async |_: Session<Visit>| ()).await.set_cookies().len(), 1);
        let record = rig.only_record().await;
        assert_eq!((record.epoch, record.previous), (before.epoch, Some(before.verifier)));
        assert_ne!(record.verifier, before.verifier);
        assert_eq!(record.ages.identity, minutes(30), "a renewal does not extend the absolute lifetime");
        for cookie in [&first, &browser] {
            assert_eq!(rig.seen(cookie).await, "ada v1 [\"apple\"] dark");
        }
    }
}

#[tokio::test]
async fn r6_the_previous_verifier_writes_but_never_renews() {
    let rig = renewing(true);
    let first = rig.signed_in("ada").await;
    rig.clock.advance(minutes(31));
    let mut second = first.clone();
    rig.visit(&mut second, async |_: Session<Visit>| ()).await;
    rig.clock.advance(minutes(31));
    let before = rig.only_record().await;
    rig.store.take_calls();
    rig.ask(&first, async |_: Session<Visit>| ()).await;
    assert_eq!(rig.store.take_names(), ["load"]);
    let answer = rig.ask(&first, async |mut s: Session<Visit>| s.views = 2).await;
    assert!(answer.set_cookies().is_empty());
    let record = rig.only_record().await;
    assert_eq!((record.verifier, record.previous), (before.verifier, before.previous));
    assert_eq!(rig.seen(&second).await, "ada v2 [\"apple\"] dark");
}

#[tokio::test]
async fn r6_the_loser_of_a_renewal_race_keeps_its_changes_and_sends_no_cookie() {
    for is_instant in [true, false] {
        let rig = renewing(is_instant);
        let browser = rig.signed_in("ada").await;
        rig.clock.advance(minutes(31));
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let mut loser = rig.start(browser.request(Method::GET, "/"), async move |mut s: Session<Visit>| {
            s.views = 7;
            let _ = wait.await;
        });
        assert!(poll_once(&mut loser).is_pending() && poll_once(&mut loser).is_pending());
        let mut winner = browser.clone();
        let answer = rig.visit(&mut winner, async |mut s: Session<Visit>| s.theme = "light".to_owned()).await;
        assert_eq!(answer.set_cookies().len(), 1);
        go.send(()).unwrap();
        assert!(Answer::read(loser.await.unwrap()).await.set_cookies().is_empty());
        for cookie in [&browser, &winner] {
            assert_eq!(rig.seen(cookie).await, "ada v7 [\"apple\"] light");
        }
    }
}

#[tokio::test]
async fn r6_a_verifier_older_than_the_previous_one_is_refused_with_an_event() {
    let rig = renewing(true);
    let stolen = rig.signed_in("ada").await;
    let mut browser = stolen.clone();
    for _ in 0..2 {
        rig.clock.advance(minutes(31));
        rig.visit(&mut browser, async |_: Session<Visit>| ()).await;
    }
    rig.clock.advance(minutes(5));
    let events = Events::capture();
    assert_eq!(rig.seen(&stolen).await, "none");
    assert!(!events.take().is_empty(), "a cookie from before the last two renewals may be stolen");
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

#[tokio::test]
async fn r6_a_renewal_is_done_whatever_the_status() {
    let rig = renewing(true);
    let mut browser: Browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(31));
    let failing = async |mut s: Session<Visit>| {
        s.views = 99;
        http::StatusCode::INTERNAL_SERVER_ERROR
    };
    assert_eq!(rig.visit(&mut browser, failing).await.set_cookies().len(), 1);
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}
