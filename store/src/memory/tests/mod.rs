//! What every test needs: records, patches, and a poll that insists on an answer.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{MemoryStore, lock};
use crate::clock::ManualClock;
use crate::error::{MergeConflict, StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{
    Epoch, Extent, Field, Fields, IdentityChange, Keep, Lifetime, OnConflict, Patch, RawJson, Record, VerifierChange,
    VerifierHash,
};
use crate::{Destroyed, EnumerateSessions, Inserted, SessionStore, Touched, Updated};

mod bounds;
mod contract;
mod index;
mod model;
mod threads;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

static VIEWS: Field = Field::new("views").merge(add);
static THEME: Field = Field::new("theme").keep(Keep::Always);
static NONCE: Field = Field::new("nonce").merge(refuse);

fn number(raw: &[u8]) -> i64 {
    std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn add(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Ok((number(theirs) + number(ours) - number(base)).to_string().into_bytes())
}

fn refuse(_: &[u8], _: &[u8], _: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Err(MergeConflict::refuse())
}

/// The answer of a call that answers at once.
fn ask<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store is instant"),
    }
}

fn store() -> (MemoryStore, ManualClock) {
    let clock = ManualClock::new();
    (MemoryStore::new().clock(clock.clone()), clock)
}

fn id(number: usize) -> SessionId {
    SessionId::try_from(format!("{number:022}").as_str()).unwrap()
}

fn for_(idle: Duration) -> Lifetime {
    Lifetime { idle, absolute: 1000 * HOUR, extent: Extent::Extend }
}

fn set_to(idle: Duration) -> Lifetime {
    Lifetime { extent: Extent::Set, ..for_(idle) }
}

fn hash(byte: u8) -> VerifierHash {
    VerifierHash([byte; 32])
}

fn anonymous(views: &str) -> Record {
    let mut record = Record::new(hash(1));
    record.fields = [("views", Keep::No, views.as_bytes())].into_iter().collect();
    record
}

fn signed_in(user: &str) -> Record {
    Record { identity: Some(RawJson::new(user.as_bytes())), ..anonymous("1") }
}

/// A change to a record as loaded.
fn patch(loaded: &Record, changes: &[(&'static Field, Option<&str>)]) -> Patch {
    let mut patch = Patch::unchanged(loaded);
    for (field, value) in changes {
        patch.set(field, value.map(str::as_bytes));
    }
    patch
}

fn sign_in(loaded: &Record, user: &str) -> Patch {
    Patch {
        identity: IdentityChange::Set(RawJson::new(user.as_bytes())),
        verifier: VerifierChange::Rotate(hash(9)),
        ..patch(loaded, &[])
    }
}

fn load(store: &MemoryStore, id: &SessionId) -> Option<Record> {
    ask(store.load(id)).unwrap()
}

fn insert(store: &MemoryStore, id: &SessionId, record: &Record, idle: Duration) -> Inserted {
    ask(store.insert(id, record, for_(idle))).unwrap()
}

fn update(store: &MemoryStore, id: &SessionId, patch: &Patch) -> Updated {
    ask(store.update(id, patch, for_(HOUR))).unwrap()
}

/// As the middleware writes: after a conflict, the patch is merged from the original and tried again, until the answer is
/// another one or a rule refuses.
fn commit(store: &MemoryStore, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Updated {
    let mut attempt = patch.clone();
    loop {
        match ask(store.update(id, &attempt, lifetime)).unwrap() {
            Updated::Conflict(record) => match patch.rebase(&record.fields) {
                Ok(rebased) => attempt = rebased,
                Err(_) => return Updated::Conflict(record),
            },
            updated => return updated,
        }
    }
}

fn is_full<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> bool {
    answer.is_err_and(|error| error.kind() == StoreErrorKind::Full)
}

const APPLIED: Updated = Updated::Applied { renewed: true };

/// Every shard agrees with itself and its bounds.
fn check(store: &MemoryStore) {
    for shard in store.shards.all() {
        lock(shard).check();
    }
}
