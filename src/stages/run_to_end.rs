//! Work that has begun runs to its end, even if nobody waits for it.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::telemetry;

/// A future that runs to its end even if nobody waits for it any more: a write that has been sent is not cut off (R11).
pub(crate) struct RunToEnd<T: Send + 'static>(Work<T>);

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Work<T: Send + 'static> {
    New(Boxed<T>),
    /// Begun, and driven by who polls it. Goes on in a task when it is dropped.
    Begun(Boxed<T>),
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
        // Taken out while it runs: if it panics, nobody resumes it.
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
                    // The runtime is going down.
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

/// A call of a handler. Once it waits, a task drives it: others wait for it, so it must not depend on being polled.
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

/// Spawns work that nobody waits for any more; outside of a runtime there is nobody to do it.
pub(crate) fn finish_in_background<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(work)),
        Err(_) => telemetry::commit_abandoned(),
    }
}
