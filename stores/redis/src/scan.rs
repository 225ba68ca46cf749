//! All sessions, server by server.
//!
//! A cursor says which servers there were, on which of them to go on, which process that was, and its own cursor. `SCAN` gives
//! no two processes the same order; so where one of these has changed, the pages begin anew, and name some sessions twice.

use ::redis::{Pipeline, Value};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::server::{Server, problem, text};
use super::{RedisStore, unexpected};
use http_session_store::SessionId;
use http_session_store::error::{StoreError, StoreErrorKind};
use http_session_store::{Cursor, Page, SessionStore as _};

/// As many as a server goes through without keeping others waiting.
const MOST: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    shape: u64,
    server: usize,
    process: String,
    scan: u64,
}

impl Place {
    fn parse(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.as_str().split('.');
        let mut next = || parts.next();
        let (shape, server, process, scan) = (next()?, next()?, next()?, next()?);
        Some(Self {
            shape: u64::from_str_radix(shape, 16).ok()?,
            server: server.parse().ok()?,
            process: process.to_owned(),
            scan: scan.parse().ok()?,
        })
    }

    fn cursor(&self) -> Cursor {
        let Self { shape, server, process, scan } = self;
        Cursor::new(format!("{shape:x}.{server}.{process}.{scan}"))
    }
}

/// A page of one server.
struct Found {
    ids: Vec<SessionId>,
    next: Option<Place>,
    /// The servers have changed since the page before: this is the first page again.
    anew: bool,
}

impl RedisStore {
    pub(super) async fn page(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let from = match from {
            Some(cursor) => Some(Place::parse(cursor).ok_or_else(|| StoreError::new(StoreErrorKind::Refused))?),
            None => None,
        };
        let Found { ids, next, .. } = self.scan(from, limit).await?;
        Ok(Page::new(ids, next.map(|place| place.cursor())))
    }

    pub(super) async fn count(&self) -> Result<usize, StoreError> {
        let (mut count, mut place) = (0, None);
        loop {
            let found = self.scan(place, MOST).await?;
            count = if found.anew { 0 } else { count } + found.ids.len();
            place = found.next;
            if place.is_none() {
                return Ok(count);
            }
        }
    }

    /// A page at a time, and of a page as many at once as a pipeline takes.
    pub(super) async fn destroy_all(&self) -> Result<(), StoreError> {
        const AT_ONCE: usize = 64;
        let (mut place, mut running) = (None, JoinSet::new());
        loop {
            let found = self.scan(place, MOST).await?;
            for id in found.ids {
                if running.len() >= AT_ONCE {
                    ended(&mut running).await?;
                }
                let store = self.clone();
                running.spawn(async move { store.destroy(&id, None).await.map(drop) });
            }
            while !running.is_empty() {
                ended(&mut running).await?;
            }
            place = found.next;
            if place.is_none() {
                return Ok(());
            }
        }
    }

    async fn scan(&self, from: Option<Place>, limit: usize) -> Result<Found, StoreError> {
        let deadline = self.0.connection.deadline();
        let primaries = self.0.connection.primaries(deadline).await?;
        let first = Place { shape: primaries.shape, server: 0, process: String::new(), scan: 0 };
        let same = from.as_ref().is_none_or(|from| from.shape == first.shape);
        let mut anew = !same;
        let mut place = from.filter(|_| same).unwrap_or(first);
        loop {
            // Only a cursor that nobody gave is beyond the last.
            let Some(server) = primaries.servers.get(place.server) else {
                return Err(StoreError::new(StoreErrorKind::Refused));
            };
            let (process, scan, keys) = self.scan_server(server, place.scan, limit.clamp(1, MOST), deadline).await?;
            if place.scan > 0 && process != place.process {
                (place.server, place.scan, anew) = (0, 0, true);
                continue;
            }
            let ids = self.sessions(server, &keys, deadline).await?;
            let server = place.server + usize::from(scan == 0);
            let next = (server < primaries.servers.len()).then_some(Place { server, process, scan, ..place });
            return Ok(Found { ids, next, anew });
        }
    }

    /// Keys of hashes, the cursor that follows, and the process that gave it.
    async fn scan_server(
        &self,
        server: &Server,
        scan: u64,
        limit: usize,
        deadline: Instant,
    ) -> Result<(String, u64, Vec<Vec<u8>>), StoreError> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.cmd("INFO").arg("server").cmd("SCAN").arg(scan);
        pipeline.arg("MATCH").arg(self.0.keys.sessions()).arg("COUNT").arg(limit).arg("TYPE").arg("hash");
        let replies = self.0.connection.ask_server(server, &pipeline, deadline).await?;
        if let Some(error) = replies.iter().find_map(problem) {
            return Err(StoreError::new(StoreErrorKind::Refused).with_source(error));
        }
        let [info, Value::Array(page)] = replies.as_slice() else { return Err(unexpected()) };
        let info = match info {
            Value::VerbatimString { text, .. } => text.as_str(),
            other => text(other).unwrap_or_default(),
        };
        let process = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
        let [next, Value::Array(keys)] = page.as_slice() else { return Err(unexpected()) };
        let next = text(next).and_then(|next| next.parse().ok()).ok_or_else(unexpected)?;
        let keys = keys.iter().filter_map(|key| match key {
            Value::BulkString(key) => Some(key.clone()),
            _ => None,
        });
        Ok((process.to_owned(), next, keys.collect()))
    }

    /// The ids of those keys that are no tombstones: they have a verifier.
    async fn sessions(
        &self,
        server: &Server,
        keys: &[Vec<u8>],
        deadline: Instant,
    ) -> Result<Vec<SessionId>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(keys.len());
        for key in keys {
            pipeline.cmd("HSTRLEN").arg(key).arg("v");
        }
        let replies = self.0.connection.ask_server(server, &pipeline, deadline).await?;
        // A key that is on its way to another server is named: it was there.
        let named = keys.iter().zip(replies).filter(|(_, length)| !matches!(length, Value::Int(0)));
        Ok(named.filter_map(|(key, _)| self.0.keys.id(key)).collect())
    }
}

async fn ended(running: &mut JoinSet<Result<(), StoreError>>) -> Result<(), StoreError> {
    match running.join_next().await {
        Some(Ok(Err(error))) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again() {
        let place = Place { shape: u64::MAX, server: 3, process: "a1b2".to_owned(), scan: u64::MAX };
        assert_eq!(Place::parse(&place.cursor()), Some(place));
        for text in ["", "\0", "0/42", "1.2.3", "x.0..0", "-1.0..0"] {
            assert_eq!(Place::parse(&Cursor::new(text)), None, "{text}");
        }
    }
}
