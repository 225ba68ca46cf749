//! The thread that writes: group commit.

use std::sync::mpsc::RecvTimeoutError;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_session_store::Sweep;
use http_session_store::error::{StoreError, StoreErrorKind};

use crate::failure;
use crate::job::{BoxedJob, JobKind, JobReceiver, too_late};
use crate::reader::read;
use crate::table::Table;

/// How many writes share a transaction, and so one wait for the disk.
const MAX_BATCH: usize = 256;

/// The only writer of this process. Calls that arrive while a transaction is on its way to the disk share the next one.
pub(crate) struct Writer {
    pub(crate) table: Table,
    pub(crate) jobs: JobReceiver,
    pub(crate) sweep: Sweep,
    pub(crate) readers: Vec<JoinHandle<()>>,
}

/// Why a transaction was not committed.
enum TransactionError {
    /// A statement failed and SQLite rolled back the whole transaction. The call of that statement has the reason.
    RolledBack,
    /// The `COMMIT` failed.
    Commit(rusqlite::Error),
}

impl Writer {
    /// Answers calls and sweeps, until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut batch = Vec::new();
        let mut sweep_at = self.next_sweep();
        while self.take(&mut batch, sweep_at) {
            self.read(&mut batch);
            self.write(&mut batch);
            if sweep_at.is_some_and(|at| at <= Instant::now()) && !self.sweep_batch() {
                sweep_at = self.next_sweep();
            }
        }
        // SQLite moves the log into the file when the last connection is closed. That has to be this one, since the connections
        // of the readers are not allowed to write.
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }

    /// Waits for calls, or until that moment, and takes those that wait. `false`: the queue is closed and empty.
    fn take(&self, batch: &mut Vec<BoxedJob>, until: Option<Instant>) -> bool {
        let first = match until {
            None => self.jobs.recv().map_err(RecvTimeoutError::from),
            Some(until) => self.jobs.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        match first {
            Ok(first) => batch.push(first),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        batch.extend(self.jobs.try_iter().take(MAX_BATCH - 1));
        true
    }

    /// Answers the calls that read, where this is the only connection. They do not wait for another process that writes.
    fn read(&self, batch: &mut Vec<BoxedJob>) {
        self.table.leave_transaction();
        for mut job in batch.extract_if(.., |job| job.kind() != JobKind::Write) {
            read(&mut job, &self.table);
            job.finish(Ok(()));
        }
    }

    fn write(&self, batch: &mut Vec<BoxedJob>) {
        if !self.begin(batch) {
            return;
        }
        match self.execute(batch) {
            Ok(()) => batch.drain(..).for_each(|job| job.finish(Ok(()))),
            // One call may be the reason that none was committed: a large record, when there is room for the others. So the
            // halves are tried again, each in a transaction of its own.
            Err(error) if batch.len() > 1 && error.wrote_nothing() => {
                let mut others = batch.split_off(batch.len() / 2);
                self.write(batch);
                self.write(&mut others);
            }
            Err(error) => batch.drain(..).for_each(|job| job.finish(Err(error.as_store_error()))),
        }
    }

    /// Begins a transaction. `false`: all calls were answered, since none of them may wait any longer.
    fn begin(&self, batch: &mut Vec<BoxedJob>) -> bool {
        // A write whose caller has hung up is carried out all the same, until its deadline: the caller cannot know whether it
        // was sent, and a sign-out must not be lost because a browser closed the connection.
        give_up_late(batch, too_late);
        self.table.leave_transaction();
        loop {
            if batch.is_empty() {
                return false;
            }
            // `IMMEDIATE` takes the lock for writing now. A transaction that reads first is refused with `BUSY` when it writes,
            // without a wait, if another process has written in between.
            let Err(error) = self.table.run("BEGIN IMMEDIATE") else { return true };
            if failure::is_busy(&error) {
                give_up_late(batch, || failure::of_begin(&error));
            } else {
                batch.drain(..).for_each(|job| job.finish(Err(failure::of_begin(&error))));
            }
        }
    }

    /// Executes the calls in the transaction that has begun, and commits it. No call is answered before.
    fn execute(&self, batch: &mut [BoxedJob]) -> Result<(), TransactionError> {
        for job in batch {
            job.run(&self.table);
            // Some errors, such as a full disk, roll back the whole transaction. What follows would be committed on its own.
            if self.table.connection.is_autocommit() {
                return Err(TransactionError::RolledBack);
            }
        }
        self.table.run("COMMIT").map_err(|error| {
            self.table.leave_transaction();
            TransactionError::Commit(error)
        })
    }

    /// Removes one batch of expired rows. `true`: there are more. After a failure the next sweep tries again.
    fn sweep_batch(&self) -> bool {
        let rows = self.sweep.batch_size();
        let swept = match self.table.sweep(rows) {
            Ok(removed) if removed == rows => return true,
            Ok(_) => self.table.sweep_generations().map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            Sweep::report_failure(&error);
        }
        false
    }

    fn next_sweep(&self) -> Option<Instant> {
        Instant::now().checked_add(self.sweep.pause()?)
    }
}

impl TransactionError {
    /// Whether it is certain that nothing was written. Only then may the calls be tried again (R10).
    fn wrote_nothing(&self) -> bool {
        self.as_store_error().kind() != StoreErrorKind::Unknown
    }

    fn as_store_error(&self) -> StoreError {
        match self {
            Self::RolledBack => StoreError::new(StoreErrorKind::Unavailable),
            Self::Commit(error) => failure::of_commit(error),
        }
    }
}

/// Answers the calls whose deadline has passed.
fn give_up_late(batch: &mut Vec<BoxedJob>, why: impl Fn() -> StoreError) {
    let now = Instant::now();
    for job in batch.extract_if(.., |job| job.deadline() <= now) {
        job.finish(Err(why()));
    }
}

/// SQLite's busy handler: how the writer waits for another process that writes. It waits briefly and often, for about 20
/// milliseconds in all. Then [`Writer::begin`] gives up the calls whose deadline has passed, and tries again.
pub(crate) fn wait_for_others(times: i32) -> bool {
    // Random, so that two processes do not try at the same moments again and again.
    thread::sleep(Duration::from_micros(rand::random_range(100..1500)));
    times < 25
}
