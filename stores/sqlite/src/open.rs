//! Opening a file, and starting the threads of a store.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::failure;
use crate::job::queue;
use crate::location::Location;
use crate::options::{SqliteOptions, Synchronous};
use crate::reader::Reader;
use crate::schema::Statements;
use crate::store::{Shared, SqliteStore};
use crate::table::Table;
use crate::writer::{Writer, wait_for_others};

/// How many pages of 4 KiB the log has before they are moved into the file. SQLite's default of 1000 waits for the disk often and
/// saves little room: sessions are small and far apart, so nearly each of them is on a page of its own.
const CHECKPOINT_PAGES: i64 = 4000;
/// How many bytes the log keeps after a large transaction of another connection.
const MAX_LOG: i64 = 16 << 20;
/// More than there are, so that none is prepared twice.
const MAX_CACHED_STATEMENTS: usize = 32;

impl SqliteStore {
    /// Opens a file with the default options, and creates it if it is missing. See [`SqliteOptions::connect`].
    ///
    /// # Errors
    /// As of [`SqliteOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::options().connect(url).await
    }
}

impl SqliteOptions {
    /// Opens the file and its tables, and creates those that are missing.
    ///
    /// | URL | |
    /// |---|---|
    /// | `sqlite:sessions.db` | a file, relative to the working directory |
    /// | `sqlite:///var/lib/app/sessions.db` | a file |
    /// | `sqlite::memory:` | in memory, until the store is dropped |
    ///
    /// The path is percent-encoded: a `?` is `%3F`. A new file can be read only by its owner.
    ///
    /// # Errors
    /// The URL or the table name is not valid, the table belongs to another program, or the file cannot be opened or written.
    ///
    /// ```no_run
    /// # use http_session_sqlite::SqliteStore;
    /// # async fn connect() -> Result<(), http_session_store::error::ConnectError> {
    /// let store = SqliteStore::options().connections(8).connect("sqlite:///var/lib/app/sessions.db").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(self, url: &str) -> Result<SqliteStore, ConnectError> {
        open(Location::from_url(url)?, self).await
    }

    /// Opens the file at a path, which may contain any characters. Otherwise as [`connect`](Self::connect).
    ///
    /// # Errors
    /// The table name is not valid, the table belongs to another program, or the file cannot be opened or written.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, ConnectError> {
        open(Location::from_path(path.as_ref()), self).await
    }
}

/// Opens everything on the writer's thread: SQLite blocks, and the task that awaits must not.
async fn open(location: Location, options: SqliteOptions) -> Result<SqliteStore, ConnectError> {
    let (ready, opened) = oneshot::channel();
    let work = move || match Opening::new(options).and_then(|opening| opening.run(&location)) {
        Ok((writer, store)) => {
            // If the caller has stopped waiting, this drops the store, and the writer ends at once.
            let _ = ready.send(Ok(store));
            writer.run();
        }
        Err(error) => _ = ready.send(Err(failure::of_opening(error))),
    };
    spawn("sqlite writer", work)?;
    opened.await.unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Unavailable).into()))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ConnectError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(of_system)
}

/// A store that is being opened.
pub(crate) struct Opening {
    options: SqliteOptions,
    statements: Arc<Statements>,
}

impl Opening {
    pub(crate) fn new(options: SqliteOptions) -> Result<Self, ConnectError> {
        let statements = Arc::new(Statements::new(&options.table)?);
        Ok(Self { options, statements })
    }

    fn run(self, location: &Location) -> Result<(Writer, SqliteStore), ConnectError> {
        match location {
            Location::File(path) => self.start(open_file(path)?, Some(path)),
            Location::Memory => self.start(Connection::open_in_memory().map_err(failure::of_statement)?, None),
        }
    }

    /// Starts the readers. The writer is for the thread that runs this.
    pub(crate) fn start(
        self,
        mut connection: Connection,
        file: Option<&Path>,
    ) -> Result<(Writer, SqliteStore), ConnectError> {
        self.prepare_writer(&mut connection, file.is_some())?;
        let (writes, writer_jobs) = queue();
        let (reads, reader_jobs) = queue();
        let reader_jobs = Arc::new(Mutex::new(reader_jobs));
        let mut readers = Vec::new();
        // A database in memory belongs to one connection, so its writer reads too.
        if let Some(file) = file {
            for _ in 1..self.options.connections {
                readers.push(Reader { table: self.table(self.open_reader(file)?), jobs: Arc::clone(&reader_jobs) });
            }
        }
        let reads = if readers.is_empty() { writes.clone() } else { reads };
        let readers: Result<_, _> =
            readers.into_iter().map(|reader| spawn("sqlite reader", move || reader.run())).collect();
        let (sweep, time_limit) = (self.options.sweep, self.options.time_limit);
        // If a thread could not be started, the others end when these senders are dropped.
        let store = SqliteStore::new(Shared { writes, reads, time_limit, batch_size: sweep.batch_size() });
        Ok((Writer { table: self.table(connection), jobs: writer_jobs, sweep, readers: readers? }, store))
    }

    fn table(&self, connection: Connection) -> Table {
        Table { connection, statements: Arc::clone(&self.statements), clock: Arc::clone(&self.options.clock) }
    }

    fn prepare_writer(&self, connection: &mut Connection, is_file: bool) -> Result<(), ConnectError> {
        self.prepare(connection).map_err(failure::of_statement)?;
        // Before anything is written, so that a file that is refused stays as it is.
        self.statements.is_missing(connection)?;
        if is_file && self.use_log(connection).map_err(failure::of_statement)? != "wal" {
            return Err(StoreError::new(StoreErrorKind::Refused)
                .with_reason("the file cannot have a log beside it")
                .into());
        }
        let synchronous = match self.options.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous).map_err(failure::of_statement)?;
        // On macOS, `fsync` returns when the disk has received the data, before it is stored.
        for pragma in ["fullfsync", "checkpoint_fullfsync"] {
            connection.pragma_update(None, pragma, true).map_err(failure::of_statement)?;
        }
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failure::of_statement)?;
        connection.pragma_update(None, "journal_size_limit", MAX_LOG).map_err(failure::of_statement)?;
        self.statements.prepare(connection)?;
        // From here on the writer's own wait. SQLite's would hold up calls whose deadline has passed.
        connection.busy_handler(Some(wait_for_others)).map_err(failure::of_statement)?;
        // SQLite opens a file without an error that the process may only read, and even begins a transaction. This sweep of no rows
        // finds out. Another process that writes meanwhile is no obstacle.
        match connection.execute(&self.statements.sweep, (0, 0)) {
            Err(error) if !failure::is_busy(&error) => Err(failure::of_statement(error).into()),
            _ => Ok(()),
        }
    }

    /// Asks for a log beside the file, and answers what SQLite chose. SQLite does not wait by itself when another process asks at
    /// the same moment.
    fn use_log(&self, connection: &Connection) -> rusqlite::Result<String> {
        let until = Instant::now() + self.options.time_limit;
        loop {
            match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
                Err(error) if failure::is_busy(&error) && Instant::now() < until => _ = wait_for_others(0),
                mode => return mode,
            }
        }
    }

    fn open_reader(&self, file: &Path) -> Result<Connection, StoreError> {
        let connection = connect(file)?;
        self.prepare(&connection).map_err(failure::of_statement)?;
        connection.pragma_update(None, "query_only", true).map_err(failure::of_statement)?;
        // SQLite opens a file lazily. This reads it, so that an error comes now and not at the first request.
        connection.prepare_cached(&self.statements.load).map_err(failure::of_statement)?;
        Ok(connection)
    }

    fn prepare(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.options.time_limit)?;
        connection.set_prepared_statement_cache_capacity(MAX_CACHED_STATEMENTS);
        Ok(())
    }
}

/// Creates the file if it is missing. It holds personal data, so only its owner may read it. SQLite gives its `-wal` and `-shm`
/// files the same permissions.
pub(crate) fn open_file(path: &Path) -> Result<Connection, ConnectError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(of_system(error)),
    }
    Ok(connect(path)?)
}

/// Without SQLite's own locks, since each connection stays on one thread; and without `CREATE` and `URI`: a path is only a path.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(failure::of_statement)
}

fn of_system(error: std::io::Error) -> ConnectError {
    let (kind, reason) = match error.kind() {
        ErrorKind::NotFound => (StoreErrorKind::Refused, "its directory does not exist".to_owned()),
        kind @ (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            (StoreErrorKind::Refused, kind.to_string())
        }
        kind => (StoreErrorKind::Unavailable, kind.to_string()),
    };
    StoreError::new(kind).with_source(error).with_reason(reason).into()
}

#[cfg(test)]
mod tests {
    use http_session_test_kit::Folder;

    use super::*;

    #[test]
    fn a_commit_waits_for_what_the_options_say() {
        for (synchronous, number) in [(Synchronous::Normal, 1), (Synchronous::Full, 2)] {
            let folder = Folder::new();
            let mut connection = open_file(&folder.file()).unwrap();
            let opening = Opening::new(SqliteOptions::new().synchronous(synchronous)).unwrap();
            opening.prepare_writer(&mut connection, true).unwrap();
            let value = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(value("synchronous"), number);
            assert_eq!(value("wal_autocheckpoint"), CHECKPOINT_PAGES);
            assert_eq!(
                (value("fullfsync"), value("checkpoint_fullfsync"), value("journal_size_limit")),
                (1, 1, MAX_LOG)
            );
        }
        assert_eq!(Synchronous::default(), Synchronous::Full);
    }

    /// As SQLite opens a file that the process may only read.
    #[test]
    fn a_file_that_cannot_be_written_is_refused_with_a_reason() {
        let folder = Folder::new();
        let opening = || Opening::new(SqliteOptions::new()).unwrap();
        opening().prepare_writer(&mut open_file(&folder.file()).unwrap(), true).unwrap();
        let mut connection = Connection::open_with_flags(folder.file(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let error = failure::of_opening(opening().prepare_writer(&mut connection, true).unwrap_err());
        assert_eq!(error.to_string(), "the session store refused the call: the file or its directory is read-only");
        let ConnectError::Store(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), StoreErrorKind::Refused);
    }
}
