//! The index of sessions by identity: two keys for each identity.

use std::time::Duration;

use ::redis::{Cmd, Value, cmd, from_redis_value};

use crate::record;
use crate::script;
use crate::store::RedisStore;
use crate::topology::{StoreCall, unexpected};
use http_session_store::clock::milliseconds;
use http_session_store::error::{InvalidEntry, StoreError};
use http_session_store::record::RawJson;
use http_session_store::{GENERATION_LIFETIME, Generation, IndexSessions, LINK_GRACE, SessionId};

/// How much longer an id stays in the index than its record was to live: the record is written later, and its life begins then.
const LINK_SLACK: Duration = Duration::from_secs(60);

/// The index has a key of its own for each identity. See the [crate documentation](crate).
impl IndexSessions for RedisStore {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        let keys = self.keys.index(identity);
        generation(&self.read(&keys.generation, get(&keys.generation)).await?)
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        let keys = self.keys.index(identity);
        let mut command = script::RAISE.on(&keys.generation);
        command.arg(generation.0).arg(milliseconds(GENERATION_LIFETIME));
        self.write(&keys.generation, command, &script::RAISE).await.map(drop)
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let keys = self.keys.index(identity);
        let mut command = cmd("HKEYS");
        command.arg(&keys.sessions);
        let ids: Vec<Vec<u8>> =
            from_redis_value(self.read(&keys.sessions, command).await?).map_err(|_| unexpected())?;
        // A page reads all ids, because a hash has no order. An identity has few sessions.
        let ids = ids.iter().filter_map(|id| SessionId::try_from(std::str::from_utf8(id).ok()?).ok());
        let mut ids: Vec<_> = ids.filter(|id| after.is_none_or(|after| id > after)).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        Ok(ids)
    }

    async fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Result<Generation, StoreError> {
        let (keys, deadline) = (self.keys.index(identity), self.topology.deadline());
        let mut link = script::LINK.on(&keys.sessions);
        link.arg(id.as_bytes()).arg(milliseconds(lifetime.saturating_add(LINK_SLACK)));

        // In one round trip, and in this order: the generation is read before the id is linked (R28).
        let both = StoreCall::write(&keys.sessions, [get(&keys.generation), link.clone()], &script::LINK);
        let mut replies = self.topology.ask_once(&both, deadline).await?.into_iter();
        let (before, linked) = (replies.next(), replies.next());
        // While their slot is being moved, the two keys may be on different servers. Then the refused command is sent again by
        // itself. If the generation was refused, the link comes again too, to keep the order. Linking twice does no harm.
        let (before, is_linked) = match before {
            Some(Ok(before)) => (before, matches!(linked, Some(Ok(_)))),
            _ => {
                let read = StoreCall::read(&keys.generation, [get(&keys.generation)]);
                (self.topology.ask_one(&read, deadline).await?, false)
            }
        };
        let before = generation(&before)?;
        if !is_linked {
            self.topology.ask_one(&StoreCall::write(&keys.sessions, [link], &script::LINK), deadline).await?;
        }
        Ok(before)
    }

    async fn unlink(&self, identity: &RawJson, id: &SessionId) -> Result<(), StoreError> {
        let keys = self.keys.index(identity);
        let mut command = script::UNLINK.on(&keys.sessions);
        command.arg(id.as_bytes()).arg(milliseconds(LINK_GRACE));
        self.write(&keys.sessions, command, &script::UNLINK).await.map(drop)
    }
}

fn get(key: &[u8]) -> Cmd {
    let mut command = cmd("GET");
    command.arg(key);
    command
}

fn generation(reply: &Value) -> Result<Generation, StoreError> {
    match reply {
        Value::Nil => Ok(Generation::NONE),
        Value::BulkString(digits) => {
            record::number(digits).map(Generation).ok_or_else(|| InvalidEntry::MALFORMED.into())
        }
        _ => Err(InvalidEntry::MALFORMED.into()),
    }
}
