//! A store call on its way to a thread of the store and back.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Instant;

use http_session_store::error::{StoreError, StoreErrorKind};
use tokio::sync::oneshot;

use crate::table::Table;

/// How many calls may wait for a thread. When the disk hangs, further calls are refused instead of filling the memory.
pub(crate) const MAX_WAITING: usize = 16_384;

pub(crate) type BoxedJob = Box<dyn Job>;
pub(crate) type JobSender = SyncSender<BoxedJob>;
pub(crate) type JobReceiver = Receiver<BoxedJob>;

/// A queue of calls.
///
/// Its ends close it: when the last sender is dropped, the thread takes what still waits and ends. When the receiver is dropped,
/// by a panic too, all that wait are dropped with it, and their callers get an error instead of waiting forever.
pub(crate) fn queue() -> (JobSender, JobReceiver) {
    mpsc::sync_channel(MAX_WAITING)
}

/// A call as its thread sees it.
///
/// A write changes at most one session with one statement. So it happens completely or not at all, without a savepoint.
pub(crate) trait Job: Send {
    /// How long it may wait for its turn.
    fn deadline(&self) -> Instant;

    fn kind(&self) -> JobKind;

    /// Whether the caller has stopped waiting.
    fn is_abandoned(&self) -> bool;

    /// Executes the call and keeps the answer. It may be called again after the transaction was rolled back.
    fn run(&mut self, table: &Table);

    /// Answers with the result of [`run`](Self::run), or with the error that kept the transaction from being committed.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What a call does. It decides what is known when no answer comes back (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    Read,
    /// A read of many rows.
    Scan,
    Write,
}

/// The answer to a call whose deadline passed before its turn came.
pub(crate) fn too_late() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable)
}

struct WaitingJob<T, F> {
    kind: JobKind,
    deadline: Instant,
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for WaitingJob<T, F>
where
    T: Send,
    F: FnMut(&Table) -> Result<T, StoreError> + Send,
{
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn kind(&self) -> JobKind {
        self.kind
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, table: &Table) {
        self.result = Some((self.work)(table));
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.result, committed) {
            // What was wrong with this call says more than what became of the transaction.
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(too_late()),
        };
        // A caller that has stopped waiting needs no answer.
        let _ = self.reply.send(answer);
    }
}

/// Sends a call to the threads behind a queue, and waits for the answer.
pub(crate) async fn ask<T, F>(jobs: &JobSender, deadline: Instant, kind: JobKind, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let job = WaitingJob { kind, deadline, work, result: None, reply };
    if jobs.try_send(Box::new(job)).is_err() {
        return Err(StoreError::new(StoreErrorKind::Unavailable));
    }
    answer.await.unwrap_or_else(|_| {
        // The thread is gone. A write may have been committed just before (R10).
        Err(StoreError::new(match kind {
            JobKind::Read | JobKind::Scan => StoreErrorKind::Unavailable,
            JobKind::Write => StoreErrorKind::Unknown,
        }))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_session_test_kit::poll_once;

    use super::*;

    /// A disk that hangs keeps the thread from taking calls.
    #[test]
    fn a_full_queue_refuses_further_calls_at_once() {
        let (sender, receiver) = queue();
        let deadline = Instant::now() + Duration::from_secs(60);
        let call = || Box::pin(ask(&sender, deadline, JobKind::Write, |_| Ok(())));
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| call()).collect();
        assert!(waiting.iter_mut().all(|call| poll_once(call).is_pending()));
        let refused = |answer| matches!(answer, std::task::Poll::Ready(Err(error)) if is_unavailable(&error));
        assert!(refused(poll_once(&mut call())));

        // There is room again as soon as the thread takes one.
        drop(receiver.recv().unwrap());
        assert!(poll_once(&mut call()).is_pending());
    }

    #[test]
    fn r10_calls_of_a_thread_that_has_ended_are_answered() {
        let (sender, receiver) = queue();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut read = Box::pin(ask(&sender, deadline, JobKind::Read, |_| Ok(())));
        let mut write = Box::pin(ask(&sender, deadline, JobKind::Write, |_| Ok(())));
        assert!(poll_once(&mut read).is_pending() && poll_once(&mut write).is_pending());
        drop(receiver);
        let kind = |answer| match answer {
            std::task::Poll::Ready(Err(error)) => StoreError::kind(&error),
            _ => panic!("it is answered"),
        };
        assert_eq!(kind(poll_once(&mut read)), StoreErrorKind::Unavailable);
        assert_eq!(kind(poll_once(&mut write)), StoreErrorKind::Unknown);
        let mut late = Box::pin(ask(&sender, deadline, JobKind::Write, |_| Ok(())));
        assert_eq!(kind(poll_once(&mut late)), StoreErrorKind::Unavailable, "it was never sent");
    }

    fn is_unavailable(error: &StoreError) -> bool {
        error.kind() == StoreErrorKind::Unavailable
    }
}
