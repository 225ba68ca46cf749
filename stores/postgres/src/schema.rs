//! The tables: their names, their creation, and whether existing tables fit.

use std::borrow::Cow;
use std::error::Error as _;

use http_session_store::error::{ConnectError, StoreError};
use tokio_postgres::error::SqlState;

use super::connection::Connections;
use super::parameter::Parameter;
use super::row::column;

/// The migration for the default name.
pub(super) const SCHEMA: &str = include_str!("schema.sql");
pub(super) const DEFAULT_TABLE: &str = "http_session";

/// The columns that the table must have, with the words that must describe each. Other columns are left alone.
const SESSION_COLUMNS: [(&str, &str); 14] = [
    ("id", "text C unique"),
    ("epoch", "bigint"),
    ("identity_epoch", "bigint"),
    ("verifier", "bytea"),
    ("previous", "bytea"),
    ("identity", "text C"),
    ("cookie", "text"),
    ("fields", "jsonb"),
    ("keep", "jsonb"),
    ("created", "timestamp with time zone"),
    ("identity_changed", "timestamp with time zone"),
    ("verifier_changed", "timestamp with time zone"),
    ("touched", "timestamp with time zone"),
    ("expires", "timestamp with time zone"),
];
const GENERATION_COLUMNS: [(&str, &str); 3] =
    [("identity_hash", "bytea unique"), ("generation", "bigint"), ("expires", "timestamp with time zone")];

/// Describes each column of a table: its type, and ` C` and ` unique` if it has that collation or a unique index of its own.
/// `on conflict (id)` needs the unique index.
const DESCRIBE_COLUMNS: &str = "
select a.attname::text, format_type(a.atttypid, a.atttypmod)
  || case when c.collname = 'C' then ' C' else '' end
  || case when exists (select from pg_index i where i.indrelid = a.attrelid and i.indisunique and i.indisvalid
    and i.indpred is null and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) then ' unique' else '' end
from pg_attribute a left join pg_collation c on c.oid = a.attcollation
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped";

/// What is appended to the table's name for the names of its indexes.
const INDEX_SUFFIXES: [&str; 2] = ["_expires", "_identity"];

const LIST_INDEXES: &str = "
select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = to_regclass($1)";

const HAS_ALL_RIGHTS: &str = "
select coalesce(bool_and(has_table_privilege(t, p)), false)
from unnest($1) t, unnest(array['select', 'insert', 'update', 'delete']) p";

/// What the database lacks.
#[derive(Clone, Copy)]
enum Missing {
    Table,
    Index,
}

impl Missing {
    /// `existing_table` forbids to create it.
    const fn not_created(self) -> ConnectError {
        ConnectError::Schema(match self {
            Self::Table => {
                "it does not exist, and the store must not create it; `PostgresOptions::schema` has the statements that do"
            }
            Self::Index => {
                "it lacks an index with its own name and `_expires` or `_identity` appended, and the store must not create \
                 one; `PostgresOptions::schema` has the statements that do"
            }
        })
    }

    /// The role lacks the right to create it.
    const fn not_permitted(self) -> ConnectError {
        ConnectError::Schema(match self {
            Self::Table => {
                "it does not exist, and this role may not create it; run the statements of `PostgresOptions::schema` as a \
                 role that may"
            }
            Self::Index => {
                "it lacks an index with its own name and `_expires` or `_identity` appended, and this role may not create \
                 one; run the statements of `PostgresOptions::schema` as a role that may"
            }
        })
    }

    /// It was created, and is still missing.
    const fn not_found(self) -> ConnectError {
        ConnectError::Schema(match self {
            Self::Table => "it was created, but is not found by its name; put the name of its schema in front of it",
            Self::Index => {
                "an index needs its name with `_expires` or `_identity` appended, and something else has that name; choose \
                 another name with `table`"
            }
        })
    }
}

/// The names of the tables.
#[derive(Clone)]
pub(super) struct Tables {
    schema: Option<String>,
    name: String,
}

impl Tables {
    /// Takes `name` or `schema.name`.
    pub(super) fn new(name: &str) -> Result<Self, ConnectError> {
        let (schema, table) = match name.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, name),
        };
        // PostgreSQL cuts names after 63 bytes, and something is appended to the name of the table.
        if !schema.is_none_or(|schema| is_name(schema, 63)) || !is_name(table, 50) {
            return Err(ConnectError::InvalidOptions(
                "the table's name must have 1 to 50 ASCII letters, digits and `_`, and must not begin with a digit; a schema's \
                 name and a dot may come first",
            ));
        }
        Ok(Self { schema: schema.map(str::to_owned), name: table.to_owned() })
    }

    pub(super) fn sessions(&self) -> String {
        self.quoted("")
    }

    pub(super) fn generations(&self) -> String {
        self.quoted("_generations")
    }

    fn quoted(&self, suffix: &str) -> String {
        let schema = self.schema.as_ref().map_or_else(String::new, |schema| format!("\"{schema}\"."));
        format!("{schema}\"{}{suffix}\"", self.name)
    }

    /// The statements that create the tables. Built in one pass: a name may contain the default name, so that replacing one
    /// after the other would replace parts of names.
    pub(super) fn schema(&self) -> String {
        let mut parts = SCHEMA.split(DEFAULT_TABLE);
        let mut schema = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (suffix, rest) = part.split_at(part.find(' ').unwrap_or(part.len()));
            // An index is created in the schema of its table, and must be named without it.
            let name = match suffix {
                _ if INDEX_SUFFIXES.contains(&suffix) => format!("\"{}{suffix}\"", self.name),
                _ => self.quoted(suffix),
            };
            schema.push_str(&name);
            schema.push_str(rest);
        }
        schema
    }

    /// Creates what is missing, unless `existing_table`. Existing tables must fit, and the role must have all rights.
    pub(super) async fn prepare(&self, connections: &Connections, existing_table: bool) -> Result<(), ConnectError> {
        let encoding = connections.within_limit().read("select getdatabaseencoding()::text", &[]).await?;
        if encoding.first().map(|row| column::<&str>(row, 0)).transpose()? != Some("UTF8") {
            return Err(ConnectError::Schema("the encoding of its database must be UTF8"));
        }
        if let Some(missing) = self.missing(connections).await? {
            if existing_table {
                return Err(missing.not_created());
            }
            self.create(connections, missing).await?;
            if let Some(missing) = self.missing(connections).await? {
                return Err(missing.not_found());
            }
        }
        self.check_rights(connections).await
    }

    async fn missing(&self, connections: &Connections) -> Result<Option<Missing>, ConnectError> {
        let sessions = fits(connections, self.sessions(), &SESSION_COLUMNS).await?;
        if !fits(connections, self.generations(), &GENERATION_COLUMNS).await? || !sessions {
            return Ok(Some(Missing::Table));
        }
        let table = Parameter::Text(Some(Cow::Owned(self.sessions())));
        let rows = connections.within_limit().read(LIST_INDEXES, &[table]).await?;
        let indexes: Vec<&str> = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
        let exists = |suffix: &&str| indexes.iter().any(|name| name.strip_prefix(&*self.name) == Some(*suffix));
        Ok(if INDEX_SUFFIXES.iter().all(exists) { None } else { Some(Missing::Index) })
    }

    /// Checked when the store is opened. Otherwise a missing right would show at the first write, or in a sweep in the
    /// background.
    async fn check_rights(&self, connections: &Connections) -> Result<(), ConnectError> {
        let tables = Parameter::Texts([self.sessions(), self.generations()].map(Cow::Owned).into());
        let rows = connections.within_limit().read(HAS_ALL_RIGHTS, &[tables]).await?;
        if rows.first().map(|row| column(row, 0)).transpose()? == Some(true) {
            return Ok(());
        }
        Err(ConnectError::Schema(
            "this role needs the rights `select`, `insert`, `update` and `delete` on it and on the table with `_generations` \
             appended to the name, and lacks one of them",
        ))
    }

    async fn create(&self, connections: &Connections, missing: Missing) -> Result<(), ConnectError> {
        // Several statements in one message are one transaction. The lock makes processes that start at the same moment take
        // turns: `if not exists` does not see what another transaction is about to create, and would fail.
        let statements = format!("select pg_advisory_xact_lock(7165190286); {}", self.schema());
        let created = connections.within_limit().run_script(&statements).await;
        created.map_err(|error| match code(&error) {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => missing.not_permitted(),
            _ => error.into(),
        })
    }
}

fn code(error: &StoreError) -> Option<&SqlState> {
    error.source()?.downcast_ref::<tokio_postgres::Error>()?.code()
}

fn is_name(name: &str, longest: usize) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    (1..=longest).contains(&name.len())
        && name.chars().all(is_letter)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether the table exists. If it does, it must have these columns.
async fn fits(connections: &Connections, table: String, columns: &[(&str, &str)]) -> Result<bool, ConnectError> {
    let table = Parameter::Text(Some(Cow::Owned(table)));
    let rows = connections.within_limit().read(DESCRIBE_COLUMNS, &[table]).await?;
    let described = rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?)));
    let described: Vec<(&str, &str)> = described.collect::<Result<_, StoreError>>()?;
    if described.is_empty() {
        return Ok(false);
    }
    let exists = |(name, needed): &(&str, &str)| {
        described.iter().any(|(other, words)| {
            // A column may have more than it needs: a unique index, or the collation `C`.
            name == other && needed.split(' ').all(|word| words.split(' ').any(|other| other == word))
        })
    };
    if columns.iter().all(exists) {
        return Ok(true);
    }
    Err(ConnectError::Schema(
        "a table of its name lacks columns, or has other types for them: it belongs to another program, or to another version \
         of this one; `PostgresOptions::schema` shows what is needed, and `table` chooses another name",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_cannot_add_to_a_statement() {
        let tables = Tables::new("app.Sessions").unwrap();
        assert_eq!(tables.sessions(), r#""app"."Sessions""#);
        assert_eq!(tables.generations(), r#""app"."Sessions_generations""#);
        let schema = tables.schema();
        assert!(schema.contains(r#"create table if not exists "app"."Sessions" ("#), "{schema}");
        assert!(schema.contains(r#"index if not exists "Sessions_identity" on "app"."Sessions" ("#), "{schema}");
        assert!(schema.contains(r#"create table if not exists "app"."Sessions_generations" ("#), "{schema}");
        assert!(!schema.contains(DEFAULT_TABLE), "{schema}");
        // Names that contain the default names.
        for name in ["http_session_identity", "http_session_generations", "http_session_expires"] {
            let (schema, default) =
                (Tables::new(name).unwrap().schema(), Tables::new("http_session").unwrap().schema());
            assert_eq!(schema, default.replace("http_session", name));
        }
        for name in ["", ".", "a.", ".a", "a.b.c", "1a", "a b", "a\"b", "a;b", "ä", "a-b", &"a".repeat(51)] {
            assert!(matches!(Tables::new(name), Err(ConnectError::InvalidOptions(_))), "{name}");
        }
    }
}
