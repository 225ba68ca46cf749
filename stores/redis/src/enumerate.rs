//! All sessions, one server after the other, with `SCAN`.

use std::sync::Arc;

use ::redis::{Pipeline, Value, from_redis_value};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::store::RedisStore;
use crate::topology::{Server, error_of, unexpected};
use http_session_store::error::{StoreError, StoreErrorKind};
use http_session_store::{Cursor, EnumerateSessions, Page, SessionId, SessionStore as _};

/// A server is busy for less than a millisecond while it goes through this many keys. Other commands wait for that.
const KEYS_PER_SCAN: usize = 1000;

const CONCURRENT_DESTROYS: usize = 64;

/// Where the next page begins.
///
/// No two server processes list their keys in the same order. If the servers, their slots or the process have changed since the
/// page before, the pages start again from the beginning, and some sessions are listed twice.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ScanPosition {
    /// [`Layout::shape`](crate::topology::Layout::shape)
    shape: u64,
    /// The number of the server among the primaries.
    server: usize,
    /// The `run_id` of the server's process.
    process: String,
    /// The server's own cursor.
    cursor: u64,
}

impl ScanPosition {
    fn parse(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.as_str().split('.');
        let mut next = || parts.next();
        let (shape, server, process, cursor) = (next()?, next()?, next()?, next()?);
        Some(Self {
            shape: u64::from_str_radix(shape, 16).ok()?,
            server: server.parse().ok()?,
            process: process.to_owned(),
            cursor: cursor.parse().ok()?,
        })
    }

    fn to_cursor(&self) -> Cursor {
        let Self { shape, server, process, cursor } = self;
        Cursor::new(format!("{shape:x}.{server}.{process}.{cursor}"))
    }
}

struct ScannedPage {
    ids: Vec<SessionId>,
    next: Option<ScanPosition>,
    /// This is the first page again.
    is_restarted: bool,
}

/// Pages are in the order in which the servers keep their keys.
impl EnumerateSessions for RedisStore {
    async fn len(&self) -> Result<usize, StoreError> {
        let (mut count, mut position) = (0, None);
        loop {
            let page = self.scan(position, KEYS_PER_SCAN).await?;
            count = if page.is_restarted { 0 } else { count } + page.ids.len();
            position = page.next;
            if position.is_none() {
                return Ok(count);
            }
        }
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let from = match from {
            Some(cursor) => Some(ScanPosition::parse(cursor).ok_or_else(|| StoreError::new(StoreErrorKind::Refused))?),
            None => None,
        };
        let ScannedPage { ids, next, .. } = self.scan(from, limit).await?;
        Ok(Page::new(ids, next.map(|position| position.to_cursor())))
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let (mut position, mut running) = (None, JoinSet::new());
        loop {
            let page = self.scan(position, KEYS_PER_SCAN).await?;
            for id in page.ids {
                if running.len() >= CONCURRENT_DESTROYS {
                    next_ended(&mut running).await?;
                }
                let store = self.clone();
                running.spawn(async move { store.destroy(&id, None).await.map(drop) });
            }
            while !running.is_empty() {
                next_ended(&mut running).await?;
            }
            position = page.next;
            if position.is_none() {
                return Ok(());
            }
        }
    }
}

impl RedisStore {
    async fn scan(&self, from: Option<ScanPosition>, limit: usize) -> Result<ScannedPage, StoreError> {
        let deadline = self.topology.deadline();
        let layout = self.topology.primaries(deadline).await?;
        let first = ScanPosition { shape: layout.shape, server: 0, process: String::new(), cursor: 0 };
        let mut is_restarted = from.as_ref().is_some_and(|from| from.shape != first.shape);
        let mut position = from.filter(|_| !is_restarted).unwrap_or(first);
        loop {
            // A position beyond the last server is not from this store.
            let server = layout.primaries.get(position.server).map(Arc::clone);
            let server = server.ok_or_else(|| StoreError::new(StoreErrorKind::Refused))?;
            let limit = limit.clamp(1, KEYS_PER_SCAN);
            let (process, cursor, keys) = self.scan_server(&server, position.cursor, limit, deadline).await?;
            if position.cursor > 0 && process != position.process {
                (position.server, position.cursor, is_restarted) = (0, 0, true);
                continue;
            }
            let ids = self.live_sessions(&server, &keys, deadline).await?;
            let next = position.server + usize::from(cursor == 0);
            let next = (next < layout.primaries.len()).then_some(ScanPosition {
                shape: layout.shape,
                server: next,
                process,
                cursor,
            });
            return Ok(ScannedPage { ids, next, is_restarted });
        }
    }

    /// The server's process, the cursor that follows, and keys of hashes.
    async fn scan_server(
        &self,
        server: &Server,
        cursor: u64,
        limit: usize,
        deadline: Instant,
    ) -> Result<(String, u64, Vec<Vec<u8>>), StoreError> {
        let mut commands = Pipeline::with_capacity(2);
        commands.cmd("INFO").arg("server").cmd("SCAN").arg(cursor);
        commands.arg("MATCH").arg(self.keys.sessions()).arg("COUNT").arg(limit).arg("TYPE").arg("hash");
        let replies = self.topology.ask_server(server, &commands, deadline).await?;
        if let Some(error) = replies.iter().find_map(error_of) {
            return Err(StoreError::new(StoreErrorKind::Refused).with_source(error));
        }
        let (info, (next, keys)): (String, _) = from_redis_value(Value::Array(replies)).map_err(|_| unexpected())?;
        let process = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
        Ok((process.to_owned(), next, keys))
    }

    /// The ids of the keys that are not tombstones: a tombstone has no verifier.
    async fn live_sessions(
        &self,
        server: &Server,
        keys: &[Vec<u8>],
        deadline: Instant,
    ) -> Result<Vec<SessionId>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = Pipeline::with_capacity(keys.len());
        for key in keys {
            commands.cmd("HSTRLEN").arg(key).arg("v");
        }
        let lengths = self.topology.ask_server(server, &commands, deadline).await?;
        // A key that has just moved to another server is answered with an error. It is listed, because it was there.
        let live = keys.iter().zip(lengths).filter(|(_, length)| !matches!(length, Value::Int(0)));
        Ok(live.filter_map(|(key, _)| self.keys.id(key)).collect())
    }
}

async fn next_ended(running: &mut JoinSet<Result<(), StoreError>>) -> Result<(), StoreError> {
    match running.join_next().await {
        Some(Ok(Err(error))) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_as_a_cursor() {
        let position = ScanPosition { shape: u64::MAX, server: 3, process: "a1b2".to_owned(), cursor: u64::MAX };
        assert_eq!(ScanPosition::parse(&position.to_cursor()), Some(position));
        for text in ["", "\0", "0/42", "1.2.3", "x.0..0", "-1.0..0"] {
            assert_eq!(ScanPosition::parse(&Cursor::new(text)), None, "{text}");
        }
    }
}
