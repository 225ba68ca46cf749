//! R7: a session's own lifetimes, as for "remember me", and the time since its sign-in.

use std::time::Duration;

use http::StatusCode;
use http_session::error::SignInNotRecent;
use http_session::{Session, config::Lifetimes};

use crate::support::{Browser, Rig, Visit, minutes, seconds};

const HOUR: Duration = minutes(60);
const DAY: Duration = minutes(24 * 60);
const REMEMBERED: Lifetimes = Lifetimes::new(Duration::from_secs(14 * 86_400), Duration::from_secs(90 * 86_400));

async fn remembered(rig: &Rig, lifetimes: Lifetimes) -> Browser {
    let mut browser = Browser::default();
    rig.visit(&mut browser, async move |mut s: Session<Visit>| {
        s.sign_in("ada".to_owned());
        s.set_lifetimes(lifetimes);
    })
    .await;
    browser
}

async fn user(rig: &Rig, browser: &mut Browser) -> String {
    rig.visit(browser, async |s: Session<Visit>| format!("{:?}", s.user)).await.text
}

#[tokio::test]
async fn r7_a_remembered_session_outlives_the_configured_limits() {
    let rig = Rig::new();
    let mut browser = remembered(&rig, REMEMBERED).await;
    let mut idle = remembered(&rig, REMEMBERED).await;
    rig.clock.advance(14 * DAY - seconds(1));
    assert_eq!(user(&rig, &mut idle.clone()).await, "Some(\"ada\")");
    for _ in 0..6 {
        assert_eq!(user(&rig, &mut browser).await, "Some(\"ada\")");
        rig.clock.advance(12 * DAY);
    }
    assert_eq!(user(&rig, &mut idle).await, "None");
    // 86 days have passed.
    assert_eq!(user(&rig, &mut browser).await, "Some(\"ada\")");
    let left = rig.visit(&mut browser, async |s: Session<Visit>| format!("{:?}", s.expires_in())).await.text;
    assert_eq!(left, format!("{:?}", Some(4 * DAY + seconds(1))));
    rig.clock.advance(4 * DAY);
    assert_eq!(user(&rig, &mut browser).await, "Some(\"ada\")");
    rig.clock.advance(seconds(1));
    assert_eq!(user(&rig, &mut browser).await, "None");
}

#[tokio::test]
async fn r7_a_sessions_own_lifetimes_may_be_shorter_than_the_configured_ones() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    // A shared computer, such as a kiosk.
    rig.visit(&mut browser, async |mut s: Session<Visit>| {
        let own = Lifetimes::new(minutes(5), HOUR);
        assert_eq!(s.lifetimes(), Lifetimes::new(DAY, 30 * DAY));
        s.set_lifetimes(own);
        assert_eq!(s.lifetimes(), own);
    })
    .await;
    rig.clock.advance(minutes(5) - seconds(1));
    assert_eq!(user(&rig, &mut browser).await, "Some(\"ada\")");
    rig.clock.advance(minutes(5));
    assert_eq!(user(&rig, &mut browser).await, "None");
}

#[tokio::test]
async fn r7_a_sessions_own_lifetimes_end_with_the_identity() {
    for leave in [true, false] {
        let rig = Rig::new();
        let mut browser = remembered(&rig, REMEMBERED).await;
        rig.visit(&mut browser, async move |mut s: Session<Visit>| {
            if leave {
                s.user = None;
                s.views = 1;
            } else {
                s.sign_in("bob".to_owned());
            }
            assert_eq!(s.lifetimes().idle, DAY);
        })
        .await;
        rig.clock.advance(DAY - seconds(1));
        assert!(rig.only_record().await.expires_in <= seconds(1));
        rig.clock.advance(seconds(1));
        assert_eq!(rig.seen(&browser).await, "none");
    }
}

// R11: the sign-out is stored with a failed response too, and it removes the session's own lifetimes.
#[tokio::test]
async fn r7_r11_a_sign_out_with_a_failed_response_ends_the_sessions_own_lifetimes() {
    let rig = Rig::new();
    let mut browser = remembered(&rig, REMEMBERED).await;
    let answer = rig
        .visit(&mut browser, async |mut s: Session<Visit>| {
            drop(s.sign_out());
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let record = rig.only_record().await;
    assert_eq!((record.identity, record.expires_in), (None, DAY));
}

// Only stored lifetimes decide how long the record lives, and a gate stores nothing but its own change.
#[tokio::test]
async fn r7_r13_a_gate_does_not_use_lifetimes_that_the_response_discards() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| {
        s.set_lifetimes(REMEMBERED);
        s.take(|s| s.state = Some("used".to_owned())).await.unwrap();
        StatusCode::INTERNAL_SERVER_ERROR
    })
    .await;
    assert_eq!(rig.only_record().await.expires_in, DAY);
}

#[tokio::test]
async fn r7_a_save_outside_a_request_keeps_the_sessions_own_lifetimes() {
    let rig = Rig::new();
    remembered(&rig, REMEMBERED).await;
    rig.clock.advance(10 * DAY);
    let id = rig.ids().await[0].clone();
    let mut job = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    assert_eq!((job.expires_in(), job.since_sign_in()), (4 * DAY, Some(10 * DAY)));
    job.views += 1;
    job.save().await.unwrap();
    assert_eq!(rig.only_record().await.expires_in, 4 * DAY);
}

#[tokio::test]
async fn r7_the_cookie_ends_with_the_session() {
    let rig = Rig::new();
    let mut browser = Browser::default();
    let remember = async |mut s: Session<Visit>| {
        s.sign_in("ada".to_owned());
        s.set_lifetimes(Lifetimes::new(30 * DAY, 40 * DAY));
        s.cookie_mut().max_age = Some(30 * DAY);
    };
    let max_age = |answer: &crate::support::Answer| {
        let cookies = answer.set_cookies().join("\n");
        cookies.split("Max-Age=").nth(1).map(|rest| rest.split(';').next().unwrap().parse::<u64>().unwrap())
    };
    let answer = rig.visit(&mut browser, remember).await;
    assert_eq!(max_age(&answer), Some(30 * 86_400));
    rig.clock.advance(25 * DAY);
    let answer = rig.visit(&mut browser, async |mut s: Session<Visit>| s.rotate()).await;
    assert_eq!(max_age(&answer), Some(15 * 86_400));
}

#[tokio::test]
async fn r7_a_session_without_an_end_keeps_having_none() {
    let rig = Rig::new();
    let mut browser = remembered(&rig, Lifetimes::new(Duration::MAX, Duration::MAX)).await;
    rig.clock.advance(100 * 365 * DAY);
    assert_eq!(user(&rig, &mut browser).await, "Some(\"ada\")");
    let mut browser = remembered(&rig, Lifetimes::new(Duration::ZERO, Duration::ZERO)).await;
    assert_eq!(user(&rig, &mut browser).await, "Some(\"ada\")");
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(user(&rig, &mut browser).await, "None");
}

#[tokio::test]
async fn r7_the_time_since_the_sign_in_is_known() {
    let rig = Rig::new();
    let mut browser = rig.anonymous().await;
    let ask = async |mut s: Session<Visit>| {
        s.passive();
        format!("{:?}", s.since_sign_in())
    };
    assert_eq!(rig.visit(&mut browser, ask).await.text, "None");
    rig.visit(&mut browser, async |mut s: Session<Visit>| {
        s.user = Some("ada".to_owned());
        assert_eq!(s.since_sign_in(), Some(Duration::ZERO), "not committed yet");
    })
    .await;
    rig.clock.advance(HOUR);
    assert_eq!(rig.visit(&mut browser, ask).await.text, "Some(3600s)");
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.rotate()).await;
    assert_eq!(rig.visit(&mut browser, ask).await.text, "Some(3600s)", "a rotation is not a sign-in");

    let gate = async |s: Session<Visit>| -> Result<StatusCode, StatusCode> {
        s.require_recent(minutes(15)).map_err(|_: SignInNotRecent| StatusCode::FORBIDDEN)?;
        Ok(StatusCode::OK)
    };
    assert_eq!(rig.visit(&mut browser, gate).await.status, StatusCode::FORBIDDEN);
    // A step-up: the same user enters the password again, and the fields stay.
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.sign_in("ada".to_owned())).await;
    assert_eq!(rig.visit(&mut browser, gate).await.status, StatusCode::OK);
    assert_eq!(rig.seen(&browser).await, "ada v0 [\"apple\"] dark");
    rig.clock.advance(minutes(15));
    assert_eq!(rig.visit(&mut browser, gate).await.status, StatusCode::OK);
    rig.clock.advance(seconds(1));
    assert_eq!(rig.visit(&mut browser, gate).await.status, StatusCode::FORBIDDEN);
    rig.visit(&mut browser, async |mut s: Session<Visit>| _ = s.sign_out().await.unwrap()).await;
    assert_eq!(rig.visit(&mut browser, gate).await.status, StatusCode::FORBIDDEN);
}
