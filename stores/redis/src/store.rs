//! The store: a session is a record, and each call is one round trip.

use std::fmt;
use std::sync::Arc;

use ::redis::{Cmd, Value, cmd};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::keys::Keys;
use crate::record;
use crate::script::{self, Script};
use crate::topology::{Server, StoreCall, Topology, error_of, unexpected};
use http_session_store::clock::milliseconds;
use http_session_store::error::{InvalidEntry, StoreError, StoreErrorKind};
use http_session_store::record::{Epoch, Lifetime, Patch, Record, TOMBSTONE_LIFETIME};
use http_session_store::{Destroyed, Inserted, SessionId, SessionStore, Touched, Updated};

/// Sessions in Redis or Valkey: one server, a cluster, or a primary that sentinels name.
///
/// A load is one round trip, and a commit another. Clones share their connections, which are made again when they break. A
/// call that a server refuses is sent again within the [time limit](crate::RedisOptions::time_limit), to the right server. A
/// write whose answer is lost is never sent again: it fails with
/// [`Unknown`](http_session_store::error::StoreErrorKind::Unknown).
///
/// The [crate documentation](crate) lists the URLs, the keys, the settings of the server, and what this store cannot
/// guarantee.
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) keys: Arc<Keys>,
    pub(crate) topology: Arc<Topology>,
}

impl RedisStore {
    pub(crate) fn new(keys: Keys, topology: Topology) -> Self {
        Self { keys: Arc::new(keys), topology: Arc::new(topology) }
    }

    /// Loads the scripts on all servers at once. If a server does not answer now, the first call there loads the script that it
    /// misses: a cluster without one of its shards still has the others.
    pub(crate) async fn load_scripts(&self) -> Result<(), StoreError> {
        let deadline = self.topology.deadline();
        let mut loading = JoinSet::new();
        for server in &self.topology.primaries(deadline).await?.primaries {
            let (store, server) = (self.clone(), Arc::clone(server));
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
        let mut commands = ::redis::Pipeline::new();
        for script in script::all() {
            commands.add_command(script.load());
        }
        let replies = self.topology.ask_server(server, &commands, deadline).await?;
        let problem = replies.iter().find_map(error_of);
        problem.map_or(Ok(()), |error| Err(StoreError::new(StoreErrorKind::Refused).with_source(error)))
    }

    /// Sends one command that only reads.
    pub(crate) async fn read(&self, key: &[u8], command: Cmd) -> Result<Value, StoreError> {
        self.topology.ask_one(&StoreCall::read(key, [command]), self.topology.deadline()).await
    }

    /// Sends one script that writes.
    pub(crate) async fn write(&self, key: &[u8], command: Cmd, script: &Script) -> Result<Value, StoreError> {
        self.topology.ask_one(&StoreCall::write(key, [command], script), self.topology.deadline()).await
    }

    /// Runs a script on a record.
    async fn run(
        &self,
        script: &Script,
        id: &SessionId,
        arguments: impl FnOnce(&mut Cmd),
    ) -> Result<Value, StoreError> {
        let key = self.keys.session(id);
        let mut command = script.on(&key);
        arguments(&mut command);
        self.write(&key, command, script).await
    }
}

/// The word that a script on a record answers with.
fn word(reply: &Value) -> &[u8] {
    match reply {
        Value::BulkString(word) => word,
        _ => b"",
    }
}

/// The error for a word that is not an answer to the call.
fn failure(word: &[u8]) -> StoreError {
    match word {
        b"corrupt" => InvalidEntry::MALFORMED.into(),
        _ => unexpected(),
    }
}

/// A conflict comes with the time and the record, which may have expired.
fn conflict(reply: &[Value]) -> Result<Updated, StoreError> {
    let [_, Value::BulkString(now), hash] = reply else { return Err(unexpected()) };
    let record = record::read(hash, record::number(now).ok_or_else(unexpected)?)?;
    Ok(record.map_or(Updated::Missing, |record| Updated::Conflict(Box::new(record))))
}

impl SessionStore for RedisStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let key = self.keys.session(id);
        let mut hash = Cmd::with_capacity(2, "HGETALL".len() + key.len());
        hash.arg("HGETALL").arg(&key);
        // Ages are counted by the server's clock, so the time comes from the same server in the same round trip.
        let call = StoreCall::read(&key, [hash, cmd("TIME")]);
        let replies = self.topology.ask(&call, self.topology.deadline()).await?;
        let [hash, time] = replies.as_slice() else { return Err(InvalidEntry::MALFORMED.into()) };
        record::read(hash, record::time(time).ok_or(InvalidEntry::MALFORMED)?)
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let reply = self.run(&script::INSERT, id, |command| record::insert(command, record, lifetime)).await?;
        match word(&reply) {
            b"inserted" => Ok(Inserted::Inserted),
            b"taken" => Ok(Inserted::Taken),
            other => Err(failure(other)),
        }
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let reply = self.run(&script::UPDATE, id, |command| record::update(command, patch, lifetime)).await?;
        if let Value::Array(reply) = &reply {
            return conflict(reply);
        }
        match word(&reply) {
            b"applied" => Ok(Updated::Applied { renewed: true }),
            b"unrenewed" => Ok(Updated::Applied { renewed: false }),
            b"missing" => Ok(Updated::Missing),
            b"superseded" => Ok(Updated::Superseded),
            other => Err(failure(other)),
        }
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let arguments = |command: &mut Cmd| {
            command.arg(epoch.0);
            record::lifetime(command, lifetime);
        };
        match word(&self.run(&script::TOUCH, id, arguments).await?) {
            b"applied" => Ok(Touched::Applied),
            b"missing" => Ok(Touched::Missing),
            b"superseded" => Ok(Touched::Superseded),
            other => Err(failure(other)),
        }
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let arguments = |command: &mut Cmd| {
            command.arg(epoch.map_or_else(String::new, |epoch| epoch.0.to_string()));
            command.arg(milliseconds(TOMBSTONE_LIFETIME));
        };
        match word(&self.run(&script::DESTROY, id, arguments).await?) {
            b"destroyed" => Ok(Destroyed::Destroyed),
            b"missing" => Ok(Destroyed::Missing),
            b"superseded" => Ok(Destroyed::Superseded),
            other => Err(failure(other)),
        }
    }
}

/// Shows nothing of the URL, which may hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
