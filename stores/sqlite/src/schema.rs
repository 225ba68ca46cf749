//! The tables, and the text of the statements.

use rusqlite::{Connection, TransactionBehavior};

use super::failure;
use http_session_store::error::ConnectError;

/// The columns, in the order in which statements name them, and their types. The first is the key.
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
/// Those that a touch reads: all behind the id that say nothing of the visitor.
const HEAD: &str =
    "expires, epoch, identity_epoch, verifier, previous, created, identity_changed, verifier_changed, touched";
const GENERATION_COLUMNS: [(&str, &str); 3] = [("identity", "TEXT"), ("generation", "INTEGER"), ("expires", "INTEGER")];

/// The statements of a table, in the words of SQLite.
pub(super) struct Statements {
    table: String,
    generations: String,
    create: String,
    pub(super) any: String,
    pub(super) load: String,
    pub(super) head: String,
    pub(super) insert: String,
    pub(super) update: String,
    pub(super) update_fields: String,
    pub(super) touch: String,
    pub(super) remove: String,
    pub(super) count: String,
    pub(super) ids: String,
    pub(super) linked: String,
    pub(super) generation: String,
    pub(super) raise_generation: String,
    pub(super) sweep: String,
    pub(super) sweep_generations: String,
}

impl Statements {
    /// For a table of this name.
    pub(super) fn new(name: &str) -> Result<Self, ConnectError> {
        if !is_name(name) {
            return Err(ConnectError::InvalidOptions(
                "the name of its table has to be 1 to 50 letters of ASCII, digits and `_`, and to begin with none of the digits and \
                 not with `sqlite_`",
            ));
        }
        // Quoted, since a keyword is a name too.
        let (table, generations) = (format!("\"{name}\""), format!("\"{name}_generations\""));
        Ok(Self {
            table: name.to_owned(),
            generations: format!("{name}_generations"),
            create: create(name),
            any: format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1)"),
            load: format!("SELECT {HEAD}, identity, cookie, keep, fields FROM {table} WHERE id = ?1 AND expires > ?2"),
            head: format!("SELECT {HEAD} FROM {table} WHERE id = ?1 AND expires > ?2"),
            insert: format!(
                "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {} WHERE {table}.expires <= ?15",
                list(1, |column, _| column.to_owned()),
                list(1, |_, place| format!("?{place}")),
                list(2, |column, _| format!("{column} = excluded.{column}")),
            ),
            update: format!(
                "UPDATE {table} SET {} WHERE id = ?1",
                list(2, |column, place| format!("{column} = ?{place}"))
            ),
            update_fields: format!(
                "UPDATE {table} SET expires = ?2, touched = ?3, keep = ?4, fields = ?5 WHERE id = ?1"
            ),
            touch: format!("UPDATE {table} SET touched = ?2, expires = ?3 WHERE id = ?1"),
            remove: format!("DELETE FROM {table} WHERE id = ?1"),
            count: format!(
                "SELECT count(*), coalesce(sum(expires > ?3 AND verifier IS NOT NULL), 0), max(rowid) \
                 FROM (SELECT rowid, expires, verifier FROM {table} WHERE rowid > ?1 ORDER BY rowid LIMIT ?2)"
            ),
            ids: format!(
                "SELECT id FROM {table} WHERE id > CAST(?1 AS TEXT) AND expires > ?2 AND verifier IS NOT NULL ORDER BY id LIMIT ?3"
            ),
            linked: format!(
                "SELECT id FROM {table} WHERE identity = ?1 AND id > CAST(?2 AS TEXT) AND expires > ?3 \
                 ORDER BY id LIMIT ?4"
            ),
            generation: format!("SELECT generation FROM {generations} WHERE identity = ?1"),
            raise_generation: format!("INSERT OR REPLACE INTO {generations} VALUES (?1, ?2, ?3)"),
            sweep: format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE expires <= ?1 ORDER BY expires LIMIT ?2)"
            ),
            sweep_generations: format!("DELETE FROM {generations} WHERE expires <= ?1"),
        })
    }

    /// Makes the tables, unless they are there; then they have to be ours.
    pub(super) fn prepare(&self, connection: &mut Connection) -> Result<(), ConnectError> {
        if self.is_missing(connection)? {
            let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = begun.map_err(failure::of_statement)?;
            transaction.execute_batch(&self.create).map_err(failure::of_statement)?;
            transaction.commit().map_err(|error| failure::of_commit(&error))?;
            // Another process may have made others at the same moment.
            if self.is_missing(connection)? {
                return Err(ConnectError::Schema(
                    "an index of its name is on another table; `table` chooses another name",
                ));
            }
        }
        Ok(())
    }

    /// Whether a table or an index has yet to be made. Tables that are there have to be ours.
    pub(super) fn is_missing(&self, connection: &Connection) -> Result<bool, ConnectError> {
        let mut is_missing = false;
        for (table, ours) in [(&self.table, COLUMNS.as_slice()), (&self.generations, GENERATION_COLUMNS.as_slice())] {
            let columns = columns(connection, table).map_err(failure::of_statement)?;
            is_missing |= columns.is_empty();
            let is_ours = |((name, kind, key), (place, ours)): ((&String, &String, &i64), (usize, &(&str, &str)))| {
                (name.as_str(), kind.as_str()) == *ours && *key == i64::from(place == 0)
            };
            let found = columns.iter().map(|(name, kind, key)| (name, kind, key));
            let fits = columns.len() == ours.len() && found.zip(ours.iter().enumerate()).all(is_ours);
            if !columns.is_empty() && !fits {
                return Err(ConnectError::Schema(
                    "a table of its name has other columns: it is another program's, or of a later version of this \
                     one; `table` chooses another name",
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

/// Something of each column from the given place on, where places count from 1 as parameters do.
fn list(from: usize, word: impl Fn(&str, usize) -> String) -> String {
    let columns = COLUMNS.iter().zip(1..).skip(from - 1);
    columns.map(|((column, _), place)| word(column, place)).collect::<Vec<_>>().join(", ")
}

/// Of each column the name, the type, and its place in the key, from 1 on.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, String, i64)>> {
    let mut statement = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

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
