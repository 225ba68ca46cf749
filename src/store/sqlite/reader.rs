//! A thread that reads.

use std::sync::Arc;

use super::job::{Abandoning, Jobs};
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
            batch.iter_mut().for_each(|job| job.run(&self.table));
            if shares {
                let _ = self.table.run("COMMIT");
            }
            batch.drain(..).for_each(|job| job.finish(Ok(())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;

    use super::super::job::ask;
    use super::super::schema::Statements;
    use super::*;
    use crate::clock::SystemClock;
    use crate::error::StoreErrorKind;

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
        assert_eq!(table.len().unwrap(), 0);
        let sql = "INSERT INTO sessions VALUES ('a', 9000000000000, 0, 0, zeroblob(32), NULL, 0, 0, 0, 0, NULL, NULL, '{}', '{}')";
        other.connection.execute_batch(sql).unwrap();

        let jobs = Arc::new(Jobs::new());
        let reader = Reader { table, jobs: Arc::clone(&jobs) };
        let thread = std::thread::spawn(move || reader.run());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let len = ask(&jobs, Duration::from_secs(5), StoreErrorKind::Unavailable, Table::len);
        assert_eq!(runtime.block_on(len).unwrap(), 1);
        jobs.close();
        thread.join().unwrap();
        drop(other);
        let _ = std::fs::remove_file(path);
    }
}
