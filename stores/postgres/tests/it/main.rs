//! The store on real servers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod calls;
mod faults;
mod lasting;
mod layer;
mod refusals;
mod set_up;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http_session::error::MergeConflict;
use http_session::record::{Field, Fields, Keep, Lifetime, Patch, Record, VerifierHash};
use http_session::store::conformance::{Outcome, Report, Suite};
use http_session::store::{Inserted, Sweep, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_postgres::driver::tokio_postgres;
use http_session_postgres::{PostgresOptions, PostgresStore};

use http_session_test_kit::servers::{self, Postgres, Shared, psql};

/// Longer than anything takes, on a machine under load too.
const PATIENCE: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(24 * 3600);
const LIFETIME: Lifetime = Lifetime::new(DAY, DAY.saturating_mul(30));
const APPLIED: Updated = Updated::Applied { renewed: true };

static NOTE: Field = Field::new("note");
static COUNT: Field = Field::new("count").merge(add);

fn add(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Ok((number(theirs) + number(ours) - number(base)).to_string().into_bytes())
}

fn number(raw: &[u8]) -> i64 {
    std::str::from_utf8(raw).unwrap().parse().unwrap_or_default()
}

/// Tables of one test, on a server that tests may share.
struct Table(String, String);

impl Table {
    fn new(server: &Shared) -> Self {
        Self::at(server.url())
    }

    fn on(server: &Postgres) -> Self {
        Self::at(&server.url())
    }

    fn at(url: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}_{number}", http_session_test_kit::name_of("table")), url.to_owned())
    }

    fn options(&self) -> PostgresOptions {
        PostgresStore::options().table(&*self.0).sweep(Sweep::NEVER).time_limit(PATIENCE)
    }

    async fn open(&self) -> PostgresStore {
        self.options().connect(&self.1).await.unwrap()
    }

    /// Runs statements as the administrator.
    #[track_caller]
    fn sql(&self, statements: &str) -> String {
        psql(&self.1, statements).unwrap_or_else(|said| panic!("{statements}: {said}"))
    }

    /// A connection beside the store's.
    async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.1, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

/// Removes everything from a server that outlives the tests.
impl Drop for Table {
    fn drop(&mut self) {
        let Self(name, url) = self;
        if servers::is_given(url) {
            let _ = psql(
                url,
                &format!(
                    "set lock_timeout = '10s'; set client_min_messages = error; drop table if exists {name}, \
                     {name}_generations cascade; drop sequence if exists {name}_refused; \
                     drop function if exists {name}_refuse; drop schema if exists {name} cascade"
                ),
            );
        }
    }
}

fn id() -> SessionId {
    SessionId::try_from(format!("{:022x}", rand::random::<u64>()).as_str()).unwrap()
}

fn record(note: &[u8]) -> Record {
    let fields = Fields::from_iter([("note", Keep::No, note), ("count", Keep::No, b"0")]);
    Record::new(VerifierHash([7; 32])).with_fields(fields)
}

async fn inserted(store: &PostgresStore, id: &SessionId, record: &Record) {
    assert_eq!(store.insert(id, record, LIFETIME).await.unwrap(), Inserted::Inserted);
}

/// A patch that writes one field.
fn writing(record: &Record, field: &'static Field, value: &[u8]) -> Patch {
    let mut patch = Patch::unchanged(record);
    let others = record.fields.iter().filter(|other| other.name != field.name);
    let others = others.map(|other| (other.name, other.keep, other.value));
    patch.result = others.chain([(field.name, field.keep, value)]).collect();
    patch.write(field);
    patch
}

fn with(mut patch: Patch, change: impl FnOnce(&mut Patch)) -> Patch {
    change(&mut patch);
    patch
}

/// Writes the note.
fn noting(record: &Record, note: &[u8]) -> Patch {
    writing(record, &NOTE, note)
}

/// Adds to the count as it was at the beginning, which was zero.
fn counting(record: &Record, by: i64) -> Patch {
    let mut early = record.clone();
    early.fields = Fields::from_iter([("note", Keep::No, b"0".as_slice()), ("count", Keep::No, b"-1")]);
    writing(&early, &COUNT, (by - 1).to_string().as_bytes())
}

async fn note(store: &PostgresStore, id: &SessionId) -> String {
    let record = store.load(id).await.unwrap().unwrap();
    String::from_utf8(record.fields.find("note").unwrap().to_vec()).unwrap()
}

/// Only two checks are skipped: one takes a minute, and one is for stores that never wait.
fn assert_all_kept(report: &Report) {
    report.assert();
    let skipped = report.findings().iter().filter(|finding| matches!(finding.outcome, Outcome::Skipped(_)));
    let skipped: Vec<_> = skipped.map(|finding| finding.sentence).collect();
    let expected = [
        "a tombstone stays for a minute, then its id is free",
        "a store that promises to be instant answers every call at its first poll",
    ];
    assert_eq!(skipped, expected);
}

async fn keeps_every_rule(url: &str, options: PostgresOptions) {
    let (store, peer) = (options.clone().connect(url).await.unwrap(), options.connect(url).await.unwrap());
    let suite = Suite::new(store).peer(peer).enumerates().clears().indexes();
    assert_all_kept(&suite.run().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_rule() {
    let Some(server) = servers::postgres("PostgreSQL keeps every rule") else { return };
    let table = Table::new(&server);
    keeps_every_rule(server.url(), table.options()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_rule_with_prepared_statements() {
    let Some(server) = servers::postgres("PostgreSQL keeps every rule, prepared") else { return };
    let table = Table::new(&server);
    keeps_every_rule(server.url(), table.options().prepared()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_rule_through_pgbouncer() {
    let Some(server) = servers::pgbouncer("PostgreSQL keeps every rule through pgbouncer") else { return };
    let table = Table::new(&server);
    keeps_every_rule(server.url(), table.options()).await;
}
