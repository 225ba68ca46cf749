//! R9, R10, R12: one write per request, no blind retries, and a response that tells the truth.

use http::{Response, StatusCode};
use http_session::Session;
use http_session::error::StoreErrorKind;

use crate::support::{Browser, Call, Fault, Rig, Visit, minutes};

#[tokio::test]
async fn r9_a_request_commits_in_one_write() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let mut browser = rig.signed_in("ada").await;
        let everything = async |mut s: Session<Visit>| {
            s.sign_in("bob".to_owned());
            s.views = 5;
            s.cart.push("fig".to_owned());
            s.hits += 1;
            s.cookie_mut().max_age = Some(minutes(60));
            s.touch();
        };
        rig.visit(&mut browser, everything).await;
        assert_eq!(rig.store.take_names(), ["load", "update"]);
        rig.visit(&mut browser, async |_: Session<Visit>| ()).await;
        assert_eq!(rig.store.take_names(), ["load"]);
        rig.visit(&mut Browser::default(), everything).await;
        assert_eq!(rig.store.take_names(), ["insert"]);
    }
}

#[tokio::test]
async fn r9_a_change_that_is_reverted_writes_nothing() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let there_and_back = async |mut s: Session<Visit>| {
        s.views = 5;
        s.cart.push("fig".to_owned());
        s.views = 1;
        s.cart.pop();
    };
    assert!(rig.visit(&mut browser, there_and_back).await.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test(start_paused = true)]
async fn r10_a_lost_answer_is_not_retried() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    rig.store.inner.fail(Call::Update, Fault::LostAnswer);
    let answer = rig.ask(&browser, async |mut s: Session<Visit>| s.hits += 1).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(rig.store.take_names(), ["load", "update"]);
    rig.store.inner.heal();
    assert_eq!(rig.only_record().await.fields.find("hits"), Some(b"1".as_slice()));
}

#[tokio::test]
async fn r10_after_a_lost_answer_one_load_tells_whether_the_new_verifier_is_stored() {
    let rig = Rig::with(false, |b| b.build());
    let mut browser = rig.signed_in("ada").await;
    rig.store.inner.fail(Call::Update, Fault::LostAnswer);
    let answer = rig.visit(&mut browser, async |mut s: Session<Visit>| s.rotate()).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 1));
    assert_eq!(rig.store.take_names(), ["load", "update", "load"]);
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
    // The write did not happen: one load shows this, and the response is a 503.
    rig.store.inner.fail(Call::Update, Fault::Error(StoreErrorKind::Unknown));
    let answer = rig.ask(&browser, async |mut s: Session<Visit>| s.rotate()).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    assert_eq!(rig.store.take_names(), ["load", "update", "load"]);
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

#[tokio::test]
async fn r10_a_write_with_an_unknown_result_is_a_503_if_the_store_cannot_be_read() {
    let rig = Rig::with(false, |b| b.build());
    let store = rig.store.inner.clone();
    store.fail(Call::Insert, Fault::LostAnswer);
    store.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
    let answer = rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.views = 1).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    // The session may be stored. In that case it soon expires, because its cookie never comes back (R14).
    rig.clock.advance(minutes(10));
    assert!(rig.ids().await.is_empty());
}

#[tokio::test]
async fn r10_a_definite_refusal_needs_no_further_load() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    for kind in [StoreErrorKind::Full, StoreErrorKind::Refused, StoreErrorKind::Unavailable, StoreErrorKind::Corrupt] {
        rig.store.inner.fail(Call::Update, Fault::Error(kind));
        let answer = rig.ask(&browser, async |mut s: Session<Visit>| s.rotate()).await;
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (503, 0), "{kind:?}");
        assert_eq!(rig.store.take_names(), ["load", "update"]);
    }
}

#[tokio::test]
async fn r12_a_failed_commit_replaces_the_whole_response() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.store.inner.fail(Call::Update, Fault::Error(StoreErrorKind::Unavailable));
    let handler = async |mut s: Session<Visit>| {
        s.views = 5;
        let response = Response::builder()
            .status(201)
            .header("location", "/done")
            .header("set-cookie", "theme=dark")
            .header("x-order", "42");
        response.body("your order is placed".to_owned()).unwrap()
    };
    let answer = rig.ask(&browser, handler).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.text.contains("order") && answer.set_cookies().is_empty());
    assert!(!answer.headers.contains_key("location") && !answer.headers.contains_key("x-order"));
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn r12_the_cookie_of_a_stored_verifier_is_sent_with_a_replaced_response() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let mut browser = rig.signed_in("ada").await;
        let faulty = rig.store.inner.clone();
        let leave = async move |mut s: Session<Visit>| {
            let _ = s.sign_out().await.unwrap();
            s.views = 5;
            faulty.fail(Call::Update, Fault::Error(StoreErrorKind::Unavailable));
        };
        let answer = rig.visit(&mut browser, leave).await;
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (503, 1));
        rig.store.inner.heal();
        assert_eq!(rig.seen(&browser).await, "- v0 [] dark");
    }
}

#[tokio::test]
async fn r12_no_cookie_is_sent_for_a_session_that_was_destroyed_after_its_save() {
    let rig = Rig::new();
    let sessions = rig.sessions.clone();
    let handler = async move |mut s: Session<Visit>| {
        s.views = 1;
        s.save().await.unwrap();
        sessions.destroy(&s.id().unwrap()).await.unwrap();
        s.views = 2;
    };
    let answer = rig.ask(&Browser::default(), handler).await;
    assert!(answer.set_cookies().is_empty(), "the commit found the session gone");
    assert!(rig.ids().await.is_empty());
}

#[tokio::test]
async fn r12_a_save_never_signs_in_and_never_rotates() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let before = rig.only_record().await;
    let handler = async |mut s: Session<Visit>| {
        s.rotate();
        s.views = 2;
        s.save().await.unwrap();
        s.sign_in("bob".to_owned());
        format!("{:?}", s.save().await)
    };
    let failing = async move |s: Session<Visit>| {
        let text = handler(s).await;
        let mut response = Response::new(text);
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    };
    let answer = rig.visit(&mut browser, failing).await;
    assert_eq!(answer.text, "Err(IdentityPending)");
    let record = rig.only_record().await;
    assert_eq!((record.verifier, record.epoch, record.identity), (before.verifier, before.epoch, before.identity));
    assert_eq!(rig.seen(&browser).await, "ada v2 [\"apple\"] dark");
}

#[tokio::test]
async fn r12_failures_are_responses_and_an_inner_error_passes_unchanged() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.store.inner.fail(Call::Update, Fault::Panic);
    let result = rig.send(browser.request(http::Method::GET, "/"), async |mut s: Session<Visit>| s.views = 2).await;
    assert_eq!(result.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    let result = rig
        .send(browser.request(http::Method::GET, "/"), async |mut s: Session<Visit>| {
            s.views = 2;
            crate::support::Oops
        })
        .await;
    assert_eq!(result.unwrap_err(), crate::support::Oops);
}

#[tokio::test]
async fn r12_a_value_that_does_not_serialise_is_a_clear_500() {
    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    struct Cursed;
    impl serde::Serialize for Cursed {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("hunter2"))
        }
    }
    #[derive(Session)]
    struct Strange {
        views: u64,
        cursed: Cursed,
    }
    let rig = Rig::new();
    let answer = rig.ask(&Browser::default(), async |mut s: Session<Strange>| s.views = 1).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (500, 0));
    assert!(!answer.text.contains("hunter2"));
    assert!(rig.ids().await.is_empty());
}

#[tokio::test]
async fn r12_uncommitted_cookie_attributes_have_no_effect() {
    let rig = Rig::with(true, |b| b.touch_throttle(0).build());
    let mut browser = rig.signed_in("ada").await;
    for (status, signs_in) in [(500, false), (408, false), (403, true)] {
        let before = rig.only_record().await;
        let handler = async move |mut s: Session<Visit>| {
            s.cookie_mut().max_age = Some(minutes(1));
            if signs_in {
                s.sign_in("bob".to_owned());
            }
            StatusCode::from_u16(status).unwrap()
        };
        assert!(rig.visit(&mut browser, handler).await.set_cookies().is_empty());
        let record = rig.only_record().await;
        assert_eq!((record.expires_in, record.cookie), (before.expires_in, None), "{status}");
    }
    assert!(rig.record(&rig.ids().await[0]).await.is_some());
}

#[tokio::test]
async fn r11_an_awaited_sign_out_is_done_whatever_happens_to_a_later_sign_in() {
    for (status, seen) in [(200, "bob v7 [] dark"), (401, "- v0 [] dark"), (500, "- v0 [] dark")] {
        for is_instant in [true, false] {
            let rig = Rig::with(is_instant, |b| b.build());
            let mut browser = rig.signed_in("ada").await;
            let switch = async move |mut s: Session<Visit>| {
                s.sign_out().await.unwrap();
                s.sign_in("bob".to_owned());
                s.views = 7;
                StatusCode::from_u16(status).unwrap()
            };
            assert_eq!(rig.visit(&mut browser, switch).await.set_cookies().len(), 1);
            assert_eq!(rig.seen(&browser).await, seen, "{status}");
        }
    }
}

#[tokio::test]
async fn r10_after_a_lost_answer_one_load_tells_whether_the_renewal_is_stored() {
    let rig = Rig::with(false, |b| b.renew_after(minutes(1)).build());
    let mut browser = rig.signed_in("ada").await;
    rig.clock.advance(minutes(2));
    rig.store.inner.fail(Call::Update, Fault::LostAnswer);
    let answer = rig.visit(&mut browser, async |mut s: Session<Visit>| s.views = 2).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 1));
    rig.store.inner.heal();
    assert_eq!(rig.seen(&browser).await, "ada v2 [\"apple\"] dark");
    assert!(rig.only_record().await.previous.is_some());
}
