//! R8 to R12: runs every cell of the manual's outcome tables. A row is what a request asked for, a column is how it
//! ended.

mod gates;
mod manual;
mod superseded;
mod truth;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use http_session::error::StoreErrorKind;
use http_session::record::VerifierHash;
use http_session::{Session, SessionId, config::CommitOn};

use crate::support::{Answer, Browser, Call, Fault, Oops, Rig, Visit, Wiring, poll_once, seconds, settle};
use manual::cells;

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
    Rotate,
    Regenerate,
    SaveAwaited,
    TakeAwaited,
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
    /// The future is dropped while the store works on the first write.
    DroppedDuring,
    /// The future is dropped after the commit, so the response is never sent.
    DroppedAfter,
    LoadDown,
    /// All writes fail.
    WritesDown,
    WritesHang,
    WritesPanic,
    /// All writes happen, but their answers are lost.
    AnswersLost,
}

/// The manual's name of each column.
const ENDS: [(&str, End); 15] = [
    ("2xx", End::Status(200)),
    ("3xx", End::Status(303)),
    ("4xx", End::Status(404)),
    ("408", End::Status(408)),
    ("5xx", End::Status(500)),
    ("inner error", End::InnerError),
    ("panic", End::Panic),
    ("dropped in the handler", End::DroppedBefore),
    ("dropped during the write", End::DroppedDuring),
    ("dropped after it", End::DroppedAfter),
    ("down at the load", End::LoadDown),
    ("down at the write", End::WritesDown),
    ("silent", End::WritesHang),
    ("panics", End::WritesPanic),
    ("answer lost", End::AnswersLost),
];

/// A row of the manual's tables, and the effect of the request if it is done.
///
/// `before` and `after` describe the store's records: the user and the views, with `*` after the user if the verifier
/// is new. `cookie` is `S` for a `Set-Cookie` with a value that works, `X` for a removal, and `-` for no cookie.
struct Row {
    name: &'static str,
    action: Action,
    before: &'static str,
    cookie: &'static str,
    after: &'static str,
}

const fn row(
    name: &'static str,
    action: Action,
    before: &'static str,
    cookie: &'static str,
    after: &'static str,
) -> Row {
    Row { name, action, before, cookie, after }
}

const ROWS: [Row; 15] = [
    row("ordinary change", Action::Change, "ada v1", "-", "ada v5"),
    row("sign-in of a visitor", Action::SignIn, "- v1", "S", "bob* v5"),
    row("switch to another user", Action::Switch, "ada v1", "S", "bob* v5"),
    row("sign-out, awaited", Action::SignOutAwaited, "ada v1", "S", "-* v0"),
    row("sign-out, recorded", Action::SignOutRecorded, "ada v1", "S", "-* v0"),
    row("identity assigned `None`", Action::AssignNone, "ada v1", "S", "-* v0"),
    row("`destroy`, awaited", Action::DestroyAwaited, "ada v1", "X", "none"),
    row("`destroy`, recorded", Action::DestroyRecorded, "ada v1", "X", "none"),
    row("`rotate`", Action::Rotate, "ada v1", "S", "ada* v5"),
    row("`regenerate`", Action::Regenerate, "ada v1", "S", "-* v5"),
    row("`save`, awaited", Action::SaveAwaited, "ada v1", "-", "ada v5"),
    row("`take`, awaited", Action::TakeAwaited, "ada v1", "-", "ada v5"),
    row("first change", Action::NewChange, "none", "S", "-* v5"),
    row("first change, a sign-in", Action::NewSignIn, "none", "S", "bob* v5"),
    row("first `save`, awaited", Action::NewSave, "none", "S", "-* v5"),
];

/// Does the action, and continues whatever an awaited call answers.
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
        Action::TakeAwaited => {
            let _ = s.take(|visit| visit.views = 5).await;
        }
        Action::Rotate => {
            s.rotate();
            s.views = 5;
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

/// Which responses commit, and in which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preset {
    Native,
    AnyStatus,
    Express,
}

fn rig(preset: Preset, is_instant: bool, wiring: Wiring) -> Rig {
    let native = |commit_on| Rig::with(is_instant, |b| b.store_time_limit(seconds(1)).commit_on(commit_on).build());
    let rig = match preset {
        Preset::Native => native(CommitOn::Success),
        Preset::AnyStatus => native(CommitOn::AnyStatus),
        Preset::Express => Rig::express(is_instant, |b| b.store_time_limit(seconds(1)).build()),
    };
    Rig { wiring, ..rig }
}

/// Runs one cell.
async fn outcome(preset: Preset, action: Action, end: End, is_instant: bool, wiring: Wiring) -> String {
    let rig = rig(preset, is_instant, wiring);
    let mut browser = begin(&rig, action).await;
    let mut before = Vec::new();
    for id in rig.ids().await {
        let verifier = rig.record(&id).await.unwrap().verifier;
        before.push((id, verifier));
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
                    assert_eq!(is_ready, end == End::DroppedAfter, "the future is dropped at the wrong moment");
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
            Ok(response) => status_and_cookie(&rig, &mut browser, Answer::read(response).await).await,
        },
    };
    settle().await;
    rig.store.inner.heal();
    format!("{status} {cookie} {}", records(&rig, &before).await)
}

/// Describes what is stored, and marks verifiers that are new.
async fn records(rig: &Rig, before: &[(SessionId, VerifierHash)]) -> String {
    let mut records = Vec::new();
    for id in rig.ids().await {
        let record = rig.record(&id).await.unwrap();
        let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap().replace('"', "");
        let user = record.identity.map_or_else(|| "-".to_owned(), |raw| text(raw.as_bytes()));
        let star = if before.contains(&(id, record.verifier)) { "" } else { "*" };
        records.push(format!("{user}{star} v{}", record.fields.find("views").map_or_else(|| "0".to_owned(), text)));
    }
    if records.is_empty() { "none".to_owned() } else { records.join(", ") }
}

async fn status_and_cookie(rig: &Rig, browser: &mut Browser, answer: Answer) -> (String, &'static str) {
    rig.store.inner.heal();
    browser.keep(&answer);
    let cookie = match answer.set_cookies().as_slice() {
        [] => "-",
        [line] if line.contains("Max-Age=0") => "X",
        [_] if rig.seen(browser).await != "none" => "S",
        [_] => "a cookie that does not work",
        _ => "several cookies",
    };
    let ours = answer.text != "from the handler";
    let status = answer.status.as_u16();
    assert_eq!(ours, status == 503, "a 503 replaces the handler's whole response, and nothing else does");
    (status.to_string(), cookie)
}

/// Returns the outcome that a word of the manual stands for.
fn expected(preset: Preset, row: &Row, end: End, word: &str) -> String {
    // express-session removes no cookies.
    let cookie = if preset == Preset::Express && row.cookie == "X" { "-" } else { row.cookie };
    let (status, responds) = match end {
        End::Status(status) => (status.to_string(), true),
        End::InnerError => ("err".to_owned(), false),
        End::Panic => ("panic".to_owned(), false),
        End::DroppedBefore | End::DroppedDuring | End::DroppedAfter => ("drop".to_owned(), false),
        End::LoadDown | End::WritesDown | End::WritesHang | End::WritesPanic | End::AnswersLost => {
            ("200".to_owned(), true)
        }
    };
    match word {
        "done" => format!("{status} {} {}", if responds { cookie } else { "-" }, row.after),
        "discarded" | "refused" => format!("{status} - {}", row.before),
        "ended" => format!("{status} - none"),
        "503" => format!("503 - {}", row.before),
        "503, done" => format!("503 - {}", row.after),
        other => panic!("no such word: {other}"),
    }
}

#[test]
fn r11_the_manual_has_a_cell_for_each_request_and_each_end() {
    let all = ROWS.iter().flat_map(|row| ENDS.map(|(end, _)| (row.name, end))).collect::<BTreeSet<_>>();
    for preset in [Preset::Native, Preset::AnyStatus, Preset::Express] {
        assert_eq!(cells(preset).into_keys().collect::<BTreeSet<_>>(), all, "{preset:?}");
    }
}

async fn check(preset: Preset, is_instant: bool, wiring: Wiring) {
    let mut wrong = Vec::new();
    for ((name, column), word) in cells(preset) {
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        let (_, end) = ENDS.into_iter().find(|(name, _)| *name == column).unwrap();
        // Nothing can be dropped during a write that completes at once.
        if is_instant && end == End::DroppedDuring {
            continue;
        }
        let (seen, expected) =
            (outcome(preset, row.action, end, is_instant, wiring).await, expected(preset, row, end, word));
        if seen != expected {
            wrong.push(format!("{name} x {column}: the manual says {word}, so {expected}; seen: {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

macro_rules! tables {
    ($($name:ident: $preset:ident;)*) => {$(
        mod $name {
            use super::{Wiring, Preset, check};

            #[tokio::test(start_paused = true)]
            async fn on_an_instant_store_through_the_layer() {
                check(Preset::$preset, true, Wiring::Layer).await;
            }

            #[tokio::test(start_paused = true)]
            async fn on_a_waiting_store_through_the_layer() {
                check(Preset::$preset, false, Wiring::Layer).await;
            }

            #[tokio::test(start_paused = true)]
            async fn on_an_instant_store_in_a_service() {
                check(Preset::$preset, true, Wiring::Service).await;
            }

            #[tokio::test(start_paused = true)]
            async fn on_a_waiting_store_in_a_service() {
                check(Preset::$preset, false, Wiring::Service).await;
            }
        }
    )*};
}

tables! {
    r11_r12_outcomes: Native;
    r11_r12_outcomes_on_any_status: AnyStatus;
    r11_r12_outcomes_of_the_express_preset: Express;
}
