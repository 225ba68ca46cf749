//! The tables, and the text of the statements.

use http_session_store::error::ConnectError;
use rusqlite::{Connection, TransactionBehavior};

use crate::failure;

/// The columns with their types, in the order of the table and of the parameters. The first is the key. A file whose table has
/// other columns is refused, so a change here needs a new table name or a migration.
const COLUMNS: [(&str, &str); 14] = [
    ("id", "TEXT"),
    ("expires", "INTEGER"),
    ("epoch", "INTEGER"),
    ("identity_epoch", "INTEGER"),
    ("verifier", "BLOB"),
    ("previous", "BLOB"),
    ("created", "INTEGER"),
    ("identity_changed", "INTEGER"),
    ("verifier_changed", "INTEGER"),
    ("touched", "INTEGER"),
    ("identity", "TEXT"),
    ("cookie", "TEXT"),
    ("keep", "TEXT"),
    ("fields", "TEXT"),
];
/// What a touch reads: the columns after the id that hold no values. `row` reads them by number.
const HEAD_COLUMNS: &str =
    "expires, epoch, identity_epoch, verifier, previous, created, identity_changed, verifier_changed, touched";
const GENERATION_COLUMNS: [(&str, &str); 3] = [("identity", "TEXT"), ("generation", "INTEGER"), ("expires", "INTEGER")];

/// The statements for one table.
pub(crate) struct Statements {
    table: String,
    generations: String,
    create: String,
    pub(crate) load: String,
    pub(crate) head: String,
    pub(crate) insert: String,
    pub(crate) update: String,
    pub(crate) update_fields: String,
    pub(crate) touch: String,
    pub(crate) remove: String,
    pub(crate) count: String,
    pub(crate) ids: String,
    pub(crate) linked: String,
    pub(crate) generation: String,
    pub(crate) raise_generation: String,
    pub(crate) sweep: String,
    pub(crate) sweep_generations: String,
}

impl Statements {
    /// # Errors
    /// The name is not allowed.
    pub(crate) fn new(name: &str) -> Result<Self, ConnectError> {
        if !is_name(name) {
            return Err(ConnectError::InvalidOptions(
                "a table name consists of 1 to 50 ASCII letters, digits and `_`, and does not begin with a digit or `sqlite_`",
            ));
        }
        // In quotes, so that a keyword such as `order` can be a table name.
        let (table, generations) = (format!("\"{name}\""), format!("\"{name}_generations\""));
        Ok(Self {
            table: name.to_owned(),
            generations: format!("{name}_generations"),
            create: create(name),
            load: format!(
                "SELECT {HEAD_COLUMNS}, identity, cookie, keep, fields FROM {table} WHERE id = ?1 AND expires > ?2"
            ),
            head: format!("SELECT {HEAD_COLUMNS} FROM {table} WHERE id = ?1 AND expires > ?2"),
            // An expired row under this id counts as absent and is replaced. A live row is never overwritten (R8).
            insert: format!(
                "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {} WHERE {table}.expires <= ?15",
                list(1, |column, _| column.to_owned()),
                list(1, |_, number| format!("?{number}")),
                list(2, |column, _| format!("{column} = excluded.{column}")),
            ),
            update: format!(
                "UPDATE {table} SET {} WHERE id = ?1",
                list(2, |column, number| format!("{column} = ?{number}"))
            ),
            update_fields: format!(
                "UPDATE {table} SET expires = ?2, touched = ?3, keep = ?4, fields = ?5 WHERE id = ?1"
            ),
            touch: format!("UPDATE {table} SET touched = ?2, expires = ?3 WHERE id = ?1"),
            remove: format!("DELETE FROM {table} WHERE id = ?1"),
            // By `rowid`, so that each statement reads the next rows of the file and not the whole table.
            count: format!(
                "SELECT count(*), coalesce(sum(expires > ?3 AND verifier IS NOT NULL), 0), max(rowid) \
                 FROM (SELECT rowid, expires, verifier FROM {table} WHERE rowid > ?1 ORDER BY rowid LIMIT ?2)"
            ),
            // Keys are bound as bytes, since a key that another program wrote may not be UTF-8. Without the cast, a BLOB would
            // compare as greater than every TEXT.
            ids: format!(
                "SELECT id FROM {table} WHERE id > CAST(?1 AS TEXT) AND expires > ?2 AND verifier IS NOT NULL ORDER BY id LIMIT ?3"
            ),
            // A tombstone has no identity, so it is not found.
            linked: format!(
                "SELECT id FROM {table} WHERE identity = ?1 AND id > CAST(?2 AS TEXT) AND expires > ?3 \
                 ORDER BY id LIMIT ?4"
            ),
            generation: format!("SELECT generation FROM {generations} WHERE identity = ?1"),
            raise_generation: format!("INSERT OR REPLACE INTO {generations} VALUES (?1, ?2, ?3)"),
            // SQLite is built without `DELETE .. LIMIT`.
            sweep: format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE expires <= ?1 ORDER BY expires LIMIT ?2)"
            ),
            sweep_generations: format!("DELETE FROM {generations} WHERE expires <= ?1"),
        })
    }

    /// Creates the tables and indexes that are missing.
    ///
    /// # Errors
    /// A table of that name belongs to another program, or the file cannot be written.
    pub(crate) fn prepare(&self, connection: &mut Connection) -> Result<(), ConnectError> {
        if self.is_missing(connection)? {
            let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = begun.map_err(failure::of_statement)?;
            transaction.execute_batch(&self.create).map_err(failure::of_statement)?;
            transaction.commit().map_err(|error| failure::of_commit(&error))?;
            // `IF NOT EXISTS` passes over a table or an index of that name that is not ours. Another process may have created it
            // just now.
            if self.is_missing(connection)? {
                return Err(ConnectError::Schema(
                    "another table has an index of that name; choose another name with `table`",
                ));
            }
        }
        Ok(())
    }

    /// Whether a table or an index is missing. Reads only.
    ///
    /// # Errors
    /// A table of that name belongs to another program.
    pub(crate) fn is_missing(&self, connection: &Connection) -> Result<bool, ConnectError> {
        let mut is_missing = false;
        for (table, ours) in [(&self.table, COLUMNS.as_slice()), (&self.generations, GENERATION_COLUMNS.as_slice())] {
            let columns = columns(connection, table).map_err(failure::of_statement)?;
            is_missing |= columns.is_empty();
            // The first column has to be the key, and the only one: without it, two rows could have one id.
            let keys = std::iter::once(1).chain(std::iter::repeat(0));
            let expected = ours.iter().zip(keys).map(|((name, kind), key)| (*name, *kind, key));
            let is_ours = columns.iter().map(|(name, kind, key)| (name.as_str(), kind.as_str(), *key)).eq(expected);
            if !columns.is_empty() && !is_ours {
                return Err(ConnectError::Schema(
                    "the table of that name has other columns: it belongs to another program, or to a later version \
                     of this crate; choose another name with `table`",
                ));
            }
        }
        let indexes = "SELECT count(*) FROM pragma_index_list(?1) WHERE name COLLATE NOCASE IN (?1 || '_expires', ?1 || '_identity')";
        let indexes: i64 =
            connection.query_row(indexes, [&self.table], |row| row.get(0)).map_err(failure::of_statement)?;
        Ok(is_missing || indexes < 2)
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    (1..=50).contains(&name.len())
        && name.chars().all(is_letter)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.to_ascii_lowercase().starts_with("sqlite_")
}

/// A list with one item for each column from this number on. Numbers count from 1, as those of parameters do.
fn list(from: usize, item: impl Fn(&str, usize) -> String) -> String {
    let columns = COLUMNS.iter().zip(1..).skip(from - 1);
    columns.map(|((column, _), number)| item(column, number)).collect::<Vec<_>>().join(", ")
}

/// Name and type of each column, and its position in the primary key, from 1 on.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, String, i64)>> {
    let mut statement = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

/// `STRICT`, so that a value inserted by hand has the right type. Not `WITHOUT ROWID`, since rows are large: such a table keeps
/// them in its tree of keys, and `count` needs the `rowid`. Only signed-in sessions are in the index of identities.
fn create(name: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS \"{name}\" (
    id TEXT NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    identity_epoch INTEGER NOT NULL,
    verifier BLOB CHECK (length(verifier) = 32),
    previous BLOB CHECK (length(previous) = 32),
    created INTEGER NOT NULL,
    identity_changed INTEGER NOT NULL,
    verifier_changed INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    identity TEXT,
    cookie TEXT,
    keep TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS \"{name}_expires\" ON \"{name}\" (expires);
CREATE INDEX IF NOT EXISTS \"{name}_identity\" ON \"{name}\" (identity) WHERE identity IS NOT NULL;
CREATE TABLE IF NOT EXISTS \"{name}_generations\" (
    identity TEXT NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;"
    )
}
