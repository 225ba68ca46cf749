//! A thread that reads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::job::{BoxedJob, JobKind, JobReceiver};
use crate::table::Table;

/// How many reads one thread takes at once. They share one view of the file.
const MAX_BATCH: usize = 32;
/// How long answers are held back to be sent together: the first wakes a task, and the others find it awake.
const MAX_HELD_BACK: Duration = Duration::from_micros(200);

pub(crate) struct Reader {
    pub(crate) table: Table,
    /// All readers share it. One of them holds the lock and waits for calls; the others wait for the lock, or read.
    pub(crate) jobs: Arc<Mutex<JobReceiver>>,
}

impl Reader {
    /// Answers calls until the queue is closed and empty.
    pub(crate) fn run(self) {
        let (mut batch, mut answered) = (Vec::new(), Vec::new());
        while self.take(&mut batch) {
            batch.retain(|job| !job.is_abandoned());
            // The short reads of a batch do not wait for its lists.
            batch.sort_by_key(|job| job.kind() == JobKind::Scan);

            // One transaction for all spares each read its own locks. It begins after the calls were taken, so they see every
            // write that was acknowledged before they were made.
            self.table.leave_transaction();
            let is_shared = batch.len() > 1 && self.table.run("BEGIN").is_ok();
            self.read(&mut batch, &mut answered);
            if is_shared {
                let _ = self.table.run("COMMIT");
            }
            send(&mut answered);
        }
    }

    /// Waits for calls and takes those that wait. `false`: the queue is closed and empty.
    fn take(&self, batch: &mut Vec<BoxedJob>) -> bool {
        // Released before the calls are executed, so that another thread can take the next ones. A panic of another thread
        // leaves the receiver as it was.
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(first) = jobs.recv() else { return false };
        batch.push(first);
        batch.extend(jobs.try_iter().take(MAX_BATCH - 1));
        true
    }

    fn read(&self, batch: &mut Vec<BoxedJob>, answered: &mut Vec<BoxedJob>) {
        let mut sent = Instant::now();
        for mut job in batch.drain(..) {
            if job.kind() == JobKind::Scan {
                send(answered);
            }
            read(&mut job, &self.table);
            answered.push(job);
            let now = Instant::now();
            if now - sent >= MAX_HELD_BACK {
                send(answered);
                sent = now;
            }
        }
    }
}

fn send(answered: &mut Vec<BoxedJob>) {
    answered.drain(..).for_each(|job| job.finish(Ok(())));
}

/// Executes a call that reads, unless it has waited too long.
pub(crate) fn read(job: &mut BoxedJob, table: &Table) {
    if job.deadline() > Instant::now() {
        job.run(table);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc;
    use std::thread;

    use http_session_store::clock::SystemClock;
    use http_session_test_kit::{Folder, poll_once};
    use rusqlite::Connection;

    use super::*;
    use crate::job::{ask, queue};
    use crate::schema::Statements;

    fn table(path: &PathBuf) -> Table {
        let mut connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        let statements = Arc::new(Statements::new("sessions").unwrap());
        statements.prepare(&mut connection).unwrap();
        Table { connection, statements, clock: Arc::new(SystemClock::new()) }
    }

    #[test]
    fn a_read_does_not_wait_for_a_list() {
        for threads in [1, 2] {
            let folder = Folder::new();
            let (sender, receiver) = queue();
            let receiver = Arc::new(Mutex::new(receiver));
            let deadline = Instant::now() + Duration::from_secs(60);
            let (release, held) = mpsc::channel::<()>();
            let (begun, has_begun) = mpsc::channel();
            let work = move |_: &Table| {
                begun.send(()).unwrap();
                // Otherwise a list that is in the way would be there forever.
                Ok(held.recv_timeout(Duration::from_secs(30)).is_ok())
            };
            let read = || Box::pin(ask(&sender, deadline, JobKind::Read, |table| Ok(table.connection.is_autocommit())));
            let mut list = Box::pin(ask(&sender, deadline, JobKind::Scan, work));
            let mut first = read();
            // Both wait before a thread takes calls, so one thread has them in one batch.
            assert!(poll_once(&mut list).is_pending() && poll_once(&mut first).is_pending());
            let readers: Vec<_> = (0..threads)
                .map(|_| Reader { table: table(&folder.file()), jobs: Arc::clone(&receiver) })
                .map(|reader| thread::spawn(move || reader.run()))
                .collect();

            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(first).unwrap();
            has_begun.recv().unwrap();
            for _ in 0..if threads > 1 { 200 } else { 0 } {
                runtime.block_on(read()).unwrap();
            }
            release.send(()).unwrap();
            assert!(runtime.block_on(list).unwrap());
            drop(sender);
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        }
    }

    /// Each of the calls takes long, as from a slow disk.
    #[test]
    fn a_second_thread_takes_what_waits_behind_a_batch() {
        let folder = Folder::new();
        let (sender, receiver) = queue();
        let receiver = Arc::new(Mutex::new(receiver));
        let deadline = Instant::now() + Duration::from_secs(60);
        let work = |_: &Table| {
            thread::sleep(Duration::from_millis(4));
            Ok(thread::current().id())
        };
        let mut calls: Vec<_> =
            (0..2 * MAX_BATCH).map(|_| Box::pin(ask(&sender, deadline, JobKind::Read, work))).collect();
        assert!(calls.iter_mut().all(|call| poll_once(call).is_pending()));
        let readers: Vec<_> = (0..2)
            .map(|_| Reader { table: table(&folder.file()), jobs: Arc::clone(&receiver) })
            .map(|reader| thread::spawn(move || reader.run()))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut threads: Vec<_> = calls.into_iter().map(|call| runtime.block_on(call).unwrap()).collect();
        threads.dedup();
        assert_eq!(threads.len(), 2, "each thread has one batch");
        drop(sender);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    }

    #[test]
    fn a_view_that_was_left_open_hides_nothing() {
        let folder = Folder::new();
        let (stale, other) = (table(&folder.file()), table(&folder.file()));
        stale.run("BEGIN").unwrap();
        assert_eq!(stale.count(0).unwrap().live, 0);
        let sql = "INSERT INTO sessions VALUES ('a', 9000000000000, 0, 0, zeroblob(32), NULL, 0, 0, 0, 0, NULL, NULL, '{}', '{}')";
        other.connection.execute_batch(sql).unwrap();

        let (sender, receiver) = queue();
        let reader = Reader { table: stale, jobs: Arc::new(Mutex::new(receiver)) };
        let thread = thread::spawn(move || reader.run());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let late = ask(&sender, Instant::now(), JobKind::Scan, |table| table.count(0));
        assert!(runtime.block_on(late).is_err());
        let count = ask(&sender, Instant::now() + Duration::from_secs(5), JobKind::Scan, |table| table.count(0));
        assert_eq!(runtime.block_on(count).unwrap().live, 1);
        drop(sender);
        thread.join().unwrap();
    }
}
