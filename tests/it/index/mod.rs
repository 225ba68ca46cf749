//! R28: the index of sessions by identity.

mod failures;
mod races;

use std::time::Duration;

use http::{Method, StatusCode};
use http_session::clock::ManualClock;
use http_session::error::{SaveError, StoreErrorKind};
use http_session::store::{EnumerateSessions as _, Indexed};
use http_session::{MemoryStore, Session, SessionConfig, config::express::SaveUninitialized};

use crate::support::{Answer, Browser, Call, Events, Fault, Faulty, Request, minutes, secret, through};

#[derive(Session, Debug)]
struct Device {
    #[session(identity)]
    user: Option<String>,
    device: String,
    views: u64,
    #[session(required)]
    number: u64,
}

/// A configuration and its memory store with a manual clock.
struct Sessions {
    clock: ManualClock,
    store: MemoryStore,
    sessions: SessionConfig<Indexed<MemoryStore>>,
}

impl Sessions {
    fn native() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::new().clock(clock.clone());
        let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).indexed().clock(clock.clone());
        Self { clock, store, sessions: sessions.build() }
    }

    fn express() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::new().clock(clock.clone());
        let sessions = SessionConfig::express().secret(secret()).store(store.clone()).indexed().clock(clock.clone());
        let sessions = sessions.save_uninitialized(SaveUninitialized::Never).build();
        Self { clock, store, sessions }
    }

    async fn visit(&self, browser: &mut Browser, work: impl AsyncFnOnce(Session<Device>)) -> Answer {
        let answer = through(&self.sessions, browser.request(Method::GET, "/"), async |request: Request| {
            work(Session::extract(request.extensions()).await.unwrap()).await;
        })
        .await;
        browser.keep(&answer);
        answer
    }

    async fn sign_in(&self, user: &str, device: &str) -> Browser {
        let mut browser = Browser::default();
        let answer = self
            .visit(&mut browser, async |mut s| {
                s.sign_in(user.to_owned());
                s.device = device.to_owned();
            })
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        browser
    }

    async fn user(&self, browser: &Browser) -> Option<String> {
        let mut user = None;
        self.visit(&mut browser.clone(), async |s| user = s.user.clone()).await;
        user
    }

    async fn devices(&self, user: &str) -> Vec<String> {
        let sessions = self.sessions.sessions_of::<Device>(&user.to_owned()).await.unwrap();
        let mut devices: Vec<_> = sessions.iter().map(|session| session.device.clone()).collect();
        devices.sort();
        devices
    }
}

const BOTH: [fn() -> Sessions; 2] = [Sessions::native, Sessions::express];

#[tokio::test]
async fn r28_sessions_of_shows_devices_and_times() {
    for open in BOTH {
        let all = open();
        let phone = all.sign_in("ada", "phone").await;
        all.clock.advance(minutes(30));
        all.sign_in("ada", "laptop").await;
        all.sign_in("bob", "desktop").await;
        all.visit(&mut Browser::default(), async |mut s| s.views = 1).await;
        assert_eq!(all.devices("ada").await, ["laptop", "phone"]);
        assert_eq!(all.devices("bob").await, ["desktop"]);
        assert_eq!(all.devices("eve").await, [""; 0]);

        let sessions = all.sessions.sessions_of::<Device>(&"ada".to_owned()).await.unwrap();
        let phone_session = sessions.iter().find(|session| session.device == "phone").unwrap();
        assert_eq!(phone_session.since_sign_in(), Some(minutes(30)));
        assert_eq!(phone_session.last_access(), minutes(30));
        assert_eq!(phone_session.expires_in(), Duration::from_secs(24 * 3600) - minutes(30));
        let mut id = None;
        all.visit(&mut phone.clone(), async |s| id = s.id()).await;
        assert_eq!(Some(phone_session.id()), id.as_ref());
    }
}

// A page lists the user's devices, and each has a button that ends its session.
#[tokio::test]
async fn r28_a_single_session_can_be_ended() {
    for open in BOTH {
        let all = open();
        let (phone, laptop) = (all.sign_in("ada", "phone").await, all.sign_in("ada", "laptop").await);
        for session in all.sessions.sessions_of::<Device>(&"ada".to_owned()).await.unwrap() {
            if session.device == "phone" {
                session.destroy().await.unwrap();
            }
        }
        assert_eq!((all.user(&phone).await, all.user(&laptop).await), (None, Some("ada".to_owned())));
        assert_eq!(all.devices("ada").await, ["laptop"]);
    }
}

#[tokio::test]
async fn r28_destroy_all_of_ends_all_sessions_of_one_user_and_of_no_other() {
    for open in BOTH {
        let all = open();
        let (phone, laptop) = (all.sign_in("ada", "phone").await, all.sign_in("ada", "laptop").await);
        let bob = all.sign_in("bob", "desktop").await;
        assert_eq!(all.sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap(), 2);
        assert_eq!((all.user(&phone).await, all.user(&laptop).await), (None, None));
        assert_eq!(all.user(&bob).await.as_deref(), Some("bob"));
        assert_eq!(all.devices("ada").await, [""; 0]);
        assert_eq!(all.sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap(), 0);
        // The user signs in again and stays signed in.
        let again = all.sign_in("ada", "phone").await;
        assert_eq!(all.user(&again).await.as_deref(), Some("ada"));
    }
}

#[tokio::test]
async fn r28_a_user_may_have_more_sessions_than_fit_on_a_page() {
    let all = Sessions::native();
    for _ in 0..250 {
        all.sign_in("ada", "robot").await;
    }
    assert_eq!(all.devices("ada").await.len(), 250);
    assert_eq!(all.sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap(), 250);
    assert_eq!(all.store.len().await.unwrap(), 0);
}

#[tokio::test]
async fn r28_a_session_is_listed_only_for_its_current_user() {
    for open in BOTH {
        let all = open();
        let mut browser = all.sign_in("ada", "phone").await;
        all.visit(&mut browser, async |mut s| {
            s.sign_in("bob".to_owned());
            s.device = "shared".to_owned();
        })
        .await;
        assert_eq!((all.devices("ada").await.len(), all.devices("bob").await), (0, vec!["shared".to_owned()]));
        all.visit(&mut browser, async |mut s| _ = s.sign_out().await.unwrap()).await;
        assert_eq!(all.devices("bob").await, [""; 0]);
        all.sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap();
        all.sessions.destroy_all_of::<Device>(&"bob".to_owned()).await.unwrap();
    }
}

#[tokio::test]
async fn r28_destroy_others_keeps_this_session_under_a_new_verifier() {
    for open in BOTH {
        let all = open();
        let mut here = all.sign_in("ada", "here").await;
        let stolen = here.clone();
        let there = all.sign_in("ada", "there").await;
        let bob = all.sign_in("bob", "desktop").await;
        let answer = all
            .visit(&mut here, async |mut s| {
                s.views = 5;
                assert_eq!(all.sessions.destroy_others(&mut s).await.unwrap(), 1);
                assert_eq!((s.user.as_deref(), s.views), (Some("ada"), 5));
                s.views += 1;
            })
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.set_cookies().len(), 1);
        let mut seen = None;
        all.visit(&mut here, async |s| seen = Some((s.user.clone(), s.device.clone(), s.views))).await;
        assert_eq!(seen, Some((Some("ada".to_owned()), "here".to_owned(), 6)));
        assert_eq!((all.user(&stolen).await, all.user(&there).await), (None, None));
        assert_eq!(all.user(&bob).await.as_deref(), Some("bob"));
    }
}

// The new verifier is stored at once, so its cookie must be sent with any response (R12).
#[tokio::test]
async fn r12_r28_destroy_others_sends_its_cookie_with_a_failed_response_too() {
    for open in BOTH {
        let all = open();
        let here = all.sign_in("ada", "here").await;
        let mut browser = here.clone();
        let answer = all
            .visit(&mut browser, async |mut s| {
                all.sessions.destroy_others(&mut s).await.unwrap();
                s.device = "x".repeat(100_000);
            })
            .await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(all.user(&browser).await.as_deref(), Some("ada"));
    }
}

#[tokio::test]
async fn r28_destroy_others_of_a_superseded_session_ends_no_other_session() {
    for open in BOTH {
        let all = open();
        let here = all.sign_in("ada", "here").await;
        let there = all.sign_in("ada", "there").await;
        all.visit(&mut here.clone(), async |mut s| {
            all.visit(&mut here.clone(), async |mut s| s.rotate()).await;
            let error = all.sessions.destroy_others(&mut s).await.unwrap_err();
            assert!(matches!(error, SaveError::Superseded | SaveError::Missing), "{error:?}");
        })
        .await;
        assert_eq!(all.user(&there).await.as_deref(), Some("ada"));
    }
}

#[tokio::test]
async fn r28_destroy_others_needs_a_signed_in_user() {
    for open in BOTH {
        let all = open();
        all.visit(&mut Browser::default(), async |mut s| {
            assert!(matches!(all.sessions.destroy_others(&mut s).await, Err(SaveError::NotSignedIn)));
            s.sign_in("ada".to_owned());
            assert!(matches!(all.sessions.destroy_others(&mut s).await, Err(SaveError::IdentityPending)));
        })
        .await;
        let mut late = all.sign_in("ada", "late").await;
        all.visit(&mut late.clone(), async |mut s| s.rotate()).await;
        all.visit(&mut late, async |mut s| {
            let error = all.sessions.destroy_others(&mut s).await.unwrap_err();
            assert!(matches!(error, SaveError::Superseded | SaveError::NotSignedIn), "{error:?}");
        })
        .await;
    }
}

// The password was changed while the old password was being checked.
#[tokio::test]
async fn r28_a_ticket_from_before_the_end_of_all_sessions_does_not_sign_in() {
    for open in BOTH {
        let all = open();
        let mut browser = Browser::default();
        all.visit(&mut browser, async |mut s| s.views = 3).await;
        let events = Events::capture();
        let answer = all
            .visit(&mut browser, async |mut s| {
                let ticket = all.sessions.ticket("ada".to_owned()).await.unwrap();
                all.sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap();
                s.sign_in_with(ticket);
            })
            .await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.text, "this sign-in was revoked, or took too long; sign in again");
        assert!(events.has("session.sign_in.revoked"));
        assert_eq!((all.user(&browser).await, all.devices("ada").await.len()), (None, 0));
        // The visitor's own session is unchanged.
        let mut views = 0;
        all.visit(&mut browser, async |s| views = s.views).await;
        assert_eq!(views, 3);
        // A new ticket works.
        let answer = all
            .visit(&mut browser, async |mut s| {
                let ticket = all.sessions.ticket("ada".to_owned()).await.unwrap();
                s.sign_in_with(ticket);
            })
            .await;
        assert_eq!((answer.status, all.user(&browser).await.as_deref()), (StatusCode::OK, Some("ada")));
    }
}

#[tokio::test]
async fn r28_a_ticket_is_void_after_an_hour() {
    for (wait, status) in [(minutes(59), StatusCode::OK), (minutes(61), StatusCode::CONFLICT)] {
        let all = Sessions::native();
        let answer = all
            .visit(&mut Browser::default(), async |mut s| {
                let ticket = all.sessions.ticket("ada".to_owned()).await.unwrap();
                all.clock.advance(wait);
                s.sign_in_with(ticket);
            })
            .await;
        assert_eq!(answer.status, status);
    }
}

// R11: a refused write does not undo the sign-out, just as a failed response does not.
#[tokio::test]
async fn r11_r28_a_void_ticket_does_not_keep_the_former_user_signed_in() {
    for open in BOTH {
        let all = open();
        let mut browser = all.sign_in("bob", "desktop").await;
        let answer = all
            .visit(&mut browser, async |mut s| {
                let ticket = all.sessions.ticket("ada".to_owned()).await.unwrap();
                all.sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap();
                drop(s.sign_out());
                s.sign_in_with(ticket);
            })
            .await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!((all.user(&browser).await, all.devices("bob").await.len()), (None, 0));
    }
}

#[tokio::test]
async fn r28_while_the_index_is_down_nobody_signs_in_and_nothing_ends() {
    let memory = MemoryStore::new();
    let store = Faulty::new(memory.clone());
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).indexed().build();
    let sign_in = async |browser: &mut Browser| {
        let request = browser.request(Method::POST, "/");
        let handler =
            async |r: Request| Session::<Device>::extract(r.extensions()).await.unwrap().sign_in("ada".into());
        let answer = through(&sessions, request, handler).await;
        browser.keep(&answer);
        answer
    };
    for call in [Call::Link, Call::Generation] {
        store.fail(call, Fault::Error(StoreErrorKind::Unavailable));
        let answer = sign_in(&mut Browser::default()).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0), "{call:?}");
        store.heal();
        assert_eq!(memory.len().await.unwrap(), 0, "{call:?}");
    }
    assert_eq!(sign_in(&mut Browser::default()).await.status, StatusCode::OK);
    for call in [Call::RaiseGeneration, Call::Linked] {
        store.fail(call, Fault::Error(StoreErrorKind::Unavailable));
        sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap_err();
        store.heal();
        assert_eq!(memory.len().await.unwrap(), 1, "{call:?}");
    }
    assert_eq!(sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap(), 1);
}
