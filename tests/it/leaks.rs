//! R26: no secret reaches events, spans, metrics, errors, panics, `Debug` output or responses.

mod headers;
mod types;

use std::collections::BTreeSet;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, Request, StatusCode};
use http_session::error::{SaveError, StoreErrorKind};
use http_session::record::{Lifetime, Patch, RawJson};
use http_session::{Session, SessionStore as _};

use crate::support::{
    Browser, Call, Events, Fault, LeakCheck, Numbers, Rig, Visit, minutes, poll_once, seconds, settle,
};

/// Texts that must never appear in any output: identities, values of fields and of foreign cookies, messages of
/// drivers, and the configured secrets.
const MARKED: [&str; 9] = [
    "s3cret-user",
    "s3cret-other",
    "s3cret-value",
    "s3cret-attribute",
    "s3cret-generated",
    "s3cret-cookie",
    "driver says postgres://user:hunter2@db",
    "hunter2",
    "a secret for tests, of more than 32 bytes",
];

fn leaks() -> LeakCheck {
    let mut leaks = LeakCheck::default();
    MARKED.iter().for_each(|marked| leaks.add_secret(marked));
    leaks
}

/// Fills the session with marked values.
fn change(s: &mut Session<Visit>) {
    s.sign_in("s3cret-user".to_owned());
    s.theme = "s3cret-value".to_owned();
    s.cart.push("s3cret-value".to_owned());
    s.state = Some("s3cret-value".to_owned());
}

async fn begin(mut s: Session<Visit>) {
    change(&mut s);
}

/// A view of the same session that expects a number where a text is stored.
#[derive(Session)]
struct Numeric {
    theme: u64,
}

/// A view that expects a number as identity. It cannot open the session.
#[derive(Session)]
struct NumericUser {
    #[session(identity)]
    user: Option<u64>,
}

#[derive(Session)]
struct Cursed {
    theme: String,
    cursed: Unencodable,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
struct Unencodable;

impl serde::Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("s3cret-value"))
    }
}

/// No fault, or one fault of one store call.
fn faults() -> impl Iterator<Item = Option<(Call, Fault)>> {
    let errors = [StoreErrorKind::Corrupt, StoreErrorKind::Unavailable, StoreErrorKind::Unknown].map(Fault::Error);
    let faults = errors.into_iter().chain([Fault::LostAnswer, Fault::Hang, Fault::Panic]);
    let calls = [Call::Load, Call::Insert, Call::Update, Call::Touch, Call::Destroy];
    let all = faults.flat_map(move |fault| calls.map(|call| Some((call, fault))));
    std::iter::once(None).chain(all)
}

/// Makes every call that a handler can make on its session, and collects the answers.
async fn every_call(leaks: &mut LeakCheck, rig: &Rig, mut browser: Browser) {
    let browser = &mut browser;
    leaks.answer(&rig.ask(browser, sign_out).await);
    leaks.answer(&rig.visit(browser, async |s: Session<Visit>| format!("{s:?} {:?}", s.id())).await);
    leaks.answer(&rig.visit(browser, save).await);
    let too_large = async |mut s: Session<Visit>| s.theme = "s3cret-value".repeat(1000);
    leaks.answer(&rig.visit(browser, too_large).await);
    leaks.answer(&rig.visit(browser, async |s: Session<Numeric>| s.theme.to_string()).await);
    leaks.answer(&rig.visit(browser, async |_: Session<NumericUser>| ()).await);
    leaks.answer(&rig.visit(browser, async |mut s: Session<Cursed>| s.theme = "s3cret-value".to_owned()).await);
    kept(rig, browser).await;
    leaks.answer(&rig.visit(browser, begin).await);
    leaks.answer(&rig.visit(browser, async |mut s: Session<Visit>| s.rotate()).await);
    leaks.answer(&rig.visit(browser, async |mut s: Session<Visit>| s.user = Some("s3cret-other".to_owned())).await);
    leaks.answer(&rig.visit(browser, refused).await);
    leaks.answer(&rig.visit(browser, sign_out).await);
    leaks.answer(&rig.visit(browser, begin).await);
    leaks.answer(&rig.visit(browser, async |mut s: Session<Visit>| s.regenerate()).await);
    leaks.answer(&rig.visit(browser, async |s: Session<Visit>| s.unset()).await);
    panicking(rig, browser).await;
    dropped(rig, browser).await;
    leaks.answer(&rig.visit(browser, begin).await);
    let sessions = rig.sessions.clone();
    let ended_elsewhere = async move |mut s: Session<Visit>| {
        if let Some(id) = s.id() {
            let _ = sessions.destroy(&id).await;
        }
        s.theme = "s3cret-value".to_owned();
    };
    leaks.answer(&rig.ask(browser, ended_elsewhere).await);
    leaks.answer(&rig.visit(browser, begin).await);
    leaks.answer(&rig.visit(browser, async |s: Session<Visit>| drop(s.destroy())).await);
    leaks.answer(&rig.visit(browser, begin).await);
    leaks.answer(&rig.visit(browser, async |s: Session<Visit>| format!("{:?}", s.destroy().await)).await);
}

async fn refused(mut s: Session<Visit>) -> StatusCode {
    s.sign_in("s3cret-other".to_owned());
    s.cookie_mut().path = http_session::cookie_path!("/s3cret-attribute");
    StatusCode::FORBIDDEN
}

async fn sign_out(mut s: Session<Visit>) -> String {
    match s.sign_out().await {
        Ok(done) => format!("{done:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

async fn save(mut s: Session<Visit>) -> String {
    s.theme.push_str("s3cret-value");
    let saved = s.save().await;
    let taken = s.take(|visit| visit.state = Some("s3cret-value".repeat(2))).await;
    let told = [saved, taken, s.reload().await];
    let errors: Vec<_> = told.iter().filter_map(|told| told.as_ref().err().map(SaveError::to_string)).collect();
    format!("{told:?} {errors:?}")
}

async fn kept(rig: &Rig, browser: &Browser) {
    let (keep, kept) = std::sync::mpsc::channel();
    rig.ask(browser, async move |s: Session<Visit>| drop(keep.send(s))).await;
    if let Ok(mut session) = kept.try_recv() {
        session.theme = "s3cret-value".to_owned();
    }
}

async fn panicking(rig: &Rig, browser: &Browser) {
    let response = rig.start(browser.request(Method::GET, "/"), async |mut s: Session<Visit>| -> () {
        change(&mut s);
        drop(s.sign_out());
        panic!("the handler panics as it was told to");
    });
    // Without a session the handler does not run.
    drop(tokio::task::LocalSet::new().run_until(async { tokio::task::spawn_local(response).await }).await);
    settle().await;
}

async fn dropped(rig: &Rig, browser: &Browser) {
    let mut response = rig.start(browser.request(Method::GET, "/"), begin);
    let _ = poll_once(&mut response);
    drop(response);
    settle().await;
}

/// Sends foreign cookies, superseded cookies, and too many cookies.
async fn cookies(leaks: &mut LeakCheck, rig: &Rig, browsers: [&Browser; 3]) {
    let presented: Vec<_> = browsers.iter().filter_map(|browser| browser.cookie_header("/")).collect();
    let forged = presented[0].replace(|digit: char| digit.is_ascii_digit(), "7");
    let name = presented[0].split('=').next().unwrap();
    for line in [
        presented.join("; "),
        forged,
        format!("{name}=s3cret-cookie; other=s3cret-cookie"),
        format!("{name}=s%3As3cret-cookie.s3cret-cookie; {}", presented[1]),
    ] {
        let request = Request::get("/").header("cookie", line).body(String::new()).unwrap();
        leaks.answer(&rig.send(request, begin).await.unwrap());
    }
}

/// Runs all kinds of requests on one store.
async fn mixed_load(leaks: &mut LeakCheck, rig: &Rig, fault: Option<(Call, Fault)>) {
    let mut browser = Browser::default();
    leaks.answer(&rig.visit(&mut browser, begin).await);
    let late = browser.clone();
    leaks.answer(&rig.visit(&mut browser, async |mut s: Session<Visit>| s.rotate()).await);
    let mut other = Browser::default();
    leaks.answer(&rig.visit(&mut other, begin).await);
    rig.clock.advance(minutes(2));
    for id in rig.ids().await {
        let mut patch = Patch::unchanged(&rig.record(&id).await.unwrap());
        patch.cookie = Some(Some(RawJson::new(br#"{"domain":"s3cret-attribute.com","httpOnly":false}"#)));
        let lifetime = Lifetime::new(minutes(60), minutes(600));
        let _ = rig.store.inner.store().update(&id, &patch, lifetime).await.unwrap();
    }
    if let Some((call, fault)) = fault {
        rig.store.inner.fail(call, fault);
    }
    cookies(leaks, rig, [&late, &browser, &other]).await;
    for browser in [Browser::default(), late, browser] {
        every_call(leaks, rig, browser).await;
    }
    for id in rig.ids().await {
        match rig.sessions.load::<NumericUser>(&id).await {
            Ok(detached) => leaks.add_output(&detached),
            Err(error) => leaks.error(&error),
        }
        if let Err(error) = rig.sessions.destroy(&id).await {
            leaks.error(&error);
        }
    }
    rig.store.inner.heal();
    leaks.records(rig).await;
}

/// Checks that the library never panics. Panics that a test asks for are not printed.
fn check_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let helpers = ["src/testing/", "src/store/conformance/"];
            let is_ours =
                |file: &str| file.starts_with("src/") && !helpers.iter().any(|helper| file.starts_with(helper));
            let ours = panic.location().is_some_and(|at| is_ours(at.file()));
            assert!(!ours, "the library panics: {panic}");
            if !panic.to_string().ends_with("as it was told to") {
                before(panic);
            }
        }));
    });
}

fn under_load(make: impl Fn() -> Rig) {
    check_panics();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let mut names = BTreeSet::new();
    for fault in faults() {
        let (events, numbers, mut leaks) = (Events::capture(), Numbers::default(), leaks());
        numbers.of(|| runtime.block_on(mixed_load(&mut leaks, &make(), fault)));
        leaks.add_output(&numbers);
        for line in events.take() {
            names.extend(line.split(' ').find(|word| word.starts_with("session.")).map(str::to_owned));
            leaks.output.push_str(&line);
            leaks.output.push('\n');
        }
        leaks.check();
    }
    assert!(names.len() > 25, "the load must cause most of the events: {names:#?}");
}

fn native(is_instant: bool) -> Rig {
    let build = |b: crate::support::Open| b.store_time_limit(seconds(1)).renew_after(minutes(1)).record_limit(2000);
    Rig::with(is_instant, |b| build(b).touch_throttle(0).build())
}

fn express(is_instant: bool) -> Rig {
    let strange = "s3cret-generated id, too strange";
    Rig::express(is_instant, |b| {
        let calls = AtomicU64::new(1);
        let generate = move |_: &http::request::Parts| match calls.fetch_add(1, Ordering::SeqCst) {
            calls if calls % 7 == 0 => strange.to_owned(),
            calls => format!("{:032x}", u128::from(calls).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        };
        b.store_time_limit(seconds(1)).record_limit(2000).generate_id(generate).build()
    })
}

#[test]
fn r26_no_secret_leaks_under_a_mixed_load_on_an_instant_store() {
    under_load(|| native(true));
}

#[test]
fn r26_no_secret_leaks_under_a_mixed_load_on_a_waiting_store() {
    under_load(|| native(false));
}

#[test]
fn r26_no_secret_leaks_under_a_mixed_load_in_the_express_format() {
    under_load(|| express(true));
    under_load(|| express(false));
}
