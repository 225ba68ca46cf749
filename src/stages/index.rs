//! Stage 7, towards the index (R28): a sign-in that races with the end of all sessions of its identity does not survive it.
//!
//! | sign-in | `destroy_all_of` |
//! |---|---|
//! | 1. notes the record in the index, and reads the generation | 1. raises the generation |
//! | 2. writes the record | 2. lists the identity's records |
//! | 3. reads the generation again; if it moved, destroys the record | 3. destroys each that is still of the identity |
//!
//! Either the generation is raised before the sign-in reads it for the second time, or the record was written before it was raised
//! and is listed.

use super::store_call;
use std::collections::HashSet;

use super::write::{self, Failure};
use crate::config::ErasedConfig;
use crate::error::{StoreError, StoreErrorKind};
use crate::request::pending::TicketProof;
use crate::request::session::RequestSession;
use crate::store::ErasedIndex;
use crate::telemetry;
use http_session_store::SessionId;
use http_session_store::record::{RawJson, Record};
use http_session_store::{Destroyed, Generation};

/// A sign-in between its two looks at the generation.
pub(crate) struct IndexedSignIn {
    identity: RawJson,
    generation: Generation,
}

/// Before a record is written with this identity.
pub(crate) async fn enter(
    config: &ErasedConfig,
    session: &RequestSession,
    identity: Option<&RawJson>,
    id: &SessionId,
) -> Result<Option<IndexedSignIn>, Failure> {
    let Some(identity) = identity else {
        return Ok(None);
    };
    let Some(index) = config.index() else {
        // A ticket that nobody can look at is void.
        return if session.pending.ticket.is_some() { Err(Failure::Revoked) } else { Ok(None) };
    };
    let lifetime = write::lifetime(config, session).absolute;
    let generation = store_call::link(config, index, identity, id, lifetime).await?;
    match session.pending.ticket {
        Some(pass) if pass.generation != generation || pass.is_void(config.elapsed()) => {
            telemetry::sign_in_revoked(&config.tags, id);
            Err(Failure::Revoked)
        }
        Some(_) | None => Ok(Some(IndexedSignIn { identity: identity.clone(), generation })),
    }
}

/// After the record was written. Where the sign-in may not stay, its record is destroyed: nobody has its verifier.
pub(crate) async fn confirm(
    config: &ErasedConfig,
    entry: Option<IndexedSignIn>,
    id: &SessionId,
) -> Result<(), Failure> {
    let Some(IndexedSignIn { identity, generation }) = entry else {
        return Ok(());
    };
    let failure = match store_call::generation(config, &identity).await {
        Ok(now) if now == generation => return Ok(()),
        Ok(_) => {
            telemetry::sign_in_revoked(&config.tags, id);
            Failure::Revoked
        }
        Err(error) => Failure::Store(error),
    };
    let _ = store_call::destroy(config, id, None).await?;
    Err(failure)
}

/// Before a record is written whose lifetimes changed: its entry in the index must not end before it does.
pub(crate) async fn relink(config: &ErasedConfig, session: &RequestSession, id: &SessionId) -> Result<(), StoreError> {
    let (Some(index), Some(identity), None, true) =
        (config.index(), &session.pending.identity, session.entering(), session.pending.cookie_changed)
    else {
        return Ok(());
    };
    if config.own_lifetimes(session.pending.cookie.as_ref())
        != config.own_lifetimes(session.loaded.record.cookie.as_ref())
    {
        let lifetime = write::lifetime(config, session).absolute;
        store_call::link(config, index, identity, id, lifetime).await?;
    }
    Ok(())
}

/// A ticket for an identity.
pub(crate) async fn pass(config: &ErasedConfig, identity: &RawJson) -> Result<TicketProof, StoreError> {
    let given = config.elapsed();
    Ok(TicketProof { generation: store_call::generation(config, identity).await?, given })
}

/// Ends all sessions of an identity but one. Answers how many.
pub(crate) async fn end_all(
    config: &ErasedConfig,
    identity: &RawJson,
    except: Option<&SessionId>,
) -> Result<usize, StoreError> {
    let Some(index) = config.index() else {
        return Err(StoreError::new(StoreErrorKind::Refused));
    };
    let mut generation = [0; 8];
    config.random(&mut generation);
    // Never the one that stands for none.
    let generation = Generation(u64::from_le_bytes(generation) | 1);
    store_call::raise_generation(config, index, identity, generation).await?;
    let mut ended = 0;
    let mut unreadable = None;
    // Where a rotation is a move, a session may have left its record for one that the list did not have yet. It is in the next
    // one, because it is written before the old record is destroyed; so the end is a list in which nothing is new.
    let mut seen: HashSet<SessionId> = except.cloned().into_iter().collect();
    loop {
        let before = seen.len();
        let mut page = LinkedIds::new(index, identity);
        while let Some(id) = page.next(config).await? {
            if seen.contains(&id) {
                continue;
            }
            match end_of(config, &id, identity).await {
                Ok(is_ended) => ended += usize::from(is_ended),
                // Nobody can use it; the others end all the same.
                Err(error) if error.kind() == StoreErrorKind::Corrupt => unreadable = Some(error),
                Err(error) => return Err(error),
            }
            seen.insert(id);
        }
        if seen.len() == before || !config.settings.format.rotates_into_new_record() {
            return unreadable.map_or(Ok(ended), Err);
        }
    }
}

/// Ends a session while it is of this identity, however it moves.
async fn end_of(config: &ErasedConfig, id: &SessionId, identity: &RawJson) -> Result<bool, StoreError> {
    const ATTEMPTS: usize = 16;
    for _ in 0..ATTEMPTS {
        let Some(record) = record_of(config, id, identity).await? else {
            return Ok(false);
        };
        match store_call::destroy(config, id, Some(record.epoch)).await? {
            Destroyed::Destroyed => return Ok(true),
            Destroyed::Missing => return Ok(false),
            Destroyed::Superseded => {}
        }
    }
    Err(StoreError::new(StoreErrorKind::Unavailable))
}

/// The record, if it is of this identity; if not, the index may forget it.
async fn record_of(config: &ErasedConfig, id: &SessionId, identity: &RawJson) -> Result<Option<Record>, StoreError> {
    let record = store_call::load(config, id).await?;
    match (record, config.index()) {
        (Some(record), _) if record.identity.as_ref() == Some(identity) => Ok(Some(record)),
        (_, Some(index)) => {
            // Only an entry too many, whatever comes of it.
            let _ = store_call::unlink(config, index, identity, id).await;
            Ok(None)
        }
        (_, None) => Ok(None),
    }
}

/// The records of an identity.
pub(crate) async fn records_of(
    config: &ErasedConfig,
    identity: &RawJson,
) -> Result<Vec<(SessionId, Record)>, StoreError> {
    let Some(index) = config.index() else {
        return Err(StoreError::new(StoreErrorKind::Refused));
    };
    let mut records = Vec::new();
    let mut page = LinkedIds::new(index, identity);
    while let Some(id) = page.next(config).await? {
        if let Some(record) = record_of(config, &id, identity).await? {
            records.push((id, record));
        }
    }
    Ok(records)
}

/// Walks through the ids of an identity.
struct LinkedIds<'a> {
    index: &'a dyn ErasedIndex,
    identity: &'a RawJson,
    last: Option<SessionId>,
    ids: std::vec::IntoIter<SessionId>,
}

impl<'a> LinkedIds<'a> {
    fn new(index: &'a dyn ErasedIndex, identity: &'a RawJson) -> Self {
        Self { index, identity, last: None, ids: Vec::new().into_iter() }
    }

    async fn next(&mut self, config: &ErasedConfig) -> Result<Option<SessionId>, StoreError> {
        const SIZE: usize = 100;
        if self.ids.len() == 0 {
            let ids = store_call::linked(config, self.index, self.identity, self.last.as_ref(), SIZE).await?;
            self.ids = ids.into_iter();
        }
        let next = self.ids.next();
        if next.is_some() {
            self.last.clone_from(&next);
        }
        Ok(next)
    }
}
