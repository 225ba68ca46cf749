//! Several handles and awaited calls in one request: dropped, joined, and in different orders.

use http::{Method, StatusCode};
use http_session::SignedOut;
use http_session::error::StoreErrorKind;
use http_session::store::EnumerateSessions as _;
use http_session::{
    MemoryStore, Secret, Session, SessionConfig, SessionStore as _, config::express::SaveUninitialized,
};

use crate::support::{
    Browser, Call, Fault, Faulty, Recording, Request, Rig, Visit, minutes, poll_once, seconds, settle, through,
};

async fn visit(request: &Request) -> Session<Visit> {
    Session::extract(request.extensions()).await.unwrap()
}

fn express() -> (MemoryStore, SessionConfig<Recording<Faulty<MemoryStore>>>) {
    let inner = MemoryStore::new();
    let store = Recording { is_instant: false, ..Recording::new(Faulty::new(inner.clone())) };
    let sessions = SessionConfig::express()
        .secret(Secret::random())
        .store(store)
        .save_uninitialized(SaveUninitialized::Never)
        .build();
    (inner, sessions)
}

// R12: a save that completes after the session was ended must not mark the next session as stored.
#[tokio::test]
async fn r12_a_sign_in_after_destroy_is_not_lost_to_a_save_under_way() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    let answer = through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let (mut first, second) = (visit(&r).await, visit(&r).await);
        first.views += 1;
        let mut save = Box::pin(first.save());
        assert!(poll_once(&mut save).is_pending());
        drop(second.destroy());
        visit(&r).await.sign_in("bob".to_owned());
        let _ = save.await;
    })
    .await;
    let identities: Vec<_> = rig.ids().await;
    assert!(
        answer.status != StatusCode::OK || (identities.len() == 1 && rig.only_record().await.identity.is_some()),
        "200, and bob is not signed in: {:?}",
        answer.set_cookies()
    );
}

// R4, R17: a conflict that a gate receives after the session was ended must not fill the next session with the former
// user's record.
#[tokio::test]
async fn r4_r17_a_late_conflict_does_not_fill_the_next_session_with_the_former_record() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let (mut first, second) = (visit(&r).await, visit(&r).await);
        rig.ask(&browser, async |mut s: Session<Visit>| s.notice = Some("ada's secret".to_owned())).await;
        let mut take = Box::pin(first.take(|v| v.notice = Some("mine".to_owned())));
        assert!(poll_once(&mut take).is_pending());
        drop(second.destroy());
        visit(&r).await.views = 7;
        assert!(take.await.is_err());
    })
    .await;
    for id in rig.ids().await {
        let record = rig.store.load(&id).await.unwrap().unwrap();
        assert_eq!(
            record.fields.find("notice"),
            None,
            "ada's notice outlived destroy; identity {:?}",
            record.identity.is_some()
        );
    }
}

// R11, R12
#[tokio::test]
async fn r11_r12_express_a_dropped_sign_out_does_not_undo_the_sign_in_after_it() {
    let (store, sessions) = express();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        visit(&r).await.sign_in("ada".to_owned());
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = visit(&r).await;
        let mut out = Box::pin(session.sign_out());
        assert!(poll_once(&mut out).is_pending());
        drop(out);
        session.sign_in("bob".to_owned());
    })
    .await;
    let records = store.len().await.unwrap();
    assert!(
        answer.status != StatusCode::OK || records == 1,
        "200, and bob is not signed in: {:?}",
        answer.set_cookies()
    );
}

// R12, native: the record was signed out elsewhere.
#[tokio::test]
async fn r12_a_dropped_sign_out_does_not_undo_the_sign_in_after_it() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    let answer = through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = visit(&r).await;
        rig.ask(&browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
        let mut out = Box::pin(session.sign_out());
        assert!(poll_once(&mut out).is_pending());
        drop(out);
        session.sign_in("bob".to_owned());
    })
    .await;
    assert!(
        answer.status != StatusCode::OK || answer.set_cookies().iter().any(|c| !c.contains("Max-Age=0")),
        "200, and bob is not signed in: {:?}",
        answer.set_cookies()
    );
}

async fn superseded(rig: &Rig) -> (Browser, Browser) {
    let old = rig.signed_in("ada").await;
    let mut new = old.clone();
    rig.visit(&mut new, async |mut s: Session<Visit>| s.rotate()).await;
    rig.clock.advance(seconds(120));
    (old, new)
}

// R6: the superseded cookie still counts after the request saved another session.
#[tokio::test]
async fn r6_a_superseded_cookie_signs_out_its_own_session_after_a_save() {
    let rig = Rig::new();
    let (old, new) = superseded(&rig).await;
    let answer = rig
        .ask(&old, async |mut s: Session<Visit>| {
            s.views = 3;
            s.save().await.unwrap();
            format!("{:?}", s.sign_out().await.unwrap())
        })
        .await;
    assert_eq!((rig.seen(&new).await.as_str(), answer.text.as_str()), ("none", "SignedOut"));
}

// R6: nobody is locked out if the response of a login was lost.
#[tokio::test]
async fn r6_a_login_whose_response_was_lost_is_not_locked_out_by_a_recorded_sign_out() {
    for wait in [0, 120] {
        let rig = Rig::new();
        let browser = rig.anonymous().await;
        rig.ask(&browser, async |mut s: Session<Visit>| s.sign_in("ada".to_owned())).await;
        rig.clock.advance(seconds(wait));
        let answer = rig
            .ask(&browser, async |mut s: Session<Visit>| {
                drop(s.sign_out());
                s.sign_in("ada".to_owned());
            })
            .await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "a request after {wait} s fails, and so does each later request with this cookie"
        );
    }
}

// R9: the last assignment wins.
#[tokio::test]
async fn r9_a_change_that_is_reverted_during_a_save_stays_reverted() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut first = visit(&r).await;
        assert_eq!(first.views, 1);
        first.views = 2;
        let mut save = Box::pin(first.save());
        assert!(poll_once(&mut save).is_pending());
        visit(&r).await.views = 1;
        save.await.unwrap();
    })
    .await;
    assert_eq!(rig.only_record().await.fields.find("views"), Some(b"1".as_slice()));
}

// R11: a requested sign-out must not be overwritten.
#[tokio::test]
async fn r11_a_recorded_destroy_is_not_replaced_by_the_destroy_of_a_session_being_saved() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        drop(visit(&r).await.destroy());
        let mut next = visit(&r).await;
        next.views = 1;
        let mut save = Box::pin(next.save());
        assert!(poll_once(&mut save).is_pending());
        drop(visit(&r).await.destroy());
        let _ = save.await;
    })
    .await;
    assert_eq!(rig.seen(&browser).await, "none", "ada asked to be signed out");
}

// R12
#[tokio::test]
async fn r12_a_second_destroy_in_one_request_ends_the_second_session() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        visit(&r).await.destroy().await.unwrap();
        let mut next = visit(&r).await;
        next.views = 1;
        next.save().await.unwrap();
        next.destroy().await.unwrap();
    })
    .await;
    assert_eq!(rig.ids().await.len(), 0, "a record is left without a cookie");
}

// R11
#[tokio::test]
async fn r11_remember_me_is_kept_if_a_sign_in_gets_a_new_record() {
    let rig = Rig::new();
    let browser = rig.anonymous().await;
    let answer = through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = visit(&r).await;
        session.sign_in("ada".to_owned());
        session.cookie_mut().max_age = Some(minutes(60));
        rig.ask(&browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
    })
    .await;
    assert!(answer.set_cookies()[0].contains("Max-Age=3600"), "{:?}", answer.set_cookies());
}

// R12: the cookie of a stored verifier is sent even if the response is replaced.
#[tokio::test]
async fn r12_a_failed_replacement_still_sends_the_verifier_that_an_awaited_call_stored() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let store = rig.store.inner.clone();
    let answer = rig
        .visit(&mut browser, async move |mut s: Session<Visit>| {
            assert_eq!(s.sign_out().await.unwrap(), SignedOut::SignedOut);
            s.regenerate();
            store.fail(Call::Destroy, Fault::Error(StoreErrorKind::Unavailable));
        })
        .await;
    rig.store.inner.heal();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.set_cookies().len(), 1, "the browser's cookie no longer works");
}

// Two calls of one task: the second waits for the first, which nobody polls.
#[tokio::test(start_paused = true)]
async fn a_call_does_not_wait_for_ever_for_a_call_that_nobody_polls() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let (mut first, mut second) = (visit(&r).await, visit(&r).await);
        first.views = 2;
        let mut save = Box::pin(first.save());
        assert!(poll_once(&mut save).is_pending());
        assert!(tokio::time::timeout(minutes(10), second.save()).await.is_ok(), "hangs");
    })
    .await;
    settle().await;
}

// R8, R11: the new session has only the fields that this request wrote.
#[tokio::test]
async fn r8_r11_express_a_sign_in_does_not_bring_back_what_was_destroyed() {
    let (store, sessions) = express();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        visit(&r).await.theme = "destroyed".to_owned();
    })
    .await;
    browser.keep(&answer);
    through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = visit(&r).await;
        through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
            visit(&r).await.destroy().await.unwrap();
        })
        .await;
        session.sign_in("ada".to_owned());
    })
    .await;
    for id in store.ids(None, 9).await.unwrap().ids {
        assert_eq!(store.load(&id).await.unwrap().unwrap().fields.find("theme"), None);
    }
}

// R5: a sign-out keeps marked fields.
#[tokio::test]
async fn r5_express_a_sign_out_keeps_what_is_marked_beside_a_required_field() {
    #[derive(Session)]
    struct Strict {
        #[session(identity)]
        user: Option<String>,
        #[session(keep)]
        theme: String,
        #[session(required)]
        version: u8,
    }
    let (store, sessions) = express();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = Session::<Strict>::extract(r.extensions()).await.unwrap();
        session.sign_in("ada".to_owned());
        session.theme = "dark".to_owned();
        session.version = 2;
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = Session::<Strict>::extract(r.extensions()).await.unwrap();
        session.sign_out().await.unwrap();
    })
    .await;
    assert_eq!((store.len().await.unwrap(), answer.set_cookies().len()), (1, 1), "the theme is gone");
}

// R7: the cookie is sent only with a new verifier or new attributes.
#[tokio::test]
async fn r7_a_discarded_change_of_the_cookie_sends_no_cookie() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let answer = rig
        .ask(&browser, async |mut s: Session<Visit>| {
            s.cookie_mut().max_age = Some(minutes(60));
            s.discard();
        })
        .await;
    assert!(answer.set_cookies().is_empty(), "{:?}", answer.set_cookies());
}

// R13: this also holds for a session that is not stored yet.
#[tokio::test]
async fn r13_a_failed_take_does_not_become_an_ordinary_change_of_a_new_session() {
    let rig = Rig::new();
    let store = rig.store.inner.clone();
    rig.ask(&Browser::default(), async move |mut s: Session<Visit>| {
        store.fail(Call::Insert, Fault::Error(StoreErrorKind::Refused));
        assert!(s.take(|v| v.theme = "taken".to_owned()).await.is_err());
        store.heal();
        s.views = 1;
    })
    .await;
    assert_eq!(rig.only_record().await.fields.find("theme"), None, "the take was refused, but its change was written");
}

// R11: this holds with and without a read in between.
#[tokio::test]
async fn r11_an_assigned_sign_out_is_not_taken_back_by_discard_or_regenerate() {
    for (read, regenerate) in [(true, false), (true, true), (false, false), (false, true)] {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        rig.ask(&browser, async move |mut s: Session<Visit>| {
            s.user = None;
            if read {
                assert_eq!(s.views, 0);
            }
            if regenerate {
                s.regenerate()
            } else {
                s.discard()
            }
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
        assert!(!rig.seen(&browser).await.starts_with("ada"), "read: {read}, regenerate: {regenerate}");
    }
}

// R6: after the late window, a superseded cookie is treated exactly like no session.
#[tokio::test]
async fn r6_a_sign_out_with_a_superseded_cookie_keeps_as_much_as_without_a_session() {
    for stale in [false, true] {
        let rig = Rig::new();
        let (old, _) = superseded(&rig).await;
        let browser = if stale { old } else { Browser::default() };
        let answer = rig
            .ask(&browser, async |mut s: Session<Visit>| {
                s.theme = "light".to_owned();
                drop(s.sign_out());
            })
            .await;
        let kept = answer.set_cookies().iter().any(|cookie| !cookie.contains("Max-Age=0"));
        assert!(kept, "a sign-out keeps the theme, but it is lost; stale: {stale}");
    }
}

// R9, R27
#[tokio::test]
async fn r9_r27_express_a_rotation_does_not_lose_what_another_request_wrote() {
    let (_, sessions) = express();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        visit(&r).await.sign_in("ada".to_owned());
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = visit(&r).await;
        through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
            visit(&r).await.cart.push("pear".to_owned());
        })
        .await;
        session.rotate();
    })
    .await;
    browser.keep(&answer);
    let request = browser.request(Method::GET, "/");
    through(&sessions, request, async |r: Request| assert_eq!(visit(&r).await.cart, ["pear"])).await;
}

// R10
#[tokio::test]
async fn r10_a_first_save_whose_answer_was_lost_is_not_repeated() {
    let rig = Rig::with(false, |b| b.build());
    let store = rig.store.inner.clone();
    rig.ask(&Browser::default(), async move |mut s: Session<Visit>| {
        s.views = 1;
        store.fail(Call::Insert, Fault::LostAnswer);
        store.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
        assert!(s.save().await.is_err());
        store.heal();
    })
    .await;
    assert_eq!(rig.ids().await.len(), 1, "inserted twice");
}

// The control for the same test with a required field.
#[tokio::test]
async fn control_express_a_sign_out_keeps_what_is_marked() {
    let (store, sessions) = express();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = visit(&r).await;
        session.sign_in("ada".to_owned());
        session.theme = "dark".to_owned();
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        visit(&r).await.sign_out().await.unwrap();
    })
    .await;
    assert_eq!((store.len().await.unwrap(), answer.set_cookies().len()), (1, 1));
}

// R4: a detached session must not show a record that its handle no longer shows.
#[tokio::test]
async fn r4_a_detached_session_does_not_show_the_former_users_record() {
    for way in ["sign_in", "sign_out", "regenerate"] {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let answer = rig
            .ask(&browser, async move |mut s: Session<Visit>| {
                match way {
                    "sign_in" => s.sign_in("bob".to_owned()),
                    "sign_out" => drop(s.sign_out()),
                    _ => s.regenerate(),
                }
                s.detach().map_or_else(|| "none".to_owned(), |d| format!("{:?} v{}", d.user, d.views))
            })
            .await;
        assert_eq!(answer.text, "none", "after {way}");
    }
}

// R18: the future of `destroy` may outlive its handler, and the response must not wait for it.
#[tokio::test(start_paused = true)]
async fn r18_a_response_does_not_wait_for_ever_for_a_call_that_nobody_polls() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    let mut kept = None;
    let visit = through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut destroy = Box::pin(visit(&r).await.destroy());
        assert!(poll_once(&mut destroy).is_pending());
        kept = Some(destroy);
    });
    assert!(tokio::time::timeout(minutes(10), visit).await.is_ok(), "hangs");
}

// R13: the request's own commit must not undo what a gate has stored.
#[tokio::test]
async fn r13_a_discard_during_a_take_does_not_put_the_nonce_back() {
    let rig = Rig::with(false, |b| b.build());
    let mut browser = rig.anonymous().await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.state = Some("nonce".to_owned())).await;
    through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let (mut first, mut second) = (visit(&r).await, visit(&r).await);
        let mut take = Box::pin(first.take(|v| v.state.take()));
        assert!(poll_once(&mut take).is_pending());
        second.discard();
        assert_eq!(take.await.unwrap().as_deref(), Some("nonce"));
        second.views = 9;
    })
    .await;
    let record = rig.only_record().await;
    assert_eq!(record.fields.find("views"), Some(b"9".as_slice()));
    assert!(record.fields.find("state").is_none_or(|raw| raw == b"null"), "the nonce can be used again");
}

// R9: the same holds for a save.
#[tokio::test]
async fn r9_a_discard_during_a_save_does_not_put_the_old_value_back() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let (mut first, mut second) = (visit(&r).await, visit(&r).await);
        first.theme = "light".to_owned();
        let mut save = Box::pin(first.save());
        assert!(poll_once(&mut save).is_pending());
        second.discard();
        save.await.unwrap();
        second.views = 9;
    })
    .await;
    assert_eq!(rig.only_record().await.fields.find("theme"), Some(b"\"light\"".as_slice()));
}
