//! Work that has begun runs to its end, even if nobody waits for it any more.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::telemetry;

/// A future that, once it has been polled, runs to its end even if it is dropped. A write that has been sent must not be
/// cut off (R11).
pub(crate) struct RunToEnd<T: Send + 'static>(Work<T>);

type BoxedFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Work<T: Send + 'static> {
    /// Not polled yet. If it is dropped, it never begins.
    New(BoxedFuture<T>),
    /// Driven by whoever polls it. If it is dropped, a task takes over.
    Begun(BoxedFuture<T>),
    /// Driven by a task.
    Task(JoinHandle<T>),
    Done,
}

impl<T: Send + 'static> RunToEnd<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Work::New(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for RunToEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out while it is polled: if it panics, `drop` must not poll it again in a task.
        match mem::replace(&mut self.0, Work::Done) {
            Work::New(mut work) | Work::Begun(mut work) => {
                let poll = work.as_mut().poll(context);
                if poll.is_pending() {
                    self.0 = Work::Begun(work);
                }
                poll
            }
            Work::Task(mut task) => match Pin::new(&mut task).poll(context) {
                Poll::Ready(Ok(output)) => Poll::Ready(output),
                Poll::Ready(Err(error)) => match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    // The runtime is shutting down, and nobody will poll this again.
                    Err(_) => Poll::Pending,
                },
                Poll::Pending => {
                    self.0 = Work::Task(task);
                    Poll::Pending
                }
            },
            Work::Done => Poll::Pending,
        }
    }
}

impl<T: Send + 'static> Drop for RunToEnd<T> {
    fn drop(&mut self) {
        if let Work::Begun(work) = mem::replace(&mut self.0, Work::Done) {
            finish_in_background(work);
        }
    }
}

/// A call that a handler awaits. Once it has to wait, a task drives it. Other calls and the commit wait for their turn
/// behind it, so it must go on even if the handler stops polling it.
pub(crate) struct AwaitedCall<T: Send + 'static>(RunToEnd<T>);

impl<T: Send + 'static> AwaitedCall<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(RunToEnd::new(work))
    }
}

impl<T: Send + 'static> Future for AwaitedCall<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let poll = Pin::new(&mut self.0).poll(context);
        if poll.is_ready() {
            return poll;
        }
        match (mem::replace(&mut self.0.0, Work::Done), Handle::try_current()) {
            (Work::Begun(work), Ok(runtime)) => {
                self.0.0 = Work::Task(runtime.spawn(work));
                Pin::new(&mut self.0).poll(context)
            }
            (work, _) => {
                self.0.0 = work;
                Poll::Pending
            }
        }
    }
}

impl<T: Send + 'static> fmt::Debug for RunToEnd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunToEnd(..)")
    }
}

/// Spawns work that nobody waits for any more. Without a runtime, it is abandoned with an event.
pub(crate) fn finish_in_background<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(work)),
        Err(_) => telemetry::commit_abandoned(),
    }
}
