//! A thread that reads.

use std::sync::Arc;
use std::time::Instant;

use super::job::{Abandoning, BoxedJob, Jobs, too_late};
use super::table::Table;

/// Calls that share a view of the file, at most: the other readers shall have some too.
const BATCH: usize = 32;

pub(super) struct Reader {
    pub(super) table: Table,
    pub(super) jobs: Arc<Jobs>,
}

impl Reader {
    /// Until the queue is closed and empty.
    pub(super) fn run(self) {
        let _abandoning = Abandoning(Arc::clone(&self.jobs));
        let mut batch = Vec::new();
        while self.jobs.take(&mut batch, BATCH, None) {
            batch.retain(|job| !job.is_abandoned());
            // The view is as new as the first statement, so it has whatever was written before these calls. It spares each its
            // own locks.
            self.table.leave_transaction();
            let shares = batch.len() > 1 && self.table.run("BEGIN").is_ok();
            batch.drain(..).for_each(|job| answer(job, &self.table));
            if shares {
                let _ = self.table.run("COMMIT");
            }
        }
    }
}

/// Runs a call that reads. It is answered at once, since those behind it may take long.
pub(super) fn answer(mut job: BoxedJob, table: &Table) {
    if job.deadline() <= Instant::now() {
        return job.finish(Err(too_late()));
    }
    job.run(table);
    job.finish(Ok(()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;

    use super::super::job::{Access, ask};
    use super::super::schema::Statements;
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn a_view_that_was_left_open_hides_nothing() {
        let path = std::env::temp_dir().join(format!("http-session-reader-{:016x}.db", rand::random::<u64>()));
        let statements = Arc::new(Statements::new("sessions").unwrap());
        let table = || {
            let connection = Connection::open(&path).unwrap();
            Table { connection, statements: Arc::clone(&statements), clock: Arc::new(SystemClock::new()) }
        };
        let mut other = table();
        other.connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        statements.prepare(&mut other.connection).unwrap();

        let table = table();
        table.run("BEGIN").unwrap();
        assert_eq!(table.count(0).unwrap().live, 0);
        let sql = "INSERT INTO sessions VALUES ('a', 9000000000000, 0, 0, zeroblob(32), NULL, 0, 0, 0, 0, NULL, NULL, '{}', '{}')";
        other.connection.execute_batch(sql).unwrap();

        let jobs = Arc::new(Jobs::new());
        let reader = Reader { table, jobs: Arc::clone(&jobs) };
        let thread = std::thread::spawn(move || reader.run());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let late = ask(&jobs, Instant::now(), Access::Read, |table| table.count(0));
        assert!(runtime.block_on(late).is_err());
        let count = ask(&jobs, Instant::now() + Duration::from_secs(5), Access::Read, |table| table.count(0));
        assert_eq!(runtime.block_on(count).unwrap().live, 1);
        jobs.close();
        thread.join().unwrap();
        drop(other);
        let _ = std::fs::remove_file(path);
    }
}
