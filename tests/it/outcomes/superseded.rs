//! R8, R11: commits that find their session gone or superseded.

use http::{Method, StatusCode};
use http_session::SignedOut;
use http_session::{Session, SessionStore as _};

use crate::support::{Answer, Browser, Events, Rig, Visit, minutes, poll_once};

/// Runs a handler whose session is destroyed in the store between load and commit.
async fn destroyed_under<W, F>(rig: &Rig, browser: &Browser, work: W) -> Answer
where
    W: FnOnce(Session<Visit>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let mut slow = rig.start(browser.request(Method::GET, "/"), async move |s: Session<Visit>| {
        let _ = wait.await;
        work(s).await;
    });
    // A waiting store answers at the second poll.
    assert!(poll_once(&mut slow).is_pending() && poll_once(&mut slow).is_pending());
    for id in rig.ids().await {
        let _ = rig.store.inner.store().destroy(&id, None).await.unwrap();
    }
    go.send(()).unwrap();
    Answer::read(slow.await.unwrap()).await
}

#[tokio::test]
async fn r8_a_session_that_was_destroyed_elsewhere_stays_destroyed() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let events = Events::capture();
        let answer = destroyed_under(&rig, &browser, async |mut s: Session<Visit>| s.views = 9).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 0));
        assert!(events.has("session.commit.superseded"));
        assert!(rig.ids().await.is_empty());
        assert_eq!(rig.seen(&browser).await, "none");
    }
}

#[tokio::test]
async fn r8_a_session_that_expired_meanwhile_stays_expired() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let clock = rig.clock.clone();
    let answer = rig
        .ask(&browser, async move |mut s: Session<Visit>| {
            clock.advance(minutes(60 * 24 * 31));
            s.views = 9;
        })
        .await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 0));
    assert!(rig.ids().await.is_empty());
}

#[tokio::test]
async fn r11_a_visitors_sign_in_begins_a_new_session_if_theirs_is_gone() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let mut browser = rig.anonymous().await;
        let old = rig.ids().await[0].clone();
        let answer = destroyed_under(&rig, &browser, async |mut s: Session<Visit>| {
            s.notice = Some("hello".to_owned());
            s.sign_in("ada".to_owned());
            s.views = 9;
        })
        .await;
        browser.keep(&answer);
        // Only the fields that this request wrote: no cart, no theme.
        assert_eq!(rig.seen(&browser).await, "ada v9 [] ");
        assert!(rig.record(&old).await.is_some_and(|record| record.is_tombstone()));
        assert_eq!(rig.ids().await.len(), 1);
    }
}

#[tokio::test]
async fn r11_a_switch_on_a_session_that_is_gone_fails() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let answer = destroyed_under(&rig, &browser, async |mut s: Session<Visit>| s.sign_in("bob".to_owned())).await;
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
        assert!(rig.ids().await.is_empty());
    }
}

#[tokio::test]
async fn r11_a_sign_out_of_a_session_that_is_gone_was_already_done() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let answer = destroyed_under(&rig, &browser, async |mut s: Session<Visit>| {
        assert_eq!(s.sign_out().await.unwrap(), SignedOut::AlreadySignedOut);
    })
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    let browser = rig.signed_in("ada").await;
    let answer = destroyed_under(&rig, &browser, async |s: Session<Visit>| {
        assert_eq!(s.destroy().await.unwrap(), SignedOut::AlreadySignedOut);
    })
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(rig.ids().await.is_empty());
}

#[tokio::test]
async fn r11_the_answers_of_sign_out_and_destroy() {
    let rig = Rig::new();
    let (mut ada, mut visitor) = (rig.signed_in("ada").await, rig.anonymous().await);
    let sign_out = async |mut s: Session<Visit>| {
        let first = s.sign_out().await.unwrap();
        format!("{first:?} {:?}", s.sign_out().await.unwrap())
    };
    assert_eq!(rig.visit(&mut ada, sign_out).await.text, "SignedOut NotSignedIn");
    assert_eq!(rig.visit(&mut visitor, sign_out).await.text, "NotSignedIn NotSignedIn");
    assert_eq!(rig.ask(&Browser::default(), sign_out).await.text, "NotSignedIn NotSignedIn");
    let destroy = async |s: Session<Visit>| format!("{:?}", s.destroy().await.unwrap());
    let mut ada = rig.signed_in("ada").await;
    assert_eq!(rig.visit(&mut ada, destroy).await.text, "SignedOut");
    assert_eq!(rig.visit(&mut visitor, destroy).await.text, "NotSignedIn");
    assert_eq!(rig.ask(&Browser::default(), destroy).await.text, "NotSignedIn");
    assert!(ada.cookie_names().count() == 0 && visitor.cookie_names().count() == 0);
}

#[tokio::test]
async fn r11_a_recorded_sign_out_that_finds_another_user_replaces_the_response() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let mut slow = rig.start(browser.request(Method::GET, "/"), async move |mut s: Session<Visit>| {
        drop(s.sign_out());
        let _ = wait.await;
    });
    assert!(poll_once(&mut slow).is_pending());
    let mut other = browser.clone();
    rig.visit(&mut other, async |mut s: Session<Visit>| s.sign_in("bob".to_owned())).await;
    go.send(()).unwrap();
    let answer = Answer::read(slow.await.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
    assert_eq!(rig.seen(&other).await, "bob v0 [] dark");
}

#[tokio::test]
async fn r11_a_sign_out_before_or_after_a_regenerate_is_done_whatever_the_status() {
    for signs_out_first in [true, false] {
        let rig = Rig::new();
        let mut browser = rig.signed_in("ada").await;
        let leave = async move |mut s: Session<Visit>| {
            if signs_out_first {
                drop(s.sign_out());
                s.regenerate();
            } else {
                s.regenerate();
                drop(s.sign_out());
            }
            StatusCode::INTERNAL_SERVER_ERROR
        };
        rig.visit(&mut browser, leave).await;
        let seen = rig.seen(&browser).await;
        assert!(!seen.starts_with("ada"), "still signed in: {seen} (sign-out first: {signs_out_first})");
    }
}
