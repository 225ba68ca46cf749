//! Sessions in a file.

mod bad_rows;
mod commits;
mod durability;
mod faults;
mod layer;
mod opening;
mod suite;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use http_session::record::{Extent, Field, Fields, Keep, Lifetime, Patch, Row, VerifierHash};
use http_session::store::sqlite::driver::Connection;
use http_session::{SessionId, SqliteOptions, SqliteStore};

/// A folder for the files of one test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("sqlite-{}-{:016x}", std::process::id(), rand::random::<u64>());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("sessions.db")
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.file().display())
    }

    pub async fn store(&self) -> SqliteStore {
        self.with(SqliteStore::options()).await
    }

    pub async fn with(&self, options: SqliteOptions) -> SqliteStore {
        options.connect(&self.url()).await.unwrap()
    }

    /// The file as somebody else sees it.
    pub fn connection(&self) -> Connection {
        let connection = Connection::open(self.file()).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub const DAY: Duration = Duration::from_secs(24 * 3600);
pub const LIFETIME: Lifetime = Lifetime { idle: DAY, absolute: DAY.saturating_mul(30), extent: Extent::Extend };

pub static NOTE: Field = Field::new("note");

pub fn id(number: u64) -> SessionId {
    SessionId::try_from(format!("session {number:014}").as_str()).unwrap()
}

pub fn row(note: &[u8]) -> Row {
    Row { fields: Fields::from_iter([("note", Keep::No, note)]), ..Row::new(VerifierHash([7; 32])) }
}

/// A patch of a row that writes its note.
pub fn noting(row: &Row, note: &[u8]) -> Patch {
    let mut patch = Patch::unchanged(row);
    patch.result = Fields::from_iter([("note", Keep::No, note)]);
    patch.touched.push(&NOTE);
    patch
}
