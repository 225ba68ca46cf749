//! The thread that writes: group commit.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::failure;
use super::job::{Abandoning, Access, BoxedJob, Jobs, too_late};
use super::reader::answer;
use super::table::Table;
use http_session_store::Sweep;
use http_session_store::error::{StoreError, StoreErrorKind};

/// Calls that share a transaction, and so one `fsync`, at most.
const BATCH: usize = 256;

/// The one writer of this process. Calls that arrive while a transaction is on its way to the disk are the next one.
pub(super) struct Writer {
    pub(super) table: Table,
    pub(super) jobs: Arc<Jobs>,
    pub(super) sweep: Sweep,
    pub(super) readers: Vec<JoinHandle<()>>,
}

/// What became of a transaction that was not committed.
enum Failed {
    /// SQLite rolled it back in the middle, since a statement failed. That one's call knows why.
    RolledBack,
    /// Its end failed.
    Commit(rusqlite::Error),
}

impl Writer {
    /// Until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _abandoning = Abandoning(Arc::clone(&self.jobs));
        let mut batch = Vec::new();
        let mut sweep_at = self.next_sweep();
        while self.jobs.take(0, &mut batch, BATCH, sweep_at) {
            self.read(&mut batch);
            self.write(&mut batch);
            if sweep_at.is_some_and(|at| at <= Instant::now()) && !self.sweep_some() {
                sweep_at = self.next_sweep();
            }
        }
        // The last connection that is closed moves what is in the log into the file, so that has to be this one.
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }

    /// Where there is no thread for those that read: they do not wait for others that write.
    fn read(&self, batch: &mut Vec<BoxedJob>) {
        self.table.leave_transaction();
        for mut job in batch.extract_if(.., |job| job.access() != Access::Write) {
            answer(&mut job, &self.table);
            job.finish(Ok(()));
        }
    }

    fn write(&self, batch: &mut Vec<BoxedJob>) {
        if !self.begin(batch) {
            return;
        }
        match self.attempt(batch) {
            Ok(()) => batch.drain(..).for_each(|job| job.finish(Ok(()))),
            // What undid the others may be the fault of one, as where there is room for all but a large one.
            Err(failed) if batch.len() > 1 && failed.wrote_nothing() => {
                let mut others = batch.split_off(batch.len() / 2);
                self.write(batch);
                self.write(&mut others);
            }
            Err(failed) => batch.drain(..).for_each(|job| job.finish(Err(failed.error()))),
        }
    }

    /// Begins a transaction; `false` where none of the calls may wait any longer.
    fn begin(&self, batch: &mut Vec<BoxedJob>) -> bool {
        // A write that was sent is carried out though nobody waits for it, as long as somebody might have.
        give_up_late(batch, too_late);
        self.table.leave_transaction();
        loop {
            if batch.is_empty() {
                return false;
            }
            // At once for writing: a transaction that has read first might be refused later, and could not wait.
            let Err(error) = self.table.run("BEGIN IMMEDIATE") else { return true };
            if failure::is_busy(&error) {
                give_up_late(batch, || failure::of_begin(&error));
            } else {
                batch.drain(..).for_each(|job| job.finish(Err(failure::of_begin(&error))));
            }
        }
    }

    /// Runs the calls of a transaction that has begun, and ends it.
    fn attempt(&self, batch: &mut [BoxedJob]) -> Result<(), Failed> {
        for job in batch {
            job.run(&self.table);
            if self.table.connection.is_autocommit() {
                return Err(Failed::RolledBack);
            }
        }
        self.table.run("COMMIT").map_err(|error| {
            self.table.leave_transaction();
            Failed::Commit(error)
        })
    }

    /// One batch; whether there is more to remove. Where it fails, the next time will do.
    fn sweep_some(&self) -> bool {
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

impl Failed {
    fn wrote_nothing(&self) -> bool {
        self.error().kind() != StoreErrorKind::Unknown
    }

    fn error(&self) -> StoreError {
        match self {
            Self::RolledBack => StoreError::new(StoreErrorKind::Unavailable),
            Self::Commit(error) => failure::of_commit(error),
        }
    }
}

/// Calls that have waited as long as they may, and why in vain.
fn give_up_late(batch: &mut Vec<BoxedJob>, why: impl Fn() -> StoreError) {
    let now = Instant::now();
    for job in batch.extract_if(.., |job| job.deadline() <= now) {
        job.finish(Err(why()));
    }
}

/// How SQLite waits for another process that writes: often and briefly, up to about 20 milliseconds. Then the writer looks who
/// still wants to wait.
pub(super) fn wait_for_others(times: i32) -> bool {
    thread::sleep(Duration::from_micros(rand::random_range(100..1500)));
    times < 25
}
