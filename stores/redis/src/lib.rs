//! Sessions in Redis or Valkey: the store, and the driver beneath it.
//!
//! The layout of keys and rows, and what can be promised, is in the README.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use ::redis as driver;
use ::redis::{Cmd, Value};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::connection::{Call, Connection, Effect};
use self::keys::Keys;
use self::script::Script;
use self::server::Server;
use http_session_store::SessionId;
use http_session_store::clock::milliseconds;
use http_session_store::error::{ConnectError, InvalidEntry, StoreError, StoreErrorKind};
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record, TOMBSTONE_LIFETIME};
use http_session_store::{
    Cursor, Destroyed, EnumerateSessions, GENERATION_LIFETIME, Generation, IndexSessions, Inserted, LINK_GRACE, Page,
    SessionStore, Touched, Updated,
};

mod cluster;
mod connection;
mod keys;
mod options;
mod refusal;
mod renewed;
mod row;
mod scan;
mod script;
mod sentinel;
mod server;
mod socket;
mod url;

pub use options::RedisOptions;

/// Sessions in Redis or Valkey, from version 6.2 on: one server, a cluster, or a primary that sentinels name.
///
/// A load is one round trip and a commit another. Connections are made again by themselves; what a server refuses definitely
/// is followed within the [time limit](RedisOptions::time_limit), a write whose answer was lost is not sent again (R10).
/// Clones share their connections. the README has the URLs, the layout, the settings of the
/// server, and what it cannot promise: after a failover acknowledged writes may be gone.
///
/// ```no_run
/// use http_session_redis::{RedisStore, Secret, SessionConfig};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::connect("redis://127.0.0.1").await?;
/// let sessions = SessionConfig::builder().secret(Secret::from_env("SESSION_SECRET")?).store(store).build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

struct Shared {
    keys: Keys,
    connection: Connection,
}

impl RedisStore {
    /// Connects with the defaults of [`RedisOptions`].
    ///
    /// # Errors
    /// As [`RedisOptions::connect`].
    ///
    /// ```no_run
    /// # use http_session_redis::RedisStore;
    /// # async fn open() -> Result<(), http_session_store::error::ConnectError> {
    /// let store = RedisStore::connect("redis://127.0.0.1").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::options().connect(url).await
    }

    /// Options to connect with.
    ///
    /// ```
    /// # use http_session_redis::RedisStore;
    /// let options = RedisStore::options().prefix("shop:");
    /// ```
    pub fn options() -> RedisOptions {
        RedisOptions::new()
    }

    /// On all servers at once. One that does not answer now gets them from the first call that misses them: a cluster without
    /// one of its shards still has the others.
    async fn load_scripts(&self) -> Result<(), StoreError> {
        let deadline = self.0.connection.deadline();
        let mut loading = JoinSet::new();
        for server in self.0.connection.primaries(deadline).await?.servers {
            let store = self.clone();
            loading.spawn(async move { store.load_scripts_on(&server, deadline).await });
        }
        let mut outcome = Err(StoreError::new(StoreErrorKind::Unavailable));
        while let Some(ended) = loading.join_next().await {
            match ended {
                Ok(Err(error)) if error.kind() == StoreErrorKind::Refused => return Err(error),
                Ok(Err(error)) if outcome.is_err() => outcome = Err(error),
                Ok(Ok(())) => outcome = Ok(()),
                _ => {}
            }
        }
        outcome
    }

    async fn load_scripts_on(&self, server: &Server, deadline: Instant) -> Result<(), StoreError> {
        let mut pipeline = driver::Pipeline::new();
        for script in script::all() {
            pipeline.add_command(script.load());
        }
        let replies = self.0.connection.ask_server(server, &pipeline, deadline).await?;
        let problem = replies.iter().find_map(server::problem);
        problem.map_or(Ok(()), |error| Err(StoreError::new(StoreErrorKind::Refused).with_source(error)))
    }

    /// One command, whose answer is used as it is.
    async fn ask(&self, key: &[u8], command: Cmd, effect: Effect<'_>) -> Result<Value, StoreError> {
        let connection = &self.0.connection;
        connection.ask_one(&Call::new(key, [command], effect), connection.deadline()).await
    }

    /// A script of a row.
    async fn run(
        &self,
        script: &'static Script,
        id: &SessionId,
        arguments: impl FnOnce(&mut Cmd),
    ) -> Result<Answer, StoreError> {
        let key = self.0.keys.session(id);
        let mut command = script.on(&key);
        arguments(&mut command);
        match self.ask(&key, command, Effect::Run(script)).await? {
            Value::BulkString(word) => Answer::of(&word).ok_or_else(unexpected),
            Value::Array(conflict) => match conflict.as_slice() {
                [_, Value::BulkString(now), hash] => {
                    let row = row::read(hash, row::number(now).ok_or_else(unexpected)?)?;
                    Ok(row.map_or(Answer::Missing, |row| Answer::Conflict(Box::new(row))))
                }
                _ => Err(unexpected()),
            },
            _ => Err(unexpected()),
        }
    }
}

/// What the scripts of a row answer.
enum Answer {
    Inserted,
    Taken,
    Applied,
    Unrenewed,
    Destroyed,
    Missing,
    Superseded,
    Conflict(Box<Record>),
    Corrupt,
}

impl Answer {
    fn of(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"inserted" => Self::Inserted,
            b"taken" => Self::Taken,
            b"applied" => Self::Applied,
            b"unrenewed" => Self::Unrenewed,
            b"destroyed" => Self::Destroyed,
            b"missing" => Self::Missing,
            b"superseded" => Self::Superseded,
            b"corrupt" => Self::Corrupt,
            _ => return None,
        })
    }

    /// The error where a script gave none of the answers that its call knows.
    fn error(&self) -> StoreError {
        match self {
            Self::Corrupt => InvalidEntry::MALFORMED.into(),
            _ => unexpected(),
        }
    }
}

/// The server answered what its manual does not say.
fn unexpected() -> StoreError {
    StoreError::new(StoreErrorKind::Unknown)
}

impl SessionStore for RedisStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let key = self.0.keys.session(id);
        let mut hash = Cmd::with_capacity(2, "HGETALL".len() + key.len());
        hash.arg("HGETALL").arg(&key);
        let call = Call::new(&key, [hash, driver::cmd("TIME")], Effect::Read);
        let connection = &self.0.connection;
        let values = connection.ask(&call, connection.deadline()).await?;
        let [hash, time] = values.as_slice() else { return Err(InvalidEntry::MALFORMED.into()) };
        row::read(hash, row::time(time).ok_or(InvalidEntry::MALFORMED)?)
    }

    async fn insert(&self, id: &SessionId, row: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        match self.run(&script::INSERT, id, |command| row::insert(command, row, lifetime)).await? {
            Answer::Inserted => Ok(Inserted::Inserted),
            Answer::Taken => Ok(Inserted::Taken),
            other => Err(other.error()),
        }
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        match self.run(&script::UPDATE, id, |command| row::update(command, patch, lifetime)).await? {
            Answer::Applied => Ok(Updated::Applied { renewed: true }),
            Answer::Unrenewed => Ok(Updated::Applied { renewed: false }),
            Answer::Missing => Ok(Updated::Missing),
            Answer::Superseded => Ok(Updated::Superseded),
            Answer::Conflict(row) => Ok(Updated::Conflict(row)),
            other => Err(other.error()),
        }
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let arguments = |command: &mut Cmd| {
            command.arg(epoch.0).arg(milliseconds(lifetime.idle)).arg(milliseconds(lifetime.absolute));
            command.arg(row::extent(lifetime));
        };
        match self.run(&script::TOUCH, id, arguments).await? {
            Answer::Applied => Ok(Touched::Applied),
            Answer::Missing => Ok(Touched::Missing),
            Answer::Superseded => Ok(Touched::Superseded),
            other => Err(other.error()),
        }
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let arguments = |command: &mut Cmd| {
            command.arg(epoch.map_or_else(String::new, |epoch| epoch.0.to_string()));
            command.arg(milliseconds(TOMBSTONE_LIFETIME));
        };
        match self.run(&script::DESTROY, id, arguments).await? {
            Answer::Destroyed => Ok(Destroyed::Destroyed),
            Answer::Missing => Ok(Destroyed::Missing),
            Answer::Superseded => Ok(Destroyed::Superseded),
            other => Err(other.error()),
        }
    }
}

/// Pages are in the order in which the servers keep their keys.
impl EnumerateSessions for RedisStore {
    async fn len(&self) -> Result<usize, StoreError> {
        self.count().await
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.page(from, limit).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.destroy_all().await
    }
}

/// How much longer an entry of the index stays than its row was to: the row is written a little later, and counts from then.
const LINK_SLACK: Duration = Duration::from_secs(60);

/// Beside the rows stands a list for each identity.
impl IndexSessions for RedisStore {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        let keys = self.0.keys.index(identity);
        let mut command = driver::cmd("GET");
        command.arg(&keys.generation);
        generation(&self.ask(&keys.generation, command, Effect::Read).await?)
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        let keys = self.0.keys.index(identity);
        let mut command = script::RAISE.on(&keys.generation);
        command.arg(generation.0).arg(milliseconds(GENERATION_LIFETIME));
        self.ask(&keys.generation, command, Effect::Run(&script::RAISE)).await.map(drop)
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let keys = self.0.keys.index(identity);
        let mut command = driver::cmd("HKEYS");
        command.arg(&keys.sessions);
        let Value::Array(ids) = self.ask(&keys.sessions, command, Effect::Read).await? else {
            return Err(unexpected());
        };
        // All of them, also for a page: a hash has no order, and nobody has so many sessions that it matters.
        let ids = ids.iter().filter_map(server::text).filter_map(|id| SessionId::try_from(id).ok());
        let mut ids: Vec<_> = ids.filter(|id| after.is_none_or(|after| id > after)).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        Ok(ids)
    }

    async fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Result<Generation, StoreError> {
        let keys = self.0.keys.index(identity);
        let connection = &self.0.connection;
        let deadline = connection.deadline();
        let mut read = driver::cmd("GET");
        read.arg(&keys.generation);
        let mut note = script::LINK.on(&keys.sessions);
        note.arg(id.as_bytes()).arg(milliseconds(lifetime.saturating_add(LINK_SLACK)));

        // The generation first, then the entry (R28), in one round trip.
        let both = Call::new(&keys.sessions, [read.clone(), note.clone()], Effect::Run(&script::LINK));
        let mut answers = connection.try_once(&both, deadline).await?.into_iter();
        let (before, noted) = (answers.next(), answers.next());
        // What was refused is asked for again by itself: while their slot is being moved each may be on another server. To note
        // it twice does no harm, and without the generation it has to come again after that.
        let (before, is_noted) = match before {
            Some(Ok(before)) => (before, matches!(noted, Some(Ok(_)))),
            _ => (connection.ask_one(&Call::new(&keys.generation, [read], Effect::Read), deadline).await?, false),
        };
        let before = generation(&before)?;
        if !is_noted {
            connection.ask_one(&Call::new(&keys.sessions, [note], Effect::Run(&script::LINK)), deadline).await?;
        }
        Ok(before)
    }

    async fn unlink(&self, identity: &RawJson, id: &SessionId) -> Result<(), StoreError> {
        let keys = self.0.keys.index(identity);
        let mut command = script::UNLINK.on(&keys.sessions);
        command.arg(id.as_bytes()).arg(milliseconds(LINK_GRACE));
        self.ask(&keys.sessions, command, Effect::Run(&script::UNLINK)).await.map(drop)
    }
}

fn generation(reply: &Value) -> Result<Generation, StoreError> {
    match reply {
        Value::Nil => Ok(Generation::NONE),
        Value::BulkString(digits) => row::number(digits).map(Generation).ok_or_else(|| InvalidEntry::MALFORMED.into()),
        _ => Err(InvalidEntry::MALFORMED.into()),
    }
}

/// Says nothing of the URL (R26).
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
