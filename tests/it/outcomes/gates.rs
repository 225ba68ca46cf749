//! R13: a gate, such as a one-time coupon, is stored before its effect happens.

use http_session::Session;
use http_session::error::{SaveError, StoreErrorKind};

use crate::support::{Browser, Call, Fault, Rig, Visit, poll_once, settle};

/// Returns a session with a coupon in two fields: a conflict replaces the first one and rejects the second one.
async fn with_coupon(rig: &Rig) -> Browser {
    let mut browser = rig.signed_in("ada").await;
    let give = async |mut s: Session<Visit>| {
        s.notice = Some("coupon".to_owned());
        s.state = Some("coupon".to_owned());
    };
    rig.visit(&mut browser, give).await;
    rig.store.take_calls();
    browser
}

#[tokio::test]
async fn r13_exactly_one_of_many_concurrent_takers_wins() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = with_coupon(&rig).await;
        let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(8));
        let takers = (0..8).map(|_| {
            let (barrier, rig, browser) = (barrier.clone(), rig.clone(), browser.clone());
            async move {
                let take = async move |mut s: Session<Visit>| {
                    assert_eq!(s.notice.as_deref(), Some("coupon"), "every taker has loaded the coupon");
                    barrier.wait().await;
                    match s.take(|visit| visit.notice.take()).await {
                        Ok(Some(coupon)) => coupon,
                        Ok(None) => "nothing".to_owned(),
                        Err(SaveError::Conflict) => {
                            assert_eq!(s.notice, None, "the handle shows the stored value");
                            "conflict".to_owned()
                        }
                        Err(error) => panic!("{error}"),
                    }
                };
                rig.ask(&browser, take).await.text
            }
        });
        let local = tokio::task::LocalSet::new();
        let tasks: Vec<_> = takers.map(|taker| local.spawn_local(taker)).collect();
        let mut texts = Vec::new();
        local
            .run_until(async {
                for task in tasks {
                    texts.push(task.await.unwrap());
                }
            })
            .await;
        texts.sort();
        assert_eq!(texts, [["conflict"; 7].as_slice(), &["coupon"]].concat());
        assert_eq!(rig.only_record().await.fields.find("notice"), Some(b"null".as_slice()));
    }
}

#[tokio::test]
async fn r13_a_take_is_final_whatever_happens_to_the_response() {
    let rig = Rig::with(false, |b| b.build());
    let browser = with_coupon(&rig).await;
    let mut request = rig.start(browser.request(http::Method::GET, "/"), async |mut s: Session<Visit>| {
        s.views = 9;
        let taken = s.take(|visit| visit.notice.take()).await.unwrap();
        assert_eq!(taken.as_deref(), Some("coupon"));
        http::StatusCode::INTERNAL_SERVER_ERROR
    });
    // The request is dropped while the store works on the take.
    while !rig.store.calls.lock().unwrap().iter().any(|(name, _)| *name == "update") {
        assert!(poll_once(&mut request).is_pending());
        tokio::task::yield_now().await;
    }
    drop(request);
    settle().await;
    let record = rig.only_record().await;
    assert_eq!(
        (record.fields.find("notice"), record.fields.find("views")),
        (Some(b"null".as_slice()), Some(b"1".as_slice()))
    );
}

#[tokio::test]
async fn r13_a_take_that_failed_grants_nothing_and_changes_nothing() {
    let rig = Rig::with(false, |b| b.build());
    let browser = with_coupon(&rig).await;
    rig.store.inner.fail(Call::Update, Fault::Error(StoreErrorKind::Unavailable));
    let faulty = rig.store.inner.clone();
    let take = async move |mut s: Session<Visit>| {
        let taken = s.take(|visit| visit.notice.take()).await;
        assert!(matches!(taken, Err(SaveError::Store(_))));
        faulty.heal();
        format!("{:?}", s.notice)
    };
    assert_eq!(rig.ask(&browser, take).await.text, "Some(\"coupon\")");
    assert_eq!(rig.only_record().await.fields.find("notice"), Some(b"\"coupon\"".as_slice()));
}

#[tokio::test]
async fn r13_a_take_does_not_affect_the_requests_other_changes() {
    let rig = Rig::new();
    let mut browser = with_coupon(&rig).await;
    let take = async |mut s: Session<Visit>| {
        s.views = 7;
        assert_eq!(s.take(|visit| visit.notice.take()).await.unwrap().as_deref(), Some("coupon"));
        assert_eq!(s.views, 7);
        s.theme = "light".to_owned();
    };
    rig.visit(&mut browser, take).await;
    assert_eq!(rig.seen(&browser).await, "ada v7 [\"apple\"] light");
}

#[tokio::test]
async fn r13_a_take_that_changes_nothing_makes_no_store_call() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let take = async |mut s: Session<Visit>| format!("{:?}", s.take(|visit| visit.notice.take()).await.unwrap());
    assert_eq!(rig.ask(&browser, take).await.text, "None");
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test]
async fn r13_a_take_of_the_identity_is_refused() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let take = async |mut s: Session<Visit>| {
        let taken = s.take(|visit| visit.user.take()).await;
        format!("{:?} {:?}", taken, s.user)
    };
    assert_eq!(rig.ask(&browser, take).await.text, "Err(IdentityPending) Some(\"ada\")");
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

#[tokio::test]
async fn r13_a_counter_is_consumed_by_save_before_the_effect() {
    // `merge = "reject"`: of two requests that save the same state, one gets a conflict.
    let rig = Rig::new();
    let browser = with_coupon(&rig).await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let mut slow = rig.start(browser.request(http::Method::GET, "/"), async move |mut s: Session<Visit>| {
        let _ = wait.await;
        s.state = None;
        let saved = format!("{:?}", s.save().await);
        s.discard();
        saved
    });
    assert!(poll_once(&mut slow).is_pending());
    let first = async |mut s: Session<Visit>| {
        s.state = None;
        format!("{:?}", s.save().await)
    };
    assert_eq!(rig.ask(&browser, first).await.text, "Ok(())");
    go.send(()).unwrap();
    assert_eq!(crate::support::Answer::read(slow.await.unwrap()).await.text, "Err(Conflict)");
}

#[tokio::test]
async fn r13_a_take_does_not_merge_even_if_the_field_has_a_merge_rule() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let mut slow = rig.start(browser.request(http::Method::GET, "/"), async move |mut s: Session<Visit>| {
        let _ = wait.await;
        let first = s.take(|visit| visit.hits += 1).await;
        // After the conflict it may try again with the stored value.
        let second = s.take(|visit| visit.hits += 1).await;
        format!("{first:?} {second:?} {}", s.hits)
    });
    assert!(poll_once(&mut slow).is_pending());
    assert_eq!(
        rig.ask(&browser, async |mut s: Session<Visit>| format!("{:?}", s.take(|v| v.hits += 1).await)).await.text,
        "Ok(())"
    );
    go.send(()).unwrap();
    assert_eq!(crate::support::Answer::read(slow.await.unwrap()).await.text, "Err(Conflict) Ok(()) 2");
}
