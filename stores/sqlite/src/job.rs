//! A call on its way to a thread and back.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::queue::Queue;
use super::table::Table;
use http_session_store::error::{StoreError, StoreErrorKind};

/// A call. A write of one session is one statement at most, so that it happens as a whole or not at all without a savepoint. It
/// may be [run](Self::run) again after its transaction was rolled back.
pub(super) trait Job: Send {
    /// Until when it may wait.
    fn deadline(&self) -> Instant;

    fn access(&self) -> Access;

    /// Nobody waits for it any more.
    fn is_abandoned(&self) -> bool;

    /// Finds the answer, and keeps it.
    fn run(&mut self, table: &Table);

    /// Answers so.
    fn fail(&mut self, error: StoreError);

    /// Sends the answer, if its transaction is committed.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What a call does, and so what it means when no answer comes back (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// The same, of many rows.
    Scan,
    Write,
}

/// A call whose time is over before it was begun.
pub(super) fn too_late() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable)
}

pub(super) type BoxedJob = Box<dyn Job>;
pub(super) type Jobs = Queue<BoxedJob>;

/// Held by a thread that takes jobs. When it ends, by a panic too, whoever still waits is told so instead of waiting for ever.
pub(super) struct Abandoning(pub(super) Arc<Jobs>);

impl Drop for Abandoning {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

struct Call<T, F> {
    access: Access,
    deadline: Instant,
    work: F,
    answer: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnMut(&Table) -> Result<T, StoreError> + Send,
{
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn access(&self) -> Access {
        self.access
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, table: &Table) {
        self.answer = Some((self.work)(table));
    }

    fn fail(&mut self, error: StoreError) {
        self.answer = Some(Err(error));
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.answer) {
            (_, Some(Err(error))) | (Err(error), _) => Err(error),
            (Ok(()), Some(answer)) => answer,
            (Ok(()), None) => Err(StoreError::new(StoreErrorKind::Unavailable)),
        };
        // Whoever has stopped waiting has been told so.
        let _ = self.reply.send(answer);
    }
}

/// Sends a call to the threads behind a queue.
pub(super) async fn ask<T, F>(jobs: &Jobs, deadline: Instant, access: Access, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let call = Call { access, deadline, work, answer: None, reply };
    if jobs.push(Box::new(call), |job| job.is_abandoned()).is_err() {
        return Err(StoreError::new(StoreErrorKind::Unavailable));
    }
    let lost = match access {
        Access::Read | Access::Scan => StoreErrorKind::Unavailable,
        Access::Write => StoreErrorKind::Unknown,
    };
    answer.await.unwrap_or_else(|_| Err(StoreError::new(lost)))
}
