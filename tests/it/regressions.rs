//! Regression tests: each checks the correct behaviour where the library once had a fault.

use std::time::Duration;

use http::{Method, StatusCode};
use http_session::clock::ManualClock;
use http_session::error::{SaveError, StoreErrorKind};
use http_session::record::Change;
use http_session::store::EnumerateSessions as _;
use http_session::{
    Cookie, MemoryStore, Secret, Session, SessionConfig, SessionStore as _, config::Transport,
    config::express::SaveUninitialized, cookie_name,
};
use tower::{Layer as _, ServiceExt as _};

use crate::support::{Answer, Browser, Call, Fault, Oops, Request, Rig, Visit, minutes, poll_once, settle, through};

// R8
#[tokio::test]
async fn r8_express_rotate_does_not_resurrect_a_session_that_was_signed_out() {
    let store = MemoryStore::new();
    let sessions = SessionConfig::express()
        .secret(Secret::random())
        .store(store.clone())
        .save_uninitialized(SaveUninitialized::Never)
        .build();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().sign_in("ada".to_owned());
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = Session::<Visit>::extract(r.extensions()).await.unwrap();
        // Meanwhile, the user signs out in another tab.
        through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
            Session::<Visit>::extract(r.extensions()).await.unwrap().destroy().await.unwrap();
        })
        .await;
        session.rotate();
    })
    .await;
    assert_eq!(store.len().await.unwrap(), 0, "a session signed in as ada is back");
    assert!(answer.set_cookies().is_empty());
}

// R10
#[tokio::test]
async fn r10_a_save_whose_answer_was_lost_is_not_repeated() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    let store = rig.store.inner.clone();
    rig.ask(&browser, async move |mut s: Session<Visit>| {
        s.hits += 1;
        store.fail(Call::Update, Fault::LostAnswer);
        assert!(s.save().await.is_err());
        store.heal();
    })
    .await;
    assert_eq!(rig.only_record().await.fields.find("hits"), Some(b"1".as_slice()));
}

// R9
#[tokio::test]
async fn r9_two_concurrent_saves_write_a_change_once() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    let work = async |r: Request| {
        let mut first = Session::<Visit>::extract(r.extensions()).await.unwrap();
        let mut second = Session::<Visit>::extract(r.extensions()).await.unwrap();
        first.hits += 1;
        let _ = tokio::join!(first.save(), second.save());
    };
    through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
    assert_eq!(rig.only_record().await.fields.find("hits"), Some(b"1".as_slice()));
}

// R9, R11
#[tokio::test]
async fn r9_r11_a_save_that_the_handler_dropped_is_written_once() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    rig.ask(&browser, async |mut s: Session<Visit>| {
        s.hits += 1;
        let mut save = Box::pin(s.save());
        assert!(poll_once(&mut save).is_pending());
    })
    .await;
    settle().await;
    assert_eq!(rig.only_record().await.fields.find("hits"), Some(b"1".as_slice()));
}

#[tokio::test]
async fn no_store_time_limit_is_too_long() {
    let rig = Rig::with(true, |b| b.store_time_limit(Duration::MAX).build());
    let browser = rig.anonymous().await;
    let answer = rig.ask(&browser, async |mut s: Session<Visit>| s.views += 1).await;
    assert_eq!(answer.status, StatusCode::OK);
}

// R14
#[tokio::test]
async fn r14_a_session_that_never_came_back_lives_ten_minutes_however_often_it_is_saved() {
    let rig = Rig::new();
    rig.ask(&Browser::default(), async |mut s: Session<Visit>| {
        s.views = 1;
        s.save().await.unwrap();
        s.views = 2;
    })
    .await;
    assert!(rig.only_record().await.expires_in <= minutes(10), "{:?}", rig.only_record().await.expires_in);
}

fn auto(clock: &ManualClock) -> (MemoryStore, SessionConfig<MemoryStore>) {
    let store = MemoryStore::new().clock(clock.clone());
    let sessions = SessionConfig::builder()
        .secret(Secret::random())
        .store(store.clone())
        .clock(clock.clone())
        .cookie(Cookie::plain(cookie_name!("sid")).secure_auto())
        .cookie_for(|_, cookie| cookie.priority = Some(http_session::config::Priority::High))
        .build();
    (store, sessions)
}

fn https(mut request: Request) -> Request {
    request.extensions_mut().insert(Transport::Secure);
    request
}

// R19
#[tokio::test]
async fn r19_a_regenerated_session_keeps_secure_and_its_cookie_rules() {
    let (store, sessions) = auto(&ManualClock::new());
    let answer = through(&sessions, https(Browser::default().request(Method::GET, "/")), async |r: Request| {
        let mut session = Session::<Visit>::extract(r.extensions()).await.unwrap();
        session.regenerate();
        session.sign_in("ada".to_owned());
    })
    .await;
    let id = store.ids(None, 9).await.unwrap().ids.remove(0);
    let record = store.load(&id).await.unwrap().unwrap();
    assert!(record.cookie.is_some(), "Secure and Priority are stored");
    assert!(answer.set_cookies()[0].contains("Priority=High"), "{:?}", answer.set_cookies());
}

// R19
#[tokio::test]
async fn r19_auto_never_turns_secure_off_after_discard() {
    let (_, sessions) = auto(&ManualClock::new());
    let mut browser = Browser::default();
    let answer = through(&sessions, https(browser.request(Method::GET, "/")), async |r: Request| {
        let mut session = Session::<Visit>::extract(r.extensions()).await.unwrap();
        session.discard();
        session.views = 1;
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().rotate();
    })
    .await;
    assert!(answer.set_cookies()[0].contains("Secure"), "{:?}", answer.set_cookies());
}

// R11
#[tokio::test]
async fn r11_reload_and_discard_do_not_take_back_a_sign_out() {
    for reload in [true, false] {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let work = async move |r: Request| {
            let mut guard = Session::<Visit>::extract(r.extensions()).await.unwrap();
            drop(guard.sign_out());
            let mut session = Session::<Visit>::extract(r.extensions()).await.unwrap();
            if reload {
                session.reload().await.unwrap();
            } else {
                session.discard();
            }
        };
        through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
        assert_eq!(rig.only_record().await.identity, None, "still signed in; reload: {reload}");
    }
}

// R11
#[tokio::test]
async fn r11_after_destroy_nobody_is_signed_in_for_the_rest_of_the_request() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let work = async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().destroy().await.unwrap();
        if let Ok(session) = Session::<Visit>::extract(r.extensions()).await {
            assert_eq!(session.user, None);
        }
    };
    through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
}

// R12
#[tokio::test]
async fn r12_a_sign_in_after_destroy_is_either_committed_or_refused() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let work = async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().destroy().await.unwrap();
        if let Ok(mut session) = Session::<Visit>::extract(r.extensions()).await {
            session.sign_in("bob".to_owned());
        }
    };
    let answer = through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
    assert!(answer.status != StatusCode::OK || rig.ids().await.len() == 1, "200, and nobody is signed in");
}

// R6, R12
#[tokio::test]
async fn r6_r12_a_late_request_may_sign_out_and_in() {
    let rig = Rig::new();
    let old = rig.signed_in("ada").await;
    let mut new = old.clone();
    rig.visit(&mut new, async |mut s: Session<Visit>| s.rotate()).await;
    let answer = rig
        .ask(&old, async |mut s: Session<Visit>| {
            s.sign_out().await.unwrap();
            s.sign_in("bob".to_owned());
        })
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let cookies = answer.set_cookies();
    assert!(cookies.len() == 1 && !cookies[0].contains("Max-Age=0"), "200, but the sign-in is lost: {cookies:?}");
}

// R6, R11
#[tokio::test]
async fn r6_r11_a_regenerate_that_signs_out_is_not_lost_to_a_concurrent_rotation() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let mut other = browser.clone();
    let work = async |r: Request| {
        let mut session = Session::<Visit>::extract(r.extensions()).await.unwrap();
        let answer = through(&rig.sessions, browser.request(Method::GET, "/"), async |r: Request| {
            Session::<Visit>::extract(r.extensions()).await.unwrap().rotate();
        })
        .await;
        *JAR.lock().unwrap() = Some(answer);
        session.regenerate();
    };
    static JAR: std::sync::Mutex<Option<Answer>> = std::sync::Mutex::new(None);
    let answer = through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
    other.keep(&JAR.lock().unwrap().take().unwrap());
    assert!(answer.status != StatusCode::OK || rig.seen(&other).await == "none", "{}", rig.seen(&other).await);
}

// R14
#[tokio::test]
async fn r14_take_respects_the_record_limit() {
    let rig = Rig::with(true, |b| b.record_limit(1000).build());
    let browser = rig.anonymous().await;
    let answer = rig
        .ask(&browser, async |mut s: Session<Visit>| {
            format!("{:?}", s.take(|visit| visit.notice = Some("x".repeat(5000))).await)
        })
        .await;
    assert_eq!(answer.text, "Err(TooLarge)");
}

// R11
#[tokio::test]
async fn r11_a_sign_out_is_done_even_if_the_rest_is_too_large_or_conflicts() {
    let rig = Rig::with(true, |b| b.record_limit(1000).build());
    let browser = rig.signed_in("ada").await;
    let answer = rig
        .ask(&browser, async |mut s: Session<Visit>| {
            drop(s.sign_out());
            s.notice = Some("x".repeat(5000));
        })
        .await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(rig.only_record().await.identity, None, "still signed in");
}

// R4
#[tokio::test]
async fn r4_after_an_identity_was_assigned_no_data_of_the_former_user_is_read() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.notice = Some("ada's secret".to_owned())).await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| {
        s.user = Some("bob".to_owned());
        let seen = (s.views, s.notice.clone());
        s.views = seen.0 + 1;
        s.state = seen.1;
    })
    .await;
    let record = rig.only_record().await;
    let text = |name| record.fields.find(name).map(|raw| String::from_utf8_lossy(raw).into_owned());
    assert_eq!((text("views").as_deref(), text("state")), (Some("1"), None), "ada's data is in bob's session");
}

// R7, guide 8
#[tokio::test]
async fn r7_remember_me_reaches_the_browser_even_after_a_save() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let answer = rig
        .ask(&browser, async |mut s: Session<Visit>| {
            s.cookie_mut().max_age = Some(minutes(60 * 24 * 14));
            s.save().await.unwrap();
        })
        .await;
    assert_eq!(answer.set_cookies().len(), 1, "the browser gets no new cookie");
}

// R26
#[test]
fn debug_of_a_change_shows_no_value() {
    fn takes(change: Change<'_>) -> String {
        format!("{change:?}")
    }
    static FIELD: http_session::record::Field = http_session::record::Field::new("card");
    let mut patch = http_session::record::Patch::default();
    patch.write(&FIELD);
    patch.result = [("card", http_session::record::Keep::No, b"4242".as_slice())].into_iter().collect();
    let shown = takes(patch.changes().next().unwrap());
    assert!(!shown.contains("52, 50"), "{shown}");
}

// R11
#[tokio::test]
async fn r11_a_failed_regenerate_leaves_the_browser_able_to_sign_out_again() {
    let rig = Rig::with(false, |b| b.build());
    let mut browser = rig.signed_in("ada").await;
    let stolen = browser.clone();
    let store = rig.store.inner.clone();
    let answer = rig
        .visit(&mut browser, async move |mut s: Session<Visit>| {
            s.regenerate();
            store.fail(Call::Destroy, Fault::Error(StoreErrorKind::Unavailable));
        })
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    rig.store.inner.heal();
    rig.visit(&mut browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
    assert_eq!(rig.seen(&stolen).await, "none", "the user tried to sign out twice");
}

// R7
#[tokio::test]
async fn r7_an_express_rotation_does_not_move_the_absolute_end() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    let sessions = SessionConfig::express()
        .secret(Secret::random())
        .store(store.clone())
        .clock(clock.clone())
        .absolute(minutes(60))
        .build();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().sign_in("ada".to_owned());
    })
    .await;
    browser.keep(&answer);
    clock.advance(minutes(50));
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().rotate();
    })
    .await;
    browser.keep(&answer);
    clock.advance(minutes(50));
    assert_eq!(store.len().await.unwrap(), 0, "100 minutes after the sign-in");
}

// R13
#[tokio::test]
async fn r13_a_dropped_take_does_not_become_an_ordinary_change() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    let store = rig.store.inner.clone();
    rig.ask(&browser, async move |mut s: Session<Visit>| {
        store.fail(Call::Update, Fault::Error(StoreErrorKind::Refused));
        let mut take = Box::pin(s.take(|visit| visit.theme = "taken".to_owned()));
        assert!(poll_once(&mut take).is_pending());
        drop(take);
        settle().await;
        store.heal();
        s.views += 1;
    })
    .await;
    assert_eq!(
        rig.only_record().await.fields.find("theme"),
        Some(b"\"dark\"".as_slice()),
        "the take was refused, but its change was written"
    );
}

#[tokio::test]
async fn expires_in_of_a_saved_new_session_is_the_time_in_the_store() {
    let rig = Rig::new();
    let answer = rig
        .ask(&Browser::default(), async |mut s: Session<Visit>| {
            s.views = 1;
            s.save().await.unwrap();
            s.expires_in().unwrap().as_secs().to_string()
        })
        .await;
    assert_eq!(answer.text, "600");
}

// R12
#[tokio::test]
async fn r12_express_stores_nothing_for_an_inner_error_whose_cookie_cannot_travel() {
    let store = MemoryStore::new();
    let sessions = SessionConfig::express().secret(Secret::random()).store(store.clone()).build();
    let service = tower::service_fn(async |_: Request| Err::<http::Response<String>, _>(Oops));
    let request = Browser::default().request(Method::GET, "/");
    assert!(sessions.layer().layer(service).oneshot(request).await.is_err());
    assert_eq!(store.len().await.unwrap(), 0, "a record was stored although its cookie was never sent");
}

// R11
#[tokio::test]
async fn r11_a_recorded_sign_out_survives_a_panic_before_the_handlers_future() {
    use http_session::error::SessionRejection;
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    fn handler(_: Request, s: Session<Visit>) -> std::future::Ready<Result<http::Response<String>, SessionRejection>> {
        drop(s.destroy());
        panic!("before there is a future")
    }
    let service = rig.sessions.service(handler);
    let request = browser.request(Method::GET, "/");
    let panicked = tokio::spawn(async move { hyper::service::Service::call(&service, request).await }).await;
    assert!(panicked.is_err());
    settle().await;
    assert_eq!(rig.ids().await.len(), 0);
}

// R5: there is nothing to keep, so nothing is stored.
#[tokio::test]
async fn r5_a_sign_in_that_is_undone_stores_nothing() {
    let rig = Rig::new();
    let answer = rig
        .ask(&Browser::default(), async |mut s: Session<Visit>| {
            s.sign_in("ada".to_owned());
            s.sign_out().await.unwrap();
        })
        .await;
    assert!(rig.ids().await.is_empty() && answer.set_cookies().is_empty(), "{:?}", answer.set_cookies());
}

// R11
#[tokio::test]
async fn r11_a_failed_request_that_undid_its_sign_in_keeps_the_visitors_fields() {
    let rig = Rig::new();
    let mut browser = rig.anonymous().await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| {
        s.user = Some("ada".to_owned());
        s.user = None;
        StatusCode::INTERNAL_SERVER_ERROR
    })
    .await;
    assert_eq!(rig.seen(&browser).await, "- v1 [\"apple\"] dark");
}

// R14
#[tokio::test]
async fn r14_merging_does_not_exceed_the_record_limit() {
    let rig = Rig::with(true, |b| b.record_limit(1000).build());
    let browser = rig.anonymous().await;
    let work = async |r: Request| {
        let mut session = Session::<Visit>::extract(r.extensions()).await.unwrap();
        rig.ask(&browser, async |mut s: Session<Visit>| s.cart.push("x".repeat(700))).await;
        session.cart.push("y".repeat(700));
    };
    through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
    assert!(rig.only_record().await.size() <= 1000, "{}", rig.only_record().await.size());
    let answer = rig.ask(&browser, async |mut s: Session<Visit>| s.views += 1).await;
    assert_eq!(answer.status, StatusCode::OK);
}

// R11
#[tokio::test]
async fn r11_a_recorded_sign_out_is_not_undone_by_a_failed_sign_in() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.ask(&browser, async |mut s: Session<Visit>| {
        drop(s.sign_out());
        s.sign_in("bob".to_owned());
        StatusCode::INTERNAL_SERVER_ERROR
    })
    .await;
    assert_eq!(rig.only_record().await.identity, None);
}

// R12
#[tokio::test]
async fn r12_a_session_without_a_lifetime_gets_no_cookie() {
    let rig = Rig::with(true, |b| b.unconfirmed(Duration::ZERO).build());
    let answer = rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.views += 1).await;
    assert_eq!(answer.set_cookies().len(), rig.ids().await.len(), "a cookie without a record");
}

// R12, guide from_express
#[tokio::test]
async fn r12_express_saves_no_record_whose_cookie_cannot_be_sent() {
    let store = MemoryStore::new();
    let sessions = SessionConfig::express()
        .secret(Secret::random())
        .store(store.clone())
        .cookie(Cookie::plain(cookie_name!("sid")))
        .build();
    let answer = through(&sessions, Browser::default().request(Method::GET, "/"), async |r: Request| {
        let mut session = Session::<Visit>::extract(r.extensions()).await.unwrap();
        session.views = 1;
        let _ = session.save().await;
    })
    .await;
    assert_eq!(answer.set_cookies().len(), store.len().await.unwrap());
}

// A handle's drop may panic.
#[tokio::test]
async fn a_panic_while_a_handle_is_dropped_leaves_no_handle_behind() {
    #[derive(Debug, PartialEq, Default, Clone)]
    struct Bomb(bool);
    impl serde::Serialize for Bomb {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            assert!(!self.0, "boom");
            to.serialize_bool(self.0)
        }
    }
    impl<'d> serde::Deserialize<'d> for Bomb {
        fn deserialize<D: serde::Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
            bool::deserialize(from).map(Self)
        }
    }
    #[derive(Session)]
    struct Explosive {
        bomb: Bomb,
    }
    let rig = Rig::new();
    let events = crate::support::Events::capture();
    through(&rig.sessions, Browser::default().request(Method::GET, "/"), async |r: Request| {
        let mut session = Session::<Explosive>::extract(r.extensions()).await.unwrap();
        session.bomb = Bomb(true);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(session))).is_err());
    })
    .await;
    assert!(!events.has("session.handle.alive"));
}

// R12
#[tokio::test]
async fn r12_two_concurrent_saves_of_a_new_session_insert_one_record() {
    let rig = Rig::with(false, |b| b.build());
    let work = async |r: Request| {
        let mut first = Session::<Visit>::extract(r.extensions()).await.unwrap();
        let mut second = Session::<Visit>::extract(r.extensions()).await.unwrap();
        first.views = 1;
        let _ = tokio::join!(first.save(), second.save());
    };
    through(&rig.sessions, Browser::default().request(Method::GET, "/"), work).await;
    assert_eq!(rig.ids().await.len(), 1, "a record is left without a cookie");
}

// R12
#[tokio::test]
async fn r12_a_first_save_that_was_dropped_leaves_no_record_without_a_cookie() {
    let rig = Rig::with(false, |b| b.build());
    rig.ask(&Browser::default(), async |mut s: Session<Visit>| {
        s.views = 1;
        let mut save = Box::pin(s.save());
        assert!(poll_once(&mut save).is_pending());
    })
    .await;
    settle().await;
    assert_eq!(rig.ids().await.len(), 1, "a record is left without a cookie");
}

// express sends no removal cookie, so the browser still sends the id of the destroyed session.
#[tokio::test]
async fn express_a_new_session_begins_right_after_a_logout() {
    let store = MemoryStore::new();
    let sessions = SessionConfig::express().secret(Secret::random()).store(store.clone()).build();
    let mut browser = Browser::default();
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().sign_in("ada".to_owned());
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().destroy().await.unwrap();
    })
    .await;
    browser.keep(&answer);
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        Session::<Visit>::extract(r.extensions()).await.unwrap().notice = Some("a token for the login form".to_owned());
    })
    .await;
    assert_eq!(answer.set_cookies().len(), 1, "the token is lost, without an error");
}

// The derive's documentation: a skipped field lives as long as the handle.
#[tokio::test]
async fn a_skipped_field_lives_as_long_as_the_handle() {
    #[derive(Session)]
    struct Cached {
        views: u64,
        #[session(skip)]
        cache: Option<String>,
    }
    let rig = Rig::new();
    through(&rig.sessions, Browser::default().request(Method::GET, "/"), async |r: Request| {
        let mut session = Session::<Cached>::extract(r.extensions()).await.unwrap();
        session.cache = Some("expensive".to_owned());
        session.views += 1;
        session.save().await.unwrap();
        assert!(session.cache.is_some());
    })
    .await;
}

/// The control without a fault.
#[tokio::test]
async fn control_two_requests_count_two() {
    let rig = Rig::new();
    let browser = rig.anonymous().await;
    for _ in 0..2 {
        rig.ask(&browser, async |mut s: Session<Visit>| s.hits += 1).await;
    }
    assert_eq!(rig.only_record().await.fields.find("hits"), Some(b"2".as_slice()));
}

// R4
#[tokio::test]
async fn r4_a_take_under_way_does_not_reach_the_session_of_the_next_user() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.signed_in("ada").await;
    let work = async |r: Request| {
        let mut first = Session::<Visit>::extract(r.extensions()).await.unwrap();
        let mut second = Session::<Visit>::extract(r.extensions()).await.unwrap();
        let switch = async {
            second.regenerate();
            second.sign_in("bob".to_owned());
        };
        let _ = tokio::join!(first.take(|visit| visit.notice = Some("for ada".to_owned())), switch);
    };
    through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
    let record = rig.only_record().await;
    assert!(record.identity.is_some());
    assert_eq!(record.fields.find("notice"), None, "computed for ada, stored for bob");
}

// R12
#[tokio::test]
async fn r12_a_reload_under_way_does_not_drop_a_sign_in() {
    let rig = Rig::with(false, |b| b.build());
    let browser = rig.anonymous().await;
    let work = async |r: Request| {
        let mut first = Session::<Visit>::extract(r.extensions()).await.unwrap();
        let mut second = Session::<Visit>::extract(r.extensions()).await.unwrap();
        let _ = tokio::join!(first.reload(), async { second.sign_in("bob".to_owned()) });
    };
    let answer = through(&rig.sessions, browser.request(Method::GET, "/"), work).await;
    assert!(answer.status != StatusCode::OK || rig.only_record().await.identity.is_some());
}

// R9: a dropped save has already handed its changes over, and the handler's later work must not do so again.
#[tokio::test]
async fn r9_changes_written_by_a_dropped_save_are_not_added_twice() {
    for reload in [false, true] {
        let rig = Rig::with(false, |b| b.build());
        let browser = rig.anonymous().await;
        rig.ask(&browser, async move |mut s: Session<Visit>| {
            s.hits += 1;
            s.cart.push("pear".to_owned());
            if reload {
                assert!(poll_once(&mut Box::pin(s.reload())).is_pending());
            } else {
                assert!(poll_once(&mut Box::pin(s.save())).is_pending());
            }
            s.views += 1;
        })
        .await;
        settle().await;
        let fields = rig.only_record().await.fields;
        let cart = [br#"["apple","pear"]"#.as_slice(), br#"["apple"]"#];
        // A reload drops earlier changes, unless it fails.
        assert_eq!(fields.find("hits"), (!reload).then_some(b"1".as_slice()), "reload: {reload}");
        assert_eq!(fields.find("cart"), Some(cart[usize::from(reload)]), "reload: {reload}");
    }
}

// R4, R5: other requests must not write over the cleared fields what they loaded earlier, so the epoch has to change.
#[tokio::test]
async fn r5_fields_cleared_by_a_sign_in_and_a_sign_out_are_not_saved_in_the_same_epoch() {
    let rig = Rig::new();
    let browser = rig.anonymous().await;
    let epoch = rig.only_record().await.epoch;
    rig.ask(&browser, async |mut s: Session<Visit>| {
        s.sign_in("ada".to_owned());
        drop(s.sign_out());
        assert!(matches!(s.save().await, Err(SaveError::IdentityPending)));
    })
    .await;
    let record = rig.only_record().await;
    assert_eq!((record.epoch, record.fields.find("views")), (epoch.next(), None));
}
