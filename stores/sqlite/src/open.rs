//! Opening a file, and the threads behind a store.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::job::Jobs;
use super::options::{SqliteOptions, Synchronous};
use super::reader::Reader;
use super::schema::Statements;
use super::table::Table;
use super::writer::{Writer, wait_for_others};
use super::{Handle, SqliteStore, failure};
use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};

/// Where the sessions are.
pub(super) enum Place {
    File(PathBuf),
    Memory,
    Connection(Connection),
}

impl Place {
    pub(super) fn of_url(url: &str) -> Result<Self, ConnectError> {
        let Some(place) = url.strip_prefix("sqlite:") else {
            return Err(ConnectError::UnknownScheme { known: &["sqlite:"], features: &[] });
        };
        if place == ":memory:" {
            return Ok(Self::Memory);
        }
        let path = match place.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => {
                return Err(ConnectError::InvalidUrl(
                    "behind `sqlite://` comes a path that begins with `/`; a relative one comes behind `sqlite:`",
                ));
            }
            None => place,
        };
        if path.is_empty() || path.ends_with('/') {
            return Err(ConnectError::InvalidUrl("it names no file"));
        }
        if path.contains(['?', '#']) {
            return Err(ConnectError::InvalidUrl(
                "it has options, which are `SqliteOptions` here (in a path `?` is `%3F`)",
            ));
        }
        match percent_decode_str(path).decode_utf8() {
            Ok(path) if !path.contains('\0') => Ok(Self::of_path(Path::new(&*path))),
            _ => Err(ConnectError::InvalidUrl("its path is no text")),
        }
    }

    pub(super) fn of_path(path: &Path) -> Self {
        // SQLite takes these for something else than the file of that name.
        let is_special =
            [":", "file:"].iter().any(|start| path.as_os_str().as_encoded_bytes().starts_with(start.as_bytes()));
        Self::File(if is_special { Path::new(".").join(path) } else { path.to_owned() })
    }
}

/// Opens everything on the writer's thread, so that nobody who awaits is blocked.
pub(super) async fn open(place: Place, options: SqliteOptions) -> Result<SqliteStore, ConnectError> {
    let (ready, opened) = oneshot::channel();
    let work = move || match Opening::new(options).and_then(|opening| opening.run(place)) {
        Ok((writer, store)) => {
            // Where nobody waits any more, the store is dropped here, and the writer ends at once.
            let _ = ready.send(Ok(store));
            writer.run();
        }
        Err(error) => _ = ready.send(Err(failure::of_opening(error))),
    };
    spawn("sqlite writer", work)?;
    opened.await.unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Unavailable).into()))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, ConnectError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(of_system)
}

struct Opening {
    options: SqliteOptions,
    statements: Arc<Statements>,
}

impl Opening {
    fn new(options: SqliteOptions) -> Result<Self, ConnectError> {
        let statements = Arc::new(Statements::new(&options.table)?);
        Ok(Self { options, statements })
    }

    fn run(self, place: Place) -> Result<(Writer, SqliteStore), ConnectError> {
        let mut connection = match place {
            Place::File(path) => open_file(&path)?,
            Place::Memory => Connection::open_in_memory().map_err(failure::of_statement)?,
            Place::Connection(connection) => connection,
        };
        let file = connection.path().filter(|path| !path.is_empty()).map(PathBuf::from);
        self.prepare_writer(&mut connection, file.is_some())?;

        // What is in memory is in one connection alone, and its writer reads too.
        let others = if file.is_some() { self.options.connections.saturating_sub(1) } else { 0 };
        let reads = Arc::new(Jobs::new(others));
        let mut readers = Vec::new();
        for number in 0..others {
            let Some(file) = &file else { break };
            let reader = Reader { number, table: self.table(self.open_reader(file)?), jobs: Arc::clone(&reads) };
            readers.push(reader);
        }
        let writes = Arc::new(Jobs::new(1));
        let reads = if readers.is_empty() { Arc::clone(&writes) } else { reads };
        // Whatever fails from here on, the queues are closed and the threads end.
        let store = SqliteStore(Arc::new(Handle {
            writes: Arc::clone(&writes),
            reads,
            time_limit: self.options.time_limit,
            batch: self.options.sweep.batch_size(),
        }));
        let started: Result<_, _> =
            readers.into_iter().map(|reader| spawn("sqlite reader", move || reader.run())).collect();
        let sweep = self.options.sweep;
        Ok((Writer { table: self.table(connection), jobs: writes, sweep, readers: started? }, store))
    }

    fn table(&self, connection: Connection) -> Table {
        Table { connection, statements: Arc::clone(&self.statements), clock: Arc::clone(&self.options.clock) }
    }

    fn prepare_writer(&self, connection: &mut Connection, is_file: bool) -> Result<(), ConnectError> {
        if !connection.is_autocommit() {
            return Err(refused("the connection is within a transaction"));
        }
        if connection.is_readonly("main").map_err(failure::of_statement)? {
            return Err(refused("the file is read-only"));
        }
        self.prepare(connection).map_err(failure::of_statement)?;
        // A file that is refused stays as it is.
        self.statements.is_missing(connection)?;
        if is_file && self.log_ahead(connection).map_err(failure::of_statement)? != "wal" {
            return Err(refused("the file cannot have a log beside it"));
        }
        let synchronous = match self.options.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous).map_err(failure::of_statement)?;
        // macOS tells of a write to the disk that it is done when the disk knows of it, unless it is asked for more.
        for pragma in ["fullfsync", "checkpoint_fullfsync"] {
            connection.pragma_update(None, pragma, true).map_err(failure::of_statement)?;
        }
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT).map_err(failure::of_statement)?;
        connection.pragma_update(None, "journal_size_limit", LOG).map_err(failure::of_statement)?;
        self.statements.prepare(connection)?;
        connection.busy_handler(Some(wait_for_others)).map_err(failure::of_statement)?;
        Ok(())
    }

    /// Asks for a log beside the file, and gives what SQLite chose. Where others ask at the same moment, it does not wait for them
    /// by itself.
    fn log_ahead(&self, connection: &Connection) -> rusqlite::Result<String> {
        let until = Instant::now() + self.options.time_limit;
        loop {
            match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
                Err(error) if failure::is_busy(&error) && Instant::now() < until => _ = wait_for_others(0),
                mode => return mode,
            }
        }
    }

    fn open_reader(&self, file: &Path) -> Result<Connection, StoreError> {
        let opened =
            Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let connection = opened.map_err(failure::of_statement)?;
        self.prepare(&connection).map_err(failure::of_statement)?;
        connection.pragma_update(None, "query_only", true).map_err(failure::of_statement)?;
        // Whether it can read the file, which may be encrypted, or locked for ever.
        connection.query_row(&self.statements.any, [], |_| Ok(())).map_err(failure::of_statement)?;
        Ok(connection)
    }

    fn prepare(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.options.time_limit)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(())
    }
}

/// Pages in the log, of 4 KiB each, before they are moved into the file. SQLite's own 1000 wait for the disk more often than they
/// save room: sessions are small and far apart, so a page is written for nearly each.
const CHECKPOINT: i64 = 4000;
/// Bytes that the log keeps when it was longer, after a large transaction of another connection.
const LOG: i64 = 16 << 20;

/// More than there are.
const STATEMENTS: usize = 32;

/// It holds what is known of visitors: where the file is new, nobody else may read it. SQLite gives the files beside it the
/// same rights.
fn open_file(path: &Path) -> Result<Connection, ConnectError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(of_system(error)),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags).map_err(failure::of_statement)?)
}

fn refused(why: &'static str) -> ConnectError {
    StoreError::new(StoreErrorKind::Refused).with_reason(why).into()
}

fn of_system(error: std::io::Error) -> ConnectError {
    let (kind, reason) = match error.kind() {
        ErrorKind::NotFound => (StoreErrorKind::Refused, "its folder is not there".to_owned()),
        kind @ (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            (StoreErrorKind::Refused, kind.to_string())
        }
        kind => (StoreErrorKind::Unavailable, kind.to_string()),
    };
    StoreError::new(kind).with_source(error).with_reason(reason).into()
}

/// What a wait for a lock may be.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_memory() {
        let file = |url| match Place::of_url(url) {
            Ok(Place::File(path)) => path.to_str().unwrap().to_owned(),
            _ => panic!("{url}"),
        };
        assert_eq!(file("sqlite:sessions.db"), "sessions.db");
        assert_eq!(file("sqlite:./a/b.db"), "./a/b.db");
        assert_eq!(file("sqlite:/var/lib/app/sessions.db"), "/var/lib/app/sessions.db");
        assert_eq!(file("sqlite:///var/lib/app/sessions.db"), "/var/lib/app/sessions.db");
        assert_eq!(file("sqlite:my%20sessions%3F.db"), "my sessions?.db");
        assert_eq!(file("sqlite:%3Amemory:"), "./:memory:");
        assert_eq!(file("sqlite:file:sessions.db"), "./file:sessions.db");
        assert!(matches!(Place::of_url("sqlite::memory:"), Ok(Place::Memory)));
    }

    #[test]
    fn what_a_commit_waits_for_is_as_asked() {
        for (synchronous, number) in [(Synchronous::Normal, 1), (Synchronous::Full, 2)] {
            let name = format!("http-session-open-{:016x}.db", rand::random::<u64>());
            let path = std::env::temp_dir().join(name);
            let mut connection = open_file(&path).unwrap();
            let opening = Opening::new(SqliteOptions::new().synchronous(synchronous)).unwrap();
            opening.prepare_writer(&mut connection, true).unwrap();
            let value = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(value("synchronous"), number);
            assert_eq!(value("wal_autocheckpoint"), CHECKPOINT);
            assert_eq!((value("fullfsync"), value("checkpoint_fullfsync"), value("journal_size_limit")), (1, 1, LOG));
            drop(connection);
            let _ = std::fs::remove_file(path);
        }
        assert_eq!(Synchronous::default(), Synchronous::Full);
    }

    #[test]
    fn a_url_that_names_neither_is_refused_with_the_reason() {
        for url in ["", "sessions.db", "redis://localhost", "SQLITE:sessions.db"] {
            assert!(matches!(Place::of_url(url), Err(ConnectError::UnknownScheme { .. })), "{url}");
        }
        for url in [
            "sqlite:",
            "sqlite:/",
            "sqlite://",
            "sqlite:///",
            "sqlite://sessions.db",
            "sqlite://host/sessions.db",
            "sqlite:sessions.db?mode=rwc",
            "sqlite:a#b",
            "sqlite:%00",
            "sqlite:%ff",
        ] {
            assert!(matches!(Place::of_url(url), Err(ConnectError::InvalidUrl(_))), "{url}");
        }
    }
}
