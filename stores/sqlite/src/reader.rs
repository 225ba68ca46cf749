//! A thread that reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::{Abandoning, Access, BoxedJob, Jobs, too_late};
use super::queue::MOMENT;
use super::table::Table;

/// Calls that share a view of the file, at most: the other readers shall have some too.
const BATCH: usize = 32;
/// How long answers are kept for others to go with them (and as long as the read takes that is under way then): the first wakes
/// somebody up, and they find him awake.
const KEPT: Duration = Duration::from_micros(200);

pub(super) struct Reader {
    /// From zero on.
    pub(super) number: usize,
    pub(super) table: Table,
    pub(super) jobs: Arc<Jobs>,
}

impl Reader {
    /// Until the queue is closed and empty.
    pub(super) fn run(self) {
        let _abandoning = Abandoning(Arc::clone(&self.jobs));
        let (mut batch, mut answered) = (Vec::new(), Vec::new());
        while self.jobs.take(self.number, &mut batch, BATCH, None) {
            batch.retain(|job| !job.is_abandoned());
            // None of the others shall wait for them.
            batch.sort_by_key(|job| job.access() == Access::Scan);
            // The view is as new as the first statement, so it has whatever was written before these calls. It spares each its
            // own locks.
            self.table.leave_transaction();
            let shares = batch.len() > 1 && self.table.run("BEGIN").is_ok();
            self.read(&mut batch, &mut answered);
            if shares {
                let _ = self.table.run("COMMIT");
            }
            deliver(&mut answered);
        }
    }

    /// Keeps answers for a short while. Where a call takes long, those before it are answered, and what waits is left to others.
    fn read(&self, batch: &mut Vec<BoxedJob>, answered: &mut Vec<BoxedJob>) {
        let began = Instant::now();
        let mut since = began;
        let mut jobs = batch.drain(..);
        while let Some(mut job) = jobs.next() {
            if job.access() == Access::Scan {
                deliver(answered);
                self.jobs.pass_on(self.number);
            }
            answer(&mut job, &self.table);
            answered.push(job);
            let now = Instant::now();
            if now - since >= KEPT {
                deliver(answered);
                since = now;
            }
            if now - began >= MOMENT && jobs.len() > 0 {
                self.jobs.pass_on(self.number);
            }
        }
    }
}

fn deliver(answered: &mut Vec<BoxedJob>) {
    answered.drain(..).for_each(|job| job.finish(Ok(())));
}

/// Runs a call that reads.
pub(super) fn answer(job: &mut BoxedJob, table: &Table) {
    if job.deadline() <= Instant::now() {
        job.fail(too_late());
    } else {
        job.run(table);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc;

    use rusqlite::Connection;

    use super::super::job::ask;
    use super::super::schema::Statements;
    use super::*;
    use http_session_store::clock::SystemClock;

    /// A new file, and as many readers of it as asked.
    fn readers(count: usize) -> (PathBuf, Vec<Table>) {
        let path = std::env::temp_dir().join(format!("http-session-reader-{:016x}.db", rand::random::<u64>()));
        let statements = Arc::new(Statements::new("sessions").unwrap());
        let table = || {
            let connection = Connection::open(&path).unwrap();
            Table { connection, statements: Arc::clone(&statements), clock: Arc::new(SystemClock::new()) }
        };
        let mut tables: Vec<_> = (0..count).map(|_| table()).collect();
        let first = tables.first_mut().unwrap();
        first.connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        statements.prepare(&mut first.connection).unwrap();
        (path, tables)
    }

    #[test]
    fn nobody_waits_for_a_list() {
        for threads in [1, 2] {
            let (path, tables) = readers(threads);
            let jobs = Arc::new(Jobs::new(threads));
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            let deadline = Instant::now() + Duration::from_secs(60);
            let (release, held) = mpsc::channel::<()>();
            let (begun, has_begun) = mpsc::channel();
            let work = move |_: &Table| {
                begun.send(()).unwrap();
                // Else a list that is in the way would be so for ever.
                Ok(held.recv_timeout(Duration::from_secs(30)).is_ok())
            };
            let queue = Arc::clone(&jobs);
            let list = runtime.spawn(async move { ask(&queue, deadline, Access::Scan, work).await });
            // In one batch with it, where there is one thread.
            let queue = Arc::clone(&jobs);
            let read = move || {
                let queue = Arc::clone(&queue);
                async move { ask(&queue, deadline, Access::Read, |table| Ok(table.connection.is_autocommit())).await }
            };
            let first = runtime.spawn(read());
            while jobs.len() < 2 {
                std::thread::yield_now();
            }
            let threads: Vec<_> = tables
                .into_iter()
                .zip(0..)
                .map(|(table, number)| Reader { number, table, jobs: Arc::clone(&jobs) })
                .map(|reader| std::thread::spawn(move || reader.run()))
                .collect();
            runtime.block_on(first).unwrap().unwrap();
            has_begun.recv().unwrap();
            for _ in 0..if threads.len() > 1 { 200 } else { 0 } {
                runtime.block_on(read()).unwrap();
            }
            release.send(()).unwrap();
            assert!(runtime.block_on(list).unwrap().unwrap());
            jobs.close();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            let _ = std::fs::remove_file(path);
        }
    }

    #[test]
    fn a_view_that_was_left_open_hides_nothing() {
        let (path, mut tables) = readers(2);
        let (table, other) = (tables.pop().unwrap(), tables.pop().unwrap());
        table.run("BEGIN").unwrap();
        assert_eq!(table.count(0).unwrap().live, 0);
        let sql = "INSERT INTO sessions VALUES ('a', 9000000000000, 0, 0, zeroblob(32), NULL, 0, 0, 0, 0, NULL, NULL, '{}', '{}')";
        other.connection.execute_batch(sql).unwrap();

        let jobs = Arc::new(Jobs::new(1));
        let reader = Reader { number: 0, table, jobs: Arc::clone(&jobs) };
        let thread = std::thread::spawn(move || reader.run());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let late = ask(&jobs, Instant::now(), Access::Scan, |table| table.count(0));
        assert!(runtime.block_on(late).is_err());
        let count = ask(&jobs, Instant::now() + Duration::from_secs(5), Access::Scan, |table| table.count(0));
        assert_eq!(runtime.block_on(count).unwrap().live, 1);
        jobs.close();
        thread.join().unwrap();
        drop(other);
        let _ = std::fs::remove_file(path);
    }
}
