//! R7 and R14: how long sessions live.

mod clocks;
mod own;

use http::StatusCode;
use http_session::config::Activity;
use http_session::{Session, SessionConfig};

use crate::support::{Browser, Events, Rig, Store, Visit, minutes, seconds};

const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

async fn touch_nothing(rig: &Rig, browser: &mut Browser) -> usize {
    let answer = rig.visit(browser, async |s: Session<Visit>| s.is_new().to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.set_cookies().len()
}

#[tokio::test]
async fn r7_a_session_lives_24_hours_without_activity() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(DAY) - seconds(1));
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
    rig.clock.advance(seconds(1));
    assert_eq!(rig.seen(&browser).await, "none");
}

#[tokio::test]
async fn r7_activity_extends_a_session_but_not_its_absolute_end() {
    let rig = Rig::with(true, |b| b.idle(minutes(DAY)).absolute(minutes(3 * DAY)).build());
    let mut browser = rig.signed_in("ada").await;
    for hours in 1..=5 {
        rig.clock.advance(minutes(14 * HOUR));
        // No touch, rotation, change or save moves the absolute end.
        rig.visit(&mut browser, async move |mut s: Session<Visit>| match hours % 4 {
            0 => s.rotate(),
            1 => s.touch(),
            2 => s.views += 1,
            _ => s.save().await.unwrap(),
        })
        .await;
        assert!(rig.only_record().await.expires_in <= minutes(3 * DAY - 14 * HOUR * hours));
    }
    rig.clock.advance(minutes(2 * HOUR) - seconds(1));
    assert!(rig.seen(&browser).await.starts_with("ada"));
    rig.clock.advance(seconds(1));
    assert_eq!(rig.seen(&browser).await, "none");
}

#[tokio::test]
async fn r7_the_absolute_lifetime_counts_from_the_last_change_of_identity() {
    for (index, action) in ["same user", "other user", "out"].into_iter().enumerate() {
        let rig = Rig::with(true, |b| b.idle(minutes(3 * DAY)).absolute(minutes(3 * DAY)).build());
        let mut browser = rig.signed_in("ada").await;
        rig.clock.advance(minutes(2 * DAY));
        rig.visit(&mut browser, async move |mut s: Session<Visit>| match index {
            0 => s.sign_in("ada".to_owned()),
            1 => s.sign_in("bob".to_owned()),
            _ => s.user = None,
        })
        .await;
        assert_eq!(rig.only_record().await.expires_in, minutes(3 * DAY), "{action}");
    }
}

#[tokio::test]
async fn r7_before_a_sign_in_the_absolute_lifetime_counts_from_creation() {
    let rig = Rig::with(true, |b| b.idle(minutes(2 * DAY)).absolute(minutes(3 * DAY)).build());
    let mut browser = rig.anonymous().await;
    touch_nothing(&rig, &mut browser).await;
    rig.clock.advance(minutes(DAY + 12 * HOUR));
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.only_record().await.expires_in, minutes(DAY + 12 * HOUR));
}

#[tokio::test]
async fn r7_touches_are_throttled_to_a_tenth() {
    let rig = Rig::with(true, |b| b.idle(minutes(1000)).build());
    let mut browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(100) - seconds(1));
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load"]);
    rig.clock.advance(seconds(1));
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load", "touch"]);
    assert_eq!(rig.only_record().await.expires_in, minutes(1000));
}

#[tokio::test]
async fn r7_a_load_with_less_than_a_minute_left_touches_at_once() {
    let rig = Rig::with(true, |b| b.idle(minutes(1)).touch_throttle(100).build());
    let mut browser = rig.signed_in("ada").await;
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load"]);
    rig.clock.advance(seconds(1));
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load", "touch"]);
}

#[tokio::test]
async fn r7_touches_are_not_delayed_near_the_absolute_end() {
    let rig = Rig::with(true, |b| b.idle(minutes(100)).absolute(minutes(130)).touch_throttle(50).build());
    let mut browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(60));
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load", "touch"], "it gains 30 minutes only, but 60 of 100 are gone");
    rig.clock.advance(minutes(50));
    assert!(
        rig.seen(&browser).await.starts_with("ada"),
        "the session lives half of the idle lifetime after the last activity"
    );
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load"], "a touch could not extend the session");
}

#[tokio::test]
async fn r7_polling_is_not_activity() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(23 * HOUR));
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.passive()).await;
    assert_eq!(rig.store.take_names(), ["load"]);
    let both = async |mut s: Session<Visit>| {
        s.touch();
        s.passive();
    };
    rig.visit(&mut browser, both).await;
    assert_eq!(rig.store.take_names(), ["load"]);
    // A change by a polling request is stored, but does not extend the session either.
    let poll = async |mut s: Session<Visit>| {
        s.passive();
        s.views = 2;
    };
    rig.visit(&mut browser, poll).await;
    assert_eq!(rig.only_record().await.expires_in, minutes(HOUR));
    rig.clock.advance(minutes(HOUR));
    assert_eq!(rig.seen(&browser).await, "none");
}

#[tokio::test]
async fn r7_a_request_that_does_not_use_its_session_is_activity_only_if_configured() {
    for (activity, calls) in [(Activity::Loaded, vec![]), (Activity::Presented, vec!["load", "touch"])] {
        for is_instant in [true, false] {
            let rig = Rig::with(is_instant, |b| b.activity(activity).build());
            let browser = rig.signed_in("ada").await;
            rig.clock.advance(minutes(12 * HOUR));
            rig.raw(browser.request(http::Method::GET, "/"), async |_| ()).await.unwrap();
            assert_eq!(rig.store.take_names(), calls);
        }
    }
}

#[tokio::test]
async fn r7_a_touch_never_shortens_a_session() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let shorter = rig.another(|b| b.idle(minutes(5)).touch_throttle(0).build());
    touch_nothing(&shorter, &mut browser).await;
    shorter.visit(&mut browser, async |mut s: Session<Visit>| s.views = 2).await;
    assert_eq!(rig.only_record().await.expires_in, minutes(DAY));
}

#[tokio::test]
async fn r7_a_session_may_have_its_own_max_age_shorter_or_longer() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    for (own, left) in
        [(minutes(5), minutes(5)), (minutes(14 * DAY), minutes(14 * DAY)), (minutes(50 * DAY), minutes(30 * DAY))]
    {
        let answer =
            rig.visit(&mut browser, async move |mut s: Session<Visit>| s.cookie_mut().max_age = Some(own)).await;
        assert_eq!(rig.only_record().await.expires_in, left);
        assert!(answer.set_cookies()[0].contains(&format!("Max-Age={}", left.as_secs())), "{answer:?}");
    }
}

fn rolling() -> impl FnOnce(crate::support::Open) -> SessionConfig<Store> {
    |b| b.max_age(minutes(1000)).rolling().absolute(minutes(1500)).build()
}

#[tokio::test]
async fn r7_a_rolling_cookie_is_sent_exactly_when_the_record_is_touched() {
    let rig = Rig::with(true, rolling());
    let mut browser = rig.signed_in("ada").await;
    for minute in 1..=300 {
        rig.clock.advance(minutes(1));
        let cookies = touch_nothing(&rig, &mut browser).await;
        let touched = rig.store.take_names().contains(&"touch");
        assert_eq!(cookies == 1, touched, "minute {minute}");
        assert_eq!(touched, minute % 100 == 0);
    }
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

#[tokio::test]
async fn r7_max_age_never_exceeds_the_absolute_end() {
    let rig = Rig::with(true, rolling());
    let mut browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(900));
    let answer = rig.visit(&mut browser, async |_: Session<Visit>| ()).await;
    assert!(answer.set_cookies()[0].contains("Max-Age=36000"), "{answer:?}");
    // A change of identity begins a new absolute lifetime.
    let answer = rig.visit(&mut browser, async |mut s: Session<Visit>| s.sign_in("bob".to_owned())).await;
    assert!(answer.set_cookies()[0].contains("Max-Age=60000"), "{answer:?}");
}

#[tokio::test]
async fn r7_by_default_the_cookie_ends_with_the_browser() {
    let rig = Rig::new();
    let answer = rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.views = 1).await;
    assert!(!answer.set_cookies()[0].contains("Max-Age") && !answer.set_cookies()[0].contains("Expires"));
}

#[tokio::test]
async fn r21_max_age_is_at_most_400_days() {
    let rig = Rig::with(true, |b| b.max_age(minutes(1000 * DAY)).absolute(minutes(2000 * DAY)).build());
    let answer = rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.sign_in("ada".to_owned())).await;
    assert!(answer.set_cookies()[0].contains("Max-Age=34560000"), "{answer:?}");
}

#[tokio::test]
async fn r14_an_anonymous_session_whose_cookie_never_comes_back_expires_after_10_minutes() {
    let rig = Rig::new();
    let browser = rig.anonymous().await;
    assert_eq!(rig.only_record().await.expires_in, minutes(10));
    rig.clock.advance(minutes(10));
    assert_eq!(rig.seen(&browser).await, "none");
    // A session that signs in lives on.
    let browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(10));
    assert!(rig.seen(&browser).await.starts_with("ada"));
}

#[tokio::test]
async fn r14_the_first_return_gives_a_session_its_whole_lifetime() {
    let rig = Rig::new();
    let mut browser = rig.anonymous().await;
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load", "touch"]);
    assert_eq!(rig.only_record().await.expires_in, minutes(DAY));
}

#[tokio::test]
async fn r14_the_first_return_is_never_throttled() {
    let rig = Rig::with(true, |b| b.idle(minutes(15)).touch_throttle(100).build());
    let mut browser = rig.anonymous().await;
    rig.clock.advance(minutes(1));
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.only_record().await.expires_in, minutes(15));
    rig.clock.advance(minutes(1));
    rig.store.take_calls();
    touch_nothing(&rig, &mut browser).await;
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test]
async fn r14_a_save_does_not_extend_an_unconfirmed_session() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let save = async |mut s: Session<Visit>| {
            s.views = 1;
            s.save().await.unwrap();
            assert!(s.expires_in().is_some_and(|left| left <= minutes(10)), "{:?}", s.expires_in());
            s.views = 2;
            s.save().await.unwrap();
            s.take(|visit| visit.notice = Some("x".to_owned())).await.unwrap();
            s.touch();
            s.views = 3;
        };
        rig.ask(&Browser::default(), save).await;
        assert_eq!(rig.only_record().await.expires_in, minutes(10));
    }
}

#[tokio::test]
async fn r14_the_unconfirmed_time_is_configurable() {
    let rig = Rig::with(true, |b| b.unconfirmed(minutes(2)).build());
    rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.cookie_mut().max_age = Some(minutes(DAY))).await;
    rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.views = 1).await;
    for id in rig.ids().await {
        assert_eq!(rig.record(&id).await.unwrap().expires_in, minutes(2));
    }
}

#[tokio::test]
async fn r14_a_record_over_64_kib_is_a_clear_500_before_the_headers() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let events = Events::capture();
    for browser in [&browser, &Browser::default()] {
        let answer = rig.ask(browser, async |mut s: Session<Visit>| s.theme = "x".repeat(65_536)).await;
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (500, 0));
        assert!(answer.text.contains("larger than its limit"), "{answer:?}");
        assert!(events.has("session.commit.failed"));
    }
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.theme = "x".repeat(60_000)).await;
    assert_eq!(rig.only_record().await.fields.find("theme").unwrap().len(), 60_002);
}

#[tokio::test]
async fn r14_no_kind_of_write_passes_the_record_limit() {
    let rig = Rig::with(true, |b| b.record_limit(1000).build());
    let large = || "x".repeat(600);
    let mut browser = Browser::default();
    let sign_in = async move |mut s: Session<Visit>| s.sign_in(large());
    assert_eq!(rig.visit(&mut browser, sign_in).await.status, StatusCode::OK);
    // The identity counts even if this request does not write it.
    let answer = rig.ask(&browser, async move |mut s: Session<Visit>| s.theme = large()).await;
    assert_eq!(answer.status.as_u16(), 500, "identity and field together exceed the limit");
    let take = async move |mut s: Session<Visit>| {
        let taken = s.take(|visit| visit.notice = Some(large() + &large())).await;
        format!("{taken:?}")
    };
    assert_eq!(rig.ask(&browser, take).await.text, "Err(TooLarge)");
    let save = async move |mut s: Session<Visit>| {
        s.theme = large() + &large();
        let saved = s.save().await;
        s.discard();
        format!("{saved:?}")
    };
    assert_eq!(rig.ask(&browser, save).await.text, "Err(TooLarge)");
    let id = rig.ids().await[0].clone();
    let mut detached = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    detached.theme = large() + &large();
    assert!(matches!(detached.save().await, Err(http_session::error::SaveError::TooLarge)));
    assert!(rig.only_record().await.size() <= 1000);
}
