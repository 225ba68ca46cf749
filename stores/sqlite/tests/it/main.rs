//! Sessions in a file, through the public interface.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod bad_rows;
mod commits;
mod durability;
mod faults;
mod layer;
mod opening;
mod suite;

use std::time::Duration;

use http_session::SessionId;
use http_session::record::{Field, Fields, Keep, Lifetime, Patch, Record, VerifierHash};
use http_session_sqlite::{SqliteOptions, SqliteStore};
use http_session_test_kit::Folder;
use rusqlite::Connection;

/// The store in a folder of a test.
trait Files {
    async fn store(&self) -> SqliteStore;
    async fn with(&self, options: SqliteOptions) -> SqliteStore;
    fn connection(&self) -> Connection;
}

impl Files for Folder {
    async fn store(&self) -> SqliteStore {
        self.with(SqliteStore::options()).await
    }

    async fn with(&self, options: SqliteOptions) -> SqliteStore {
        options.connect(&self.url()).await.unwrap()
    }

    /// The file as another process sees it.
    fn connection(&self) -> Connection {
        let connection = Connection::open(self.file()).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const LIFETIME: Lifetime = Lifetime::new(DAY, DAY.saturating_mul(30));

static NOTE: Field = Field::new("note");

fn id(number: u64) -> SessionId {
    SessionId::try_from(format!("session {number:014}").as_str()).unwrap()
}

fn record(note: &[u8]) -> Record {
    Record::new(VerifierHash([7; 32])).with_fields(Fields::from_iter([("note", Keep::No, note)]))
}

/// A patch of a record that writes its note.
fn noting(record: &Record, note: &[u8]) -> Patch {
    let mut patch = Patch::unchanged(record);
    patch.result = Fields::from_iter([("note", Keep::No, note)]);
    patch.write(&NOTE);
    patch
}
