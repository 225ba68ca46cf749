//! Sign-out and destroy in requests that also do something else.

use http::StatusCode;
use http_session::Session;
use http_session::SignedOut;

use crate::support::{Browser, Request, Rig, Visit, minutes};

/// A superseded cookie counts as no session, except that it may always sign out. Such a cookie may come from a restored
/// browser, or after a lost response.
#[tokio::test]
async fn r6_a_superseded_cookie_may_sign_out_later_than_a_minute_too() {
    let rig = Rig::new();
    let old = rig.signed_in("ada").await;
    let mut new = old.clone();
    rig.visit(&mut new, async |mut s: Session<Visit>| s.rotate()).await;
    rig.clock.advance(minutes(2));
    let sign_out = async |mut s: Session<Visit>| {
        assert_eq!(s.sign_out().await.unwrap(), SignedOut::SignedOut);
    };
    rig.ask(&old, sign_out).await;
    assert_eq!(rig.seen(&new).await, "none");
}

/// A user who signs out and then enters a wrong password stays signed out.
#[tokio::test]
async fn r11_a_recorded_sign_out_before_a_refused_sign_in_is_done() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let switch = async |mut s: Session<Visit>| {
        drop(s.sign_out());
        s.sign_in("bob".to_owned());
        StatusCode::UNAUTHORIZED
    };
    rig.visit(&mut browser, switch).await;
    assert!(rig.seen(&browser).await.starts_with("- "), "{}", rig.seen(&browser).await);
}

/// For example, an audit layer around the handler must not take the user for signed in.
#[tokio::test]
async fn e3_a_handle_that_is_opened_after_destroy_does_not_show_the_destroyed_session() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let work = async |request: Request| {
        let session = Session::<Visit>::extract(request.extensions()).await.unwrap();
        session.destroy().await.unwrap();
        let after = Session::<Visit>::extract(request.extensions()).await;
        assert!(after.map_or(true, |after| after.user.is_none()), "the destroyed session is shown");
    };
    rig.raw(browser.request(http::Method::GET, "/"), work).await.unwrap();
}

/// The response must not say that bob is signed in when he is not.
#[tokio::test]
async fn r12_a_sign_in_after_destroy_in_one_request_is_done_or_reported() {
    let rig = Rig::new();
    let mut browser: Browser = rig.signed_in("ada").await;
    let work = async |request: Request| {
        let mut other = Session::<Visit>::extract(request.extensions()).await.unwrap();
        let session = Session::<Visit>::extract(request.extensions()).await.unwrap();
        session.destroy().await.unwrap();
        other.sign_in("bob".to_owned());
    };
    let response = rig.raw(browser.request(http::Method::GET, "/"), work).await.unwrap();
    let answer = crate::support::Answer::read(response).await;
    browser.keep(&answer);
    let seen = rig.seen(&browser).await;
    assert!(answer.status.as_u16() >= 400 || seen.starts_with("bob"), "200, and the session is: {seen}");
}

/// "Remember me" belongs to the user who asked for it. It does not apply to the browser's next user or to an anonymous
/// session.
#[tokio::test]
async fn r5_remember_me_goes_with_the_user_who_asked_for_it() {
    for awaited in [true, false] {
        let rig = Rig::new();
        let mut browser = rig.signed_in("ada").await;
        let remember = async |mut s: Session<Visit>| s.cookie_mut().max_age = Some(minutes(60 * 24 * 14));
        assert!(rig.visit(&mut browser, remember).await.set_cookies()[0].contains("Max-Age=1209600"));
        let answer = if awaited {
            rig.visit(&mut browser, async |mut s: Session<Visit>| {
                s.sign_out().await.unwrap();
            })
            .await
        } else {
            rig.visit(&mut browser, async |mut s: Session<Visit>| drop(s.sign_out())).await
        };
        assert!(!answer.set_cookies()[0].contains("Max-Age"), "{:?}", answer.set_cookies());
        let sign_in = async |mut s: Session<Visit>| s.sign_in("bob".to_owned());
        let answer = rig.visit(&mut browser, sign_in).await;
        assert!(!answer.set_cookies()[0].contains("Max-Age"), "{:?}", answer.set_cookies());
        let record = rig.only_record().await;
        assert!(record.expires_in <= minutes(60 * 24) && record.cookie.is_none(), "{record:?}");
    }
}
