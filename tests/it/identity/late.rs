//! R6: what a superseded cookie may still do.

use http_session::Session;
use http_session::SignedOut;

use crate::support::{Browser, Events, Rig, Visit, minutes, seconds};

/// Signs a user in over ada's session. Returns a browser with the superseded cookie and a browser with the new one.
async fn superseded(rig: &Rig, user: &'static str) -> (Browser, Browser) {
    let old = rig.signed_in("ada").await;
    let mut new = old.clone();
    rig.visit(&mut new, async move |mut s: Session<Visit>| s.sign_in(user.to_owned())).await;
    rig.store.take_calls();
    (old, new)
}

#[tokio::test]
async fn r6_a_late_request_sees_an_anonymous_session_and_stores_nothing() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let (old, new) = superseded(&rig, "bob").await;
        let before = rig.only_record().await;
        rig.clock.advance(seconds(60));
        let events = Events::capture();
        let late = async |mut s: Session<Visit>| {
            assert!(s.user.is_none() && s.is_new() && s.views == 0);
            s.views = 100;
            s.cart.push("mine".to_owned());
            s.cookie_mut().max_age = Some(minutes(5));
            s.touch();
            s.rotate();
        };
        let answer = rig.ask(&old, late).await;
        assert!(answer.set_cookies().is_empty());
        assert_eq!(rig.store.take_names(), ["load"]);
        assert!(events.has("session.superseded"));
        assert_eq!(rig.only_record().await.expires_in, before.expires_in - seconds(60), "not touched");
        assert_eq!(rig.seen(&new).await, "bob v0 [] dark");
    }
}

#[tokio::test]
async fn r6_a_late_request_cannot_save_or_take() {
    let rig = Rig::new();
    let (old, _) = superseded(&rig, "bob").await;
    let save = async |mut s: Session<Visit>| {
        s.views = 1;
        let taken = s.take(|visit| visit.notice = Some("x".to_owned())).await;
        format!("{:?} {:?}", s.save().await, taken)
    };
    let answer = rig.ask(&old, save).await;
    assert_eq!(answer.text, "Err(Superseded) Err(Superseded)");
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test]
async fn r6_after_a_minute_a_superseded_cookie_is_treated_as_no_session() {
    let rig = Rig::new();
    let (old, new) = superseded(&rig, "bob").await;
    rig.clock.advance(seconds(61));
    let mut browser = old.clone();
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.views = 7).await;
    assert_eq!(rig.store.take_names(), ["load", "insert"]);
    assert_eq!(rig.seen(&browser).await, "- v7 [] ");
    assert_eq!(rig.seen(&new).await, "bob v0 [] dark");
}

#[tokio::test]
async fn r6_lateness_counts_from_the_arrival_of_the_request() {
    // The request arrives before the rotation, and asks for its session two minutes after it.
    let rig = Rig::new();
    let old = rig.signed_in("ada").await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(Some(wait)));
    let work = move |request: crate::support::Request| {
        let wait = wait.lock().unwrap().take();
        async move {
            let _ = wait.unwrap().await;
            Session::<Visit>::extract(request.extensions()).await.unwrap().views = 7;
        }
    };
    let mut slow = rig.raw(old.request(http::Method::GET, "/"), work);
    assert!(crate::support::poll_once(&mut slow).is_pending());
    rig.clock.advance(seconds(30));
    let mut new = old.clone();
    rig.visit(&mut new, async |mut s: Session<Visit>| s.rotate()).await;
    rig.clock.advance(minutes(2));
    rig.store.take_calls();
    go.send(()).unwrap();
    let answer = slow.await.unwrap();
    assert!(
        answer.headers().get("set-cookie").is_none(),
        "a request that arrived before the rotation is late, however slow it is"
    );
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test]
async fn r6_the_late_window_is_configurable() {
    let rig = Rig::with(true, |b| b.late_window(seconds(5)).build());
    let (old, _) = superseded(&rig, "bob").await;
    for (wait, calls) in [(5, vec!["load"]), (1, vec!["load", "insert"])] {
        rig.clock.advance(seconds(wait));
        rig.ask(&old, async |mut s: Session<Visit>| s.views = 7).await;
        assert_eq!(rig.store.take_names(), calls);
    }
}

#[tokio::test]
async fn r6_a_late_request_may_sign_in() {
    let rig = Rig::new();
    let (old, new) = superseded(&rig, "bob").await;
    let old_id = rig.ids().await[0].clone();
    let mut browser = old.clone();
    let sign_in = async |mut s: Session<Visit>| {
        s.sign_in("ada".to_owned());
        s.views = 2;
        s.id().unwrap().as_str().to_owned()
    };
    let answer = rig.visit(&mut browser, sign_in).await;
    assert_eq!(rig.store.take_names(), ["load", "insert"]);
    assert_ne!(answer.text, old_id.as_str(), "the id of the new session, not of the superseded one");
    assert!(rig.ids().await.iter().any(|id| id.as_str() == answer.text));
    assert_eq!(rig.seen(&browser).await, "ada v2 [] ");
    assert_eq!(rig.seen(&new).await, "bob v0 [] dark", "the session of the other sign-in is not changed");
}

#[tokio::test]
async fn r6_a_late_sign_in_never_reuses_the_superseded_id_even_if_the_record_is_gone() {
    let rig = Rig::new();
    let (old, _) = superseded(&rig, "ada").await;
    let old_id = rig.ids().await[0].clone();
    let store = rig.store.inner.store().clone();
    let (clock, id) = (rig.clock.clone(), old_id.clone());
    let sign_in = async move |mut s: Session<Visit>| {
        // Between load and commit, the record is destroyed and its tombstone expires.
        use http_session::SessionStore as _;
        let _ = store.destroy(&id, None).await.unwrap();
        clock.advance(minutes(2));
        s.sign_in("bob".to_owned());
    };
    let mut browser = old.clone();
    rig.visit(&mut browser, sign_in).await;
    assert_eq!(rig.seen(&browser).await, "bob v0 [] ");
    assert!(rig.record(&old_id).await.is_none(), "the id from the old cookie was used again");
    // Otherwise the old cookie could end another user's session.
    rig.ask(&old, async |s: Session<Visit>| drop(s.destroy().await)).await;
    assert_eq!(rig.seen(&browser).await, "bob v0 [] ");
}

#[tokio::test]
async fn r6_a_late_request_may_regenerate() {
    let rig = Rig::new();
    let (old, new) = superseded(&rig, "bob").await;
    let mut browser = old.clone();
    rig.visit(&mut browser, async |mut s: Session<Visit>| {
        s.regenerate();
        s.views = 4;
    })
    .await;
    assert_eq!(rig.seen(&browser).await, "- v4 [] ");
    assert_eq!(rig.seen(&new).await, "bob v0 [] dark");
}

/// Ends a session with a superseded cookie. Returns the answer of the call and the number of cookies set.
async fn end(rig: &Rig, browser: &Browser, destroys: bool) -> (String, usize) {
    let answer = match destroys {
        true => rig.ask(browser, async |s: Session<Visit>| format!("{:?}", s.destroy().await.unwrap())).await,
        false => rig.ask(browser, async |mut s: Session<Visit>| format!("{:?}", s.sign_out().await.unwrap())).await,
    };
    (answer.text.clone(), answer.set_cookies().len())
}

#[tokio::test]
async fn r6_a_superseded_cookie_may_sign_out_while_the_identity_is_the_same() {
    for is_instant in [true, false] {
        for destroys in [true, false] {
            let rig = Rig::with(is_instant, |b| b.build());
            // A step-up: the same user signs in again, and the session is rotated.
            let (old, mut new) = superseded(&rig, "ada").await;
            rig.visit(&mut new, async |mut s: Session<Visit>| s.rotate()).await;
            assert_eq!(end(&rig, &old, destroys).await, (format!("{:?}", SignedOut::SignedOut), 1));
            assert_eq!(rig.seen(&new).await, "none");
            assert_eq!(end(&rig, &old, destroys).await, (format!("{:?}", SignedOut::AlreadySignedOut), 0));
        }
    }
}

#[tokio::test]
async fn r6_a_superseded_sign_out_does_not_end_the_session_of_another_identity() {
    for destroys in [true, false] {
        let rig = Rig::new();
        let (old, new) = superseded(&rig, "bob").await;
        assert_eq!(end(&rig, &old, destroys).await, (format!("{:?}", SignedOut::Superseded), 0));
        assert_eq!(rig.seen(&new).await, "bob v0 [] dark");
    }
}

#[tokio::test]
async fn r6_a_superseded_sign_out_of_a_record_without_an_identity_was_already_done() {
    for destroys in [true, false] {
        let rig = Rig::new();
        let old = rig.signed_in("ada").await;
        let mut new = old.clone();
        rig.visit(&mut new, async |mut s: Session<Visit>| s.user = None).await;
        assert_eq!(end(&rig, &old, destroys).await, (format!("{:?}", SignedOut::AlreadySignedOut), 0));
        assert_eq!(rig.seen(&new).await, "- v0 [] dark");
    }
}

#[tokio::test]
async fn r6_a_recorded_sign_out_of_a_late_request_is_done_whatever_the_status() {
    let rig = Rig::new();
    let (old, new) = superseded(&rig, "ada").await;
    let failing = async |mut s: Session<Visit>| {
        drop(s.sign_out());
        http::StatusCode::INTERNAL_SERVER_ERROR
    };
    rig.ask(&old, failing).await;
    assert_eq!(rig.seen(&new).await, "none");
}

#[tokio::test]
async fn r6_a_recorded_sign_out_that_finds_another_user_is_a_409() {
    let rig = Rig::new();
    let (old, new) = superseded(&rig, "bob").await;
    let answer = rig.ask(&old, async |mut s: Session<Visit>| drop(s.sign_out())).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
    assert_eq!(rig.seen(&new).await, "bob v0 [] dark");
}

#[tokio::test]
async fn r6_a_sign_out_is_not_lost_to_a_simultaneous_step_up() {
    for destroys in [true, false] {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let mut logout = rig.start(browser.request(http::Method::GET, "/"), async move |mut s: Session<Visit>| {
            let _ = wait.await;
            match destroys {
                true => format!("{:?}", s.destroy().await.unwrap()),
                false => format!("{:?}", s.sign_out().await.unwrap()),
            }
        });
        assert!(crate::support::poll_once(&mut logout).is_pending());
        let mut stepped_up = browser.clone();
        rig.visit(&mut stepped_up, async |mut s: Session<Visit>| s.sign_in("ada".to_owned())).await;
        go.send(()).unwrap();
        let answer = crate::support::Answer::read(logout.await.unwrap()).await;
        assert_eq!(answer.text, "SignedOut");
        assert_eq!(rig.seen(&stepped_up).await, "none");
    }
}
