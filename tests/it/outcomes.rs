//! R8 to R12: the outcome table. What a request asked for, against how it ended.
//!
//! A cell is `status cookie rows`. Status: that of the response, `err` for the inner service's error, `panic`, `drop`. Cookie:
//! `S` is a `Set-Cookie` with a value that works, `X` a removal, `-` none. Rows: user and views of what is stored afterwards,
//! `*` behind the user for a verifier that was not there before.

mod gates;
mod superseded;
mod truth;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use http_session::Session;
use http_session::error::StoreErrorKind;
use http_session::record::VerifierHash;

use crate::support::{Answer, Browser, Call, Entry, Fault, Oops, Rig, Visit, poll_once, seconds, settle};

/// What a handler asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Change,
    SignIn,
    Switch,
    SignOutAwaited,
    SignOutRecorded,
    AssignNone,
    DestroyAwaited,
    DestroyRecorded,
    SaveAwaited,
    Regenerate,
    NewChange,
    NewSignIn,
    NewSave,
}

/// How the request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Status(u16),
    InnerError,
    Panic,
    /// The future is dropped while the handler runs, after the action.
    DroppedBefore,
    /// While the store works on the first write.
    DroppedDuring,
    /// The response is ready, and nobody takes it.
    DroppedAfter,
    LoadDown,
    /// All writes fail.
    WritesDown,
    WritesHang,
    WritesPanic,
    /// All writes happen, and their answers are lost.
    AnswersLost,
}

const ENDS: [End; 14] = [
    End::Status(200),
    End::Status(404),
    End::Status(408),
    End::Status(500),
    End::InnerError,
    End::Panic,
    End::DroppedBefore,
    End::DroppedDuring,
    End::DroppedAfter,
    End::LoadDown,
    End::WritesDown,
    End::WritesHang,
    End::WritesPanic,
    End::AnswersLost,
];

#[rustfmt::skip]
const TABLE: [(Action, [&str; 14]); 13] = [
    (Action::Change, [
        "200 - ada v5", "404 - ada v5", "408 - ada v1", "500 - ada v1", "err - ada v1", "panic - ada v1",
        "drop - ada v1", "drop - ada v5", "drop - ada v5",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v5",
    ]),
    (Action::SignIn, [
        "200 S bob* v5", "404 - - v1", "408 - - v1", "500 - - v1", "err - - v1", "panic - - v1",
        "drop - - v1", "drop - bob* v5", "drop - bob* v5",
        "503 - - v1", "503 - - v1", "503 - - v1", "503 - - v1", "200 S bob* v5",
    ]),
    (Action::Switch, [
        "200 S bob* v5", "404 - ada v1", "408 - ada v1", "500 - ada v1", "err - ada v1", "panic - ada v1",
        "drop - ada v1", "drop - bob* v5", "drop - bob* v5",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "200 S bob* v5",
    ]),
    (Action::SignOutAwaited, [
        "200 S -* v0", "404 S -* v0", "408 S -* v0", "500 S -* v0", "err - -* v0", "panic - -* v0",
        "drop - -* v0", "drop - -* v0", "drop - -* v0",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "200 S -* v0",
    ]),
    (Action::SignOutRecorded, [
        "200 S -* v0", "404 S -* v0", "408 S -* v0", "500 S -* v0", "err - none", "panic - none",
        "drop - none", "drop - -* v0", "drop - -* v0",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "200 S -* v0",
    ]),
    (Action::AssignNone, [
        "200 S -* v0", "404 S -* v0", "408 S -* v0", "500 S -* v0", "err - none", "panic - ada v1",
        "drop - none", "drop - -* v0", "drop - -* v0",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "200 S -* v0",
    ]),
    (Action::DestroyAwaited, [
        "200 X none", "404 X none", "408 X none", "500 X none", "err - none", "panic - none",
        "drop - none", "drop - none", "drop - none",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - none",
    ]),
    (Action::DestroyRecorded, [
        "200 X none", "404 X none", "408 X none", "500 X none", "err - none", "panic - none",
        "drop - none", "drop - none", "drop - none",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - none",
    ]),
    (Action::SaveAwaited, [
        "200 - ada v5", "404 - ada v5", "408 - ada v5", "500 - ada v5", "err - ada v5", "panic - ada v5",
        "drop - ada v5", "drop - ada v5", "drop - ada v5",
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v5",
    ]),
    (Action::Regenerate, [
        "200 S -* v5", "404 S -* v5", "408 - ada v1", "500 - ada v1", "err - ada v1", "panic - ada v1",
        "drop - ada v1", "drop - -* v5", "drop - -* v5",
        // Both lost answers are settled by a load each (R10).
        "503 - ada v1", "503 - ada v1", "503 - ada v1", "503 - ada v1", "200 S -* v5",
    ]),
    (Action::NewChange, [
        "200 S -* v5", "404 S -* v5", "408 - none", "500 - none", "err - none", "panic - none",
        "drop - none", "drop - -* v5", "drop - -* v5",
        "200 S -* v5", "503 - none", "503 - none", "503 - none", "200 S -* v5",
    ]),
    (Action::NewSignIn, [
        "200 S bob* v5", "404 - none", "408 - none", "500 - none", "err - none", "panic - none",
        "drop - none", "drop - bob* v5", "drop - bob* v5",
        "200 S bob* v5", "503 - none", "503 - none", "503 - none", "200 S bob* v5",
    ]),
    (Action::NewSave, [
        "200 S -* v5", "404 S -* v5", "408 S -* v5", "500 S -* v5", "err - -* v5", "panic - -* v5",
        "drop - -* v5", "drop - -* v5", "drop - -* v5",
        "200 S -* v5", "503 - none", "503 - none", "503 - none", "200 S -* v5",
    ]),
];

/// Does it, and goes on whatever an awaited call answers.
async fn act(action: Action, mut s: Session<Visit>) -> Option<Session<Visit>> {
    match action {
        Action::Change | Action::NewChange => s.views = 5,
        Action::SignIn | Action::Switch | Action::NewSignIn => {
            s.sign_in("bob".to_owned());
            s.views = 5;
        }
        Action::SignOutAwaited => {
            s.views = 5;
            let _ = s.sign_out().await;
        }
        Action::SignOutRecorded => {
            s.views = 5;
            drop(s.sign_out());
        }
        Action::AssignNone => {
            s.views = 5;
            s.user = None;
        }
        Action::DestroyAwaited => {
            s.views = 5;
            let _ = s.destroy().await;
            return None;
        }
        Action::DestroyRecorded => {
            s.views = 5;
            drop(s.destroy());
            return None;
        }
        Action::SaveAwaited | Action::NewSave => {
            s.views = 5;
            let _ = s.save().await;
        }
        Action::Regenerate => {
            s.regenerate();
            s.views = 5;
        }
    }
    Some(s)
}

async fn handle(action: Action, end: End, acted: Arc<AtomicBool>, s: Session<Visit>) -> Result<StatusCode, Oops> {
    let session = act(action, s).await;
    acted.store(true, Ordering::SeqCst);
    match end {
        End::Status(status) => return Ok(StatusCode::from_u16(status).unwrap()),
        End::InnerError => return Err(Oops),
        End::Panic => panic!("the handler panics as it was told to"),
        End::DroppedBefore => std::future::pending().await,
        _ => {}
    }
    drop(session);
    Ok(StatusCode::OK)
}

async fn begin(rig: &Rig, action: Action) -> Browser {
    match action {
        Action::NewChange | Action::NewSignIn | Action::NewSave => Browser::default(),
        Action::SignIn => rig.anonymous().await,
        _ => rig.signed_in("ada").await,
    }
}

fn break_writes(rig: &Rig, fault: Fault) {
    for call in [Call::Insert, Call::Update, Call::Touch, Call::Destroy] {
        rig.store.inner.fail(call, fault);
    }
}

/// Runs one cell.
async fn outcome(action: Action, end: End, is_instant: bool, entry: Entry) -> String {
    let rig = Rig { entry, ..Rig::with(is_instant, |b| b.store_timeout(seconds(1)).build()) };
    let mut browser = begin(&rig, action).await;
    let mut before = Vec::new();
    for id in rig.ids().await {
        before.push(rig.row(&id).await.unwrap().verifier);
    }
    match end {
        End::LoadDown => rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable)),
        End::WritesDown => break_writes(&rig, Fault::Error(StoreErrorKind::Unavailable)),
        End::WritesHang => break_writes(&rig, Fault::Hang),
        End::WritesPanic => break_writes(&rig, Fault::Panic),
        End::AnswersLost => break_writes(&rig, Fault::LostAnswer),
        _ => {}
    }
    let acted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&acted);
    let request = browser.request(Method::GET, "/");
    let mut response = rig.start(request, move |s: Session<Visit>| handle(action, end, flag, s));
    let (status, cookie) = match end {
        End::DroppedBefore | End::DroppedDuring | End::DroppedAfter => {
            let is_there = |rig: &Rig| match end {
                End::DroppedBefore => acted.load(Ordering::SeqCst),
                _ => rig.store.calls.lock().unwrap().iter().any(|(name, _)| *name != "load"),
            };
            loop {
                let is_ready = poll_once(&mut response).is_ready();
                if is_ready || (end != End::DroppedAfter && is_there(&rig)) {
                    assert_eq!(is_ready, end == End::DroppedAfter, "dropped at another moment");
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(response);
            ("drop".to_owned(), "-")
        }
        End::Panic => {
            let joined =
                tokio::task::LocalSet::new().run_until(async { tokio::task::spawn_local(response).await }).await;
            assert!(joined.unwrap_err().is_panic());
            ("panic".to_owned(), "-")
        }
        _ => match response.await {
            Err(Oops) => ("err".to_owned(), "-"),
            Ok(response) => judge(&rig, &mut browser, Answer::read(response).await).await,
        },
    };
    settle().await;
    rig.store.inner.heal();
    format!("{status} {cookie} {}", rows(&rig, &before).await)
}

/// What is stored, and whether its verifier was there before.
async fn rows(rig: &Rig, before: &[VerifierHash]) -> String {
    let mut rows = Vec::new();
    for id in rig.ids().await {
        let row = rig.row(&id).await.unwrap();
        let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap().replace('"', "");
        let user = row.identity.map_or_else(|| "-".to_owned(), |raw| text(raw.as_bytes()));
        let star = if before.contains(&row.verifier) { "" } else { "*" };
        rows.push(format!("{user}{star} v{}", row.fields.find("views").map_or_else(|| "0".to_owned(), text)));
    }
    if rows.is_empty() { "none".to_owned() } else { rows.join(", ") }
}

async fn judge(rig: &Rig, browser: &mut Browser, answer: Answer) -> (String, &'static str) {
    rig.store.inner.heal();
    browser.keep(&answer);
    let cookie = match answer.set_cookies().as_slice() {
        [] => "-",
        [line] if line.contains("Max-Age=0") => "X",
        [_] if rig.seen(browser).await != "none" => "S",
        [_] => "a cookie that fits nothing",
        _ => "several cookies",
    };
    let ours = answer.text != "from the handler";
    let status = answer.status.as_u16();
    assert_eq!(ours, status == 503, "the whole response is the handler's or ours");
    (status.to_string(), cookie)
}

async fn check(action: Action, is_instant: bool, entry: Entry) {
    let (_, expected) = TABLE.iter().find(|(row, _)| *row == action).unwrap();
    let mut wrong = Vec::new();
    for (end, expected) in ENDS.into_iter().zip(expected) {
        // A store that answers at once has no during.
        if is_instant && end == End::DroppedDuring {
            continue;
        }
        let seen = outcome(action, end, is_instant, entry).await;
        if seen != *expected {
            wrong.push(format!("{action:?} x {end:?}: {expected} expected, {seen} seen"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

macro_rules! rows {
    ($($name:ident: $action:ident;)*) => {$(
        mod $name {
            use super::{Action, Entry, check};

            #[tokio::test(start_paused = true)]
            async fn on_an_instant_store_through_the_layer() {
                check(Action::$action, true, Entry::Layer).await;
            }

            #[tokio::test(start_paused = true)]
            async fn on_a_waiting_store_through_the_layer() {
                check(Action::$action, false, Entry::Layer).await;
            }

            #[tokio::test(start_paused = true)]
            async fn on_an_instant_store_in_a_service() {
                check(Action::$action, true, Entry::Service).await;
            }

            #[tokio::test(start_paused = true)]
            async fn on_a_waiting_store_in_a_service() {
                check(Action::$action, false, Entry::Service).await;
            }
        }
    )*};
}

rows! {
    r11_outcomes_of_an_ordinary_change: Change;
    r11_outcomes_of_a_sign_in: SignIn;
    r11_outcomes_of_a_switch_of_users: Switch;
    r11_outcomes_of_an_awaited_sign_out: SignOutAwaited;
    r11_outcomes_of_a_recorded_sign_out: SignOutRecorded;
    r11_outcomes_of_an_assigned_none: AssignNone;
    r11_outcomes_of_an_awaited_destroy: DestroyAwaited;
    r11_outcomes_of_a_recorded_destroy: DestroyRecorded;
    r12_outcomes_of_an_awaited_save: SaveAwaited;
    r11_outcomes_of_a_regenerate: Regenerate;
    r11_outcomes_of_a_first_change: NewChange;
    r11_outcomes_of_a_first_sign_in: NewSignIn;
    r12_outcomes_of_a_first_save: NewSave;
}
