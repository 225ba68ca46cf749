//! The tables: their names, whether they fit, and how they are made.

use std::borrow::Cow;
use std::error::Error as _;

use deadpool_postgres::tokio_postgres;
use deadpool_postgres::tokio_postgres::error::SqlState;

use super::connection::Connections;
use super::failure::Access;
use super::value::{Value, column};
use http_session_store::error::{ConnectError, StoreError};

/// The migration for the default name.
pub(super) const SCHEMA: &str = include_str!("schema.sql");
pub(super) const DEFAULT_TABLE: &str = "http_session";

/// The columns that must be there; others are left alone.
const COLUMNS: [(&str, &str); 14] = [
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
const GENERATIONS: [(&str, &str); 3] =
    [("identity_hash", "bytea unique"), ("generation", "bigint"), ("expires", "timestamp with time zone")];

const LOOK: &str = r#"
select a.attname::text, format_type(a.atttypid, a.atttypmod)
  || case when c.collname = 'C' then ' C' else '' end
  || case when exists (select from pg_index i where i.indrelid = a.attrelid and i.indisunique and i.indisvalid
    and i.indpred is null and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) then ' unique' else '' end
from pg_attribute a left join pg_collation c on c.oid = a.attcollation
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped"#;

/// The names of the indexes, behind that of the table.
const INDEXES: [&str; 2] = ["_expires", "_identity"];

const LOOK_FOR_INDEXES: &str = "
select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = to_regclass($1)";

const RIGHTS: &str = "
select coalesce(bool_and(has_table_privilege(t, p)), false)
from unnest($1) t, unnest(array['select', 'insert', 'update', 'delete']) p";

/// What is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Nothing,
    Tables,
    Indexes,
}

/// The names of the tables, quoted where they go into a statement.
#[derive(Clone)]
pub(super) struct Tables {
    schema: Option<String>,
    name: String,
}

impl Tables {
    /// Of `name` or `schema.name`.
    pub(super) fn new(name: &str) -> Result<Self, ConnectError> {
        let (schema, table) = match name.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, name),
        };
        // An index has a longer name, and 63 bytes are the most.
        if !schema.is_none_or(|schema| is_name(schema, 63)) || !is_name(table, 50) {
            return Err(ConnectError::InvalidOptions(
                "the name of its table has to be 1 to 50 letters of ASCII, digits and `_`, and to begin with none of the \
                 digits; a schema's name and a dot may come before it",
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

    /// The statements that make them. An index is in the schema of its table, and is named without it.
    pub(super) fn schema(&self) -> String {
        let mut parts = SCHEMA.split(DEFAULT_TABLE);
        let mut schema = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(' ').unwrap_or(part.len());
            let (suffix, rest) = part.split_at(end);
            let name = match suffix {
                _ if INDEXES.contains(&suffix) => format!("\"{}{suffix}\"", self.name),
                _ => self.quoted(suffix),
            };
            schema.push_str(&name);
            schema.push_str(rest);
        }
        schema
    }

    /// Makes them where they are missing, unless `existing`; those that are there have to fit, and the role must have the
    /// rights.
    pub(super) async fn prepare(&self, connections: &Connections, existing: bool) -> Result<(), ConnectError> {
        let encoding = connections.run(Access::Read, "select getdatabaseencoding()::text", &[]).await?;
        if encoding.first().map(|row| column::<&str>(row, 0)).transpose()? != Some("UTF8") {
            return Err(ConnectError::Schema("the encoding of its database has to be UTF8"));
        }
        let missing = self.missing(connections).await?;
        if missing != Missing::Nothing {
            if existing {
                return Err(ConnectError::Schema(match missing {
                    Missing::Indexes => {
                        "its indexes are not both there, which are named as it is with `_expires` and `_identity` behind, \
                         and none is to be made; `PostgresOptions::schema` has the statements that make them"
                    }
                    Missing::Tables | Missing::Nothing => {
                        "there is none of its name, and it is not to be made; `PostgresOptions::schema` has the \
                         statements that make it"
                    }
                }));
            }
            self.make(connections, missing).await?;
            match self.missing(connections).await? {
                Missing::Nothing => {}
                Missing::Tables => {
                    return Err(ConnectError::Schema(
                        "it was made, and cannot be found; a schema's name before its own may help",
                    ));
                }
                Missing::Indexes => {
                    return Err(ConnectError::Schema(
                        "the name of an index of it, its own with `_expires` or `_identity` behind, is that of something \
                         else; `table` chooses another name",
                    ));
                }
            }
        }
        self.check_rights(connections).await
    }

    async fn missing(&self, connections: &Connections) -> Result<Missing, ConnectError> {
        let sessions = fits(connections, self.sessions(), &COLUMNS).await?;
        if !fits(connections, self.generations(), &GENERATIONS).await? || !sessions {
            return Ok(Missing::Tables);
        }
        let table = Value::Text(Some(Cow::Owned(self.sessions())));
        let found = connections.run(Access::Read, LOOK_FOR_INDEXES, &[table]).await?;
        let found: Vec<&str> = found.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
        let is_there = |suffix: &&str| found.iter().any(|name| name.strip_prefix(&*self.name) == Some(*suffix));
        Ok(if INDEXES.iter().all(is_there) { Missing::Nothing } else { Missing::Indexes })
    }

    /// At the start, instead of at the first write, or at a sweep that nobody awaits.
    async fn check_rights(&self, connections: &Connections) -> Result<(), ConnectError> {
        let tables = Value::Texts([self.sessions(), self.generations()].map(Cow::Owned).into());
        let rights = connections.run(Access::Read, RIGHTS, &[tables]).await?;
        if rights.first().map(|row| column(row, 0)).transpose()? == Some(true) {
            return Ok(());
        }
        Err(ConnectError::Schema(
            "this role needs the rights `select`, `insert`, `update` and `delete` on it, and on the one that is named as it \
             is with `_generations` behind, and has not all of them",
        ))
    }

    async fn make(&self, connections: &Connections, missing: Missing) -> Result<(), ConnectError> {
        // Several statements in one message are one transaction. Several processes that start at the same moment take turns:
        // `if not exists` does not see what another one is about to make.
        let statements = format!("select pg_advisory_xact_lock(7165190286); {}", self.schema());
        let made = connections.run_script(&statements).await;
        made.map_err(|error| match code(&error) {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => ConnectError::Schema(match missing {
                Missing::Indexes => {
                    "its indexes are not both there, which are named as it is with `_expires` and `_identity` behind, and \
                     this role may not make them; `PostgresOptions::schema` has the statements for one that may"
                }
                Missing::Tables | Missing::Nothing => {
                    "there is none of its name, and this role may not make it; `PostgresOptions::schema` has the \
                     statements for one that may"
                }
            }),
            _ => error.into(),
        })
    }
}

/// What the server said.
fn code(error: &StoreError) -> Option<&SqlState> {
    error.source()?.downcast_ref::<tokio_postgres::Error>()?.code()
}

fn is_name(name: &str, most: usize) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    (1..=most).contains(&name.len())
        && name.chars().all(is_letter)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a table is there; then it has to have these columns.
async fn fits(connections: &Connections, table: String, columns: &[(&str, &str)]) -> Result<bool, ConnectError> {
    let found = connections.run(Access::Read, LOOK, &[Value::Text(Some(Cow::Owned(table)))]).await?;
    let found = found.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?)));
    let found: Vec<(&str, &str)> = found.collect::<Result<_, StoreError>>()?;
    if found.is_empty() {
        return Ok(false);
    }
    let is_there = |(name, kind): &(&str, &str)| {
        found.iter().any(|(other, has)| {
            // It may be more than it has to: unique, or of the collation `C`.
            name == other && kind.split(' ').all(|word| has.split(' ').any(|other| other == word))
        })
    };
    if columns.iter().all(is_there) {
        return Ok(true);
    }
    Err(ConnectError::Schema(
        "a table of its name lacks columns, or has others of their names: it is another program's, or of another version \
         of this one; `PostgresOptions::schema` shows what is needed, `table` chooses another name",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_nothing_else_gets_into_a_statement() {
        let tables = Tables::new("app.Sessions").unwrap();
        assert_eq!(tables.sessions(), r#""app"."Sessions""#);
        assert_eq!(tables.generations(), r#""app"."Sessions_generations""#);
        let schema = tables.schema();
        assert!(schema.contains(r#"create table if not exists "app"."Sessions" ("#), "{schema}");
        assert!(schema.contains(r#"index if not exists "Sessions_identity" on "app"."Sessions" ("#), "{schema}");
        assert!(schema.contains(r#"create table if not exists "app"."Sessions_generations" ("#), "{schema}");
        assert!(!schema.contains(DEFAULT_TABLE), "{schema}");
        // A name that has those of ours in it.
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
