//! The store behind the gates, which does the actual work.

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_session::SessionStore;
use http_session::error::StoreError;
use http_session::record::{Patch, Record};
use http_session::store::AnyStore;
use http_session::{MemoryStore, SessionId};
use tokio::runtime::Handle;

use super::store::{Act, Answer};

#[derive(Clone)]
pub enum Behind {
    Memory(MemoryStore),
    /// Any store. Its calls run on another runtime in real time, and the history stands still meanwhile.
    Elsewhere(AnyStore, Handle),
}

/// The answer of a store call, and its record before and after.
pub struct Acted {
    pub before: Option<Record>,
    pub answer: Answer,
    pub after: Option<Record>,
}

impl Behind {
    pub fn is_instant(&self) -> bool {
        match self {
            Self::Memory(store) => store.is_instant(),
            Self::Elsewhere(store, _) => store.is_instant(),
        }
    }

    pub fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        match self {
            Self::Memory(store) => at_once(store.load(id)),
            Self::Elsewhere(store, runtime) => {
                let (store, id) = (store.clone(), id.clone());
                elsewhere(runtime, async move { store.load(&id).await })
            }
        }
    }

    /// Makes a store call as one atomic step.
    pub fn perform(&self, act: &Act) -> Result<Acted, StoreError> {
        match self {
            Self::Memory(store) => at_once(perform(store, act)),
            Self::Elsewhere(store, runtime) => {
                let (store, act) = (store.clone(), act.clone());
                elsewhere(runtime, async move { perform(&store, &act).await })
            }
        }
    }
}

async fn perform<S: SessionStore>(store: &S, act: &Act) -> Result<Acted, StoreError> {
    let before = store.load(act.id()).await?;
    let answer = match act {
        Act::Load(id) => Answer::Record(store.load(id).await?.map(Box::new)),
        Act::Insert(id, record, lifetime) => Answer::Inserted(store.insert(id, record, *lifetime).await?),
        Act::Update(id, patch, lifetime) => Answer::Updated(store.update(id, patch, *lifetime).await?),
        Act::Touch(id, epoch, lifetime) => Answer::Touched(store.touch(id, *epoch, *lifetime).await?),
        Act::Destroy(id, epoch) => Answer::Destroyed(store.destroy(id, *epoch).await?),
    };
    let after = store.load(act.id()).await?;
    Ok(Acted { before, answer, after })
}

/// Whether a patch applies to the record, but a field that it depends on has changed.
pub fn moved(record: &Record, patch: &Patch) -> bool {
    let same = |base: Option<&[u8]>, field| record.fields.read(field) == base;
    let is_current = !record.is_tombstone() && record.epoch == patch.epoch;
    is_current && patch.changes().any(|change| change.conditional && !same(change.base, change.field))
}

/// Returns the answer of a call that must complete at once.
fn at_once<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store is instant"),
    }
}

/// Blocks until a call on another runtime completes. For the history, this takes no time.
fn elsewhere<T: Send + 'static>(runtime: &Handle, call: impl Future<Output = T> + Send + 'static) -> T {
    const LIMIT: Duration = Duration::from_secs(60);
    let (answers, answer) = mpsc::sync_channel(1);
    runtime.spawn(async move { answers.send(call.await) });
    answer.recv_timeout(LIMIT).expect("an answer within a minute")
}
