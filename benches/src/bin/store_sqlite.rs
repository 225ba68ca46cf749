//! Calls a second of `SqliteStore`, beside the same statements by hand: writes batched on one thread; reads one by one on as many
//! connections, each with a thread of its own, and batched on one.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use http_body_util::Full;
use http_session::record::{Field, Fields, IdentityChange, Keep, Lifetime, Patch, RawJson, Record, VerifierHash};
use http_session::{Secret, Session, SessionConfig, SessionId, SessionStore};
use http_session_benches::{Body, Visit};
use http_session_sqlite::{SqliteStore, Synchronous};
use rusqlite::{Connection, params};
use tower::Service;

const CALLS: u64 = 64_000;
const TASKS: u64 = 64;
const ROUNDS: usize = 5;
/// The store's default.
const CONNECTIONS: usize = 3;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let only = std::env::args().nth(1);
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        println!(
            "\n{synchronous:?}: thousands a second; in parentheses microseconds of processor for a call, of which the writer"
        );
        println!("Median of {ROUNDS} rounds of {CALLS} calls\n");
        println!("| | raw | the store, {TASKS} tasks | ratio |\n|---|---|---|---|");
        for case in [Case::Insert, Case::Update, Case::Load, Case::LoadBatched] {
            if only.as_deref().is_some_and(|only| only != case.name()) {
                continue;
            }
            let (mut raws, mut all) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                raws.push(raw(synchronous, case));
                all.push(runtime.block_on(ours(synchronous, case)));
            }
            let (raw, ours) = (median(&mut raws), median(&mut all));
            let ratio = ours.thousands / raw.thousands;
            println!(
                "| {} | {}: {:.1} ({:.1}) | {:.1} ({:.1}, {:.1}) | {ratio:.2} |",
                case.name(),
                case.raw(),
                raw.thousands,
                raw.all,
                ours.thousands,
                ours.all,
                ours.writer
            );
        }
        if only.as_deref().is_none_or(|only| only == "request") {
            let mut rounds: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(requests(synchronous))).collect();
            let ours = median(&mut rounds);
            println!("| request: load and update | | {:.1} ({:.1}, {:.1}) | |", ours.thousands, ours.all, ours.writer);
        }
    }
}

fn median(rounds: &mut [Speed]) -> Speed {
    rounds.sort_by(|a, b| a.thousands.total_cmp(&b.thousands));
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Insert,
    Update,
    Load,
    /// The same of the store, beside reads that are batched.
    LoadBatched,
}

impl Case {
    const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Load => "load",
            Self::LoadBatched => "load-batched",
        }
    }

    /// What raw does.
    fn raw(self) -> String {
        match self {
            Self::Load => format!("{} connections, one by one", CONNECTIONS - 1),
            _ => format!("one connection, {TASKS} in a transaction"),
        }
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("store-sqlite-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::var_os("BENCH_FOLDER").map_or_else(|| PathBuf::from("target"), PathBuf::from).join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    async fn store(&self, synchronous: Synchronous) -> SqliteStore {
        let url = format!("sqlite:{}", self.0.join("sessions.db").display());
        SqliteStore::options().connections(CONNECTIONS).synchronous(synchronous).connect(&url).await.expect("a store")
    }

    fn connection(&self, synchronous: Synchronous) -> Connection {
        let connection = Connection::open(self.0.join("sessions.db")).expect("a file");
        connection.pragma_update(None, "synchronous", format!("{synchronous:?}")).expect("a mode");
        // As the store's: it decides how often all wait for the disk.
        connection.pragma_update(None, "wal_autocheckpoint", 4000).expect("a number");
        connection.set_prepared_statement_cache_capacity(32);
        connection
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const LIFETIME: Lifetime = Lifetime::new(DAY, DAY.saturating_mul(30));
static VIEWS: Field = Field::new("views").keep(Keep::Always);

/// As random as real ones, and the same in each round.
fn id(number: u64) -> SessionId {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text = String::new();
    for _ in 0..22 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(b'A' + u8::try_from(state % 26).unwrap_or_default()));
    }
    SessionId::try_from(text.as_str()).expect("an id")
}

/// Visitors do not come back in the order in which they came.
const fn shuffled(number: u64) -> u64 {
    number * 27_449 % CALLS
}

fn record(number: u64) -> Record {
    let fields: [(&str, Keep, &[u8]); 4] = [
        ("views", Keep::Always, b"1"),
        ("theme", Keep::Always, b"\"dark\""),
        ("locale", Keep::Always, b"\"en-GB\""),
        ("cart", Keep::Always, b"[\"apples\",\"pears\"]"),
    ];
    let mut record = Record::new(VerifierHash([7; 32])).with_fields(Fields::from_iter(fields));
    record.identity = Some(RawJson::new(number.to_string().as_bytes()));
    record
}

fn counted(record: &Record) -> Patch {
    let mut patch = Patch::unchanged(record);
    patch.result = Fields::from_iter(
        record.fields
            .iter()
            .map(|field| (field.name, field.keep, if field.name == "views" { b"2".as_slice() } else { field.value })),
    );
    patch.identity = IdentityChange::Unchanged;
    patch.write(&VIEWS);
    patch
}

async fn fill(store: &SqliteStore) {
    let store = store.clone();
    spread(move |number| {
        let store = store.clone();
        async move { assert!(store.insert(&id(number), &record(number), LIFETIME).await.is_ok()) }
    })
    .await;
}

/// All calls, by as many tasks.
async fn spread<F: Future<Output = ()> + Send + 'static>(call: impl Fn(u64) -> F + Clone + Send + 'static) {
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let call = call.clone();
        tasks.push(tokio::spawn(async move {
            for number in (task..CALLS).step_by(TASKS as usize) {
                call(number).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task");
    }
}

/// A moment, and the time that the processors have spent on all threads until then, and on the one that writes.
struct Stopwatch {
    start: Instant,
    all: f64,
    writer: f64,
}

/// Thousands a second, and microseconds of processor for a call: of all threads, and of the one that writes. The latter tell
/// something on a busy machine too.
#[derive(Clone, Copy, Default)]
struct Speed {
    thousands: f64,
    all: f64,
    writer: f64,
}

impl Stopwatch {
    fn start() -> Self {
        let (all, writer) = processor_time();
        Self { start: Instant::now(), all, writer }
    }

    fn stop(&self) -> Speed {
        let (all, writer) = processor_time();
        let microseconds = |spent: f64| spent / CALLS as f64 / 1000.0;
        Speed {
            thousands: CALLS as f64 / self.start.elapsed().as_secs_f64() / 1000.0,
            all: microseconds(all - self.all),
            writer: microseconds(writer - self.writer),
        }
    }
}

/// Nanoseconds, as Linux counts them; elsewhere none.
fn processor_time() -> (f64, f64) {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let of_writer = |thread: &PathBuf| read(thread.join("comm")).starts_with("sqlite writer");
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten().map(|thread| thread.path());
    let spent = |thread: PathBuf| read(thread.join("schedstat")).split(' ').next()?.parse::<f64>().ok();
    let writer = threads.filter(of_writer).filter_map(spent).sum();
    // Of those that have ended too, in ticks of ten milliseconds: the 14th and 15th word, where the name is one.
    let all = read(PathBuf::from("/proc/self/stat"));
    let ticks: f64 = all.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    (ticks * 1e7, writer)
}

async fn ours(synchronous: Synchronous, case: Case) -> Speed {
    let folder = Folder::new();
    let store = folder.store(synchronous).await;
    if case != Case::Insert {
        fill(&store).await;
    }
    let shared = store.clone();
    let watch = Stopwatch::start();
    spread(move |number| {
        let store = shared.clone();
        async move {
            match case {
                Case::Insert => assert!(store.insert(&id(number), &record(number), LIFETIME).await.is_ok()),
                Case::Update => {
                    let number = shuffled(number);
                    assert!(store.update(&id(number), &counted(&record(number)), LIFETIME).await.is_ok());
                }
                Case::Load | Case::LoadBatched => {
                    assert!(store.load(&id(shuffled(number))).await.is_ok_and(|record| record.is_some()))
                }
            }
        }
    })
    .await;
    watch.stop()
}

/// The same columns, by hand: what a program does that knows nothing of sessions.
fn raw(synchronous: Synchronous, case: Case) -> Speed {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // Made by the store, so that the table is the same.
    let store = runtime.block_on(folder.store(synchronous));
    let mut connection = folder.connection(synchronous);
    if case != Case::Insert {
        batched(&mut connection, insert);
    }
    let watch;
    match case {
        Case::Insert => {
            watch = Stopwatch::start();
            batched(&mut connection, insert);
        }
        Case::Update => {
            watch = Stopwatch::start();
            batched(&mut connection, update);
        }
        Case::LoadBatched => {
            watch = Stopwatch::start();
            batched(&mut connection, |connection, number| drop(select(connection, number)));
        }
        Case::Load => {
            // One of the store's writes.
            let connections: Vec<_> = (1..CONNECTIONS).map(|_| folder.connection(synchronous)).collect();
            watch = Stopwatch::start();
            std::thread::scope(|scope| {
                let threads = connections.len();
                for (first, connection) in (0..).zip(connections) {
                    scope.spawn(move || {
                        (first..CALLS).step_by(threads).for_each(|number| drop(select(&connection, number)))
                    });
                }
            });
        }
    }
    let speed = watch.stop();
    drop(store);
    speed
}

/// All calls, some in a transaction.
fn batched(connection: &mut Connection, call: impl Fn(&Connection, u64)) {
    for first in (0..CALLS).step_by(TASKS as usize) {
        let transaction = connection.transaction().expect("a transaction");
        (first..first + TASKS).for_each(|number| call(&transaction, number));
        transaction.commit().expect("a commit");
    }
}

const NOW: i64 = 1_764_000_000_000;

fn insert(connection: &Connection, number: u64) {
    const INSERT: &str = "INSERT INTO sessions VALUES (?1, ?2, 0, 0, ?3, NULL, ?4, ?4, ?4, ?4, ?5, NULL, ?6, ?7)";
    const KEEP: &str = r#"{"views":"always","theme":"always","locale":"always","cart":"always"}"#;
    const FIELDS: &str = r#"{"views":"1","theme":"\"dark\"","locale":"\"en-GB\"","cart":"[\"apples\",\"pears\"]"}"#;
    let (id, now) = (id(number), NOW + i64::try_from(number / 1000).unwrap_or_default());
    let mut statement = connection.prepare_cached(INSERT).expect("a statement");
    let values = params![id.as_str(), now + 86_400_000, [7_u8; 32], now, number.to_string(), KEEP, FIELDS];
    statement.execute(values).expect("an insert");
}

fn select(connection: &Connection, number: u64) -> String {
    const SELECT: &str = "SELECT expires, epoch, identity_epoch, verifier, previous, created, identity_changed, verifier_changed, touched, identity, cookie, keep, fields FROM sessions WHERE id = ?1 AND expires > ?2";
    let mut statement = connection.prepare_cached(SELECT).expect("a statement");
    let mut records = statement.query((id(shuffled(number)).as_str(), 1)).expect("records");
    let record = records.next().expect("a record").expect("a record");
    record.get(12).expect("a text")
}

fn update(connection: &Connection, number: u64) {
    const UPDATE: &str = "UPDATE sessions SET fields = ?2, touched = ?3, expires = ?4 WHERE id = ?1";
    let fields = select(connection, number);
    let number = shuffled(number);
    let (id, now) = (id(number), NOW + i64::try_from(number / 1000).unwrap_or_default());
    let mut statement = connection.prepare_cached(UPDATE).expect("a statement");
    statement.execute(params![id.as_str(), fields, now + 1, now + 86_400_001]).expect("an update");
}

async fn count(_: Request<Body>, mut session: Session<Visit>) -> Result<Response<Full<Bytes>>, Infallible> {
    session.visited();
    Ok(Response::new(Full::default()))
}

/// Whole requests of 64 visitors: each loads its session and writes one field.
async fn requests(synchronous: Synchronous) -> Speed {
    let folder = Folder::new();
    let store = folder.store(synchronous).await;
    fill(&store).await;
    let sessions = SessionConfig::builder().secret(Secret::random()).store(store).build();
    let service = Arc::new(sessions.service(count));
    let watch = Stopwatch::start();
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let mut service = service.as_ref().clone();
        tasks.push(tokio::spawn(async move {
            let mut cookie = None;
            for _ in 0..CALLS / TASKS {
                let mut request = Request::new(Body::default());
                if let Some(cookie) = &cookie {
                    request.headers_mut().insert(COOKIE, http::HeaderValue::clone(cookie));
                }
                let response = service.call(request).await.expect("an answer");
                assert!(response.status().is_success());
                if let Some(set) = response.headers().get(SET_COOKIE) {
                    let pair = set.to_str().expect("a cookie").split(';').next().expect("a pair").to_owned();
                    cookie = Some(pair.parse().expect("a cookie"));
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task");
    }
    watch.stop()
}
