//! Stage 7, towards the index (R28). A sign-in does not survive if all sessions of its identity are ended while it is under
//! way.
//!
//! | | a sign-in | `destroy_all_of` |
//! |---|---|---|
//! | 1 | adds the record to the index and reads the generation | raises the generation |
//! | 2 | writes the record | lists the identity's records |
//! | 3 | reads the generation again, and destroys its record if the generation has changed | destroys each record that still has the identity |
//!
//! Neither order of steps may change. Suppose that the generation is raised after step 1 of a sign-in. If it is raised before
//! step 3, step 3 sees it. If it is raised after step 3, the record has been written already, so the list contains it.

use std::collections::HashSet;

use super::store_call;
use super::write::{self, WriteFailure};
use crate::config::ErasedConfig;
use crate::error::{StoreError, StoreErrorKind};
use crate::request::pending::TicketProof;
use crate::request::session::RequestSession;
use crate::store::ErasedIndex;
use crate::telemetry;
use http_session_store::record::{RawJson, Record};
use http_session_store::{Destroyed, Generation, SessionId};

/// A sign-in between its two reads of the generation.
pub(crate) struct IndexedSignIn {
    identity: RawJson,
    generation: Generation,
}

/// Step 1 of a sign-in, before its record is written. `None` if the write is not a sign-in, or if the configuration has no
/// index.
pub(crate) async fn begin_sign_in(
    config: &ErasedConfig,
    session: &RequestSession,
    identity: Option<&RawJson>,
    id: &SessionId,
) -> Result<Option<IndexedSignIn>, WriteFailure> {
    let Some(identity) = identity else {
        return Ok(None);
    };
    let Some(index) = config.index() else {
        // Without an index, nobody can tell whether the ticket has been revoked.
        return if session.pending.ticket.is_some() { Err(WriteFailure::Revoked) } else { Ok(None) };
    };
    let lifetime = write::lifetime(config, session).absolute;
    let generation = store_call::link(config, index, identity, id, lifetime).await?;
    match session.pending.ticket {
        // The ticket carries the generation from before the password check, so its sign-in is revoked by anything since then.
        Some(proof) if proof.generation != generation || proof.is_void(config.elapsed()) => {
            telemetry::sign_in_revoked(&config.tags, id);
            Err(WriteFailure::Revoked)
        }
        Some(_) | None => Ok(Some(IndexedSignIn { identity: identity.clone(), generation })),
    }
}

/// Step 3 of a sign-in, after its record was written. If the sign-in must not stay, the record is destroyed. Nobody can use
/// it until then, because its verifier has not been sent.
pub(crate) async fn confirm_sign_in(
    config: &ErasedConfig,
    sign_in: Option<IndexedSignIn>,
    id: &SessionId,
) -> Result<(), WriteFailure> {
    let Some(IndexedSignIn { identity, generation }) = sign_in else {
        return Ok(());
    };
    let failure = match store_call::generation(config, &identity).await {
        Ok(now) if now == generation => return Ok(()),
        Ok(_) => {
            telemetry::sign_in_revoked(&config.tags, id);
            WriteFailure::Revoked
        }
        // Without an answer we cannot know, so the sign-in does not stay.
        Err(error) => WriteFailure::Store(error),
    };
    let _ = store_call::destroy(config, id, None).await?;
    Err(failure)
}

/// Before a write that changes the lifetimes of a signed-in session: prolongs its link in the index. A link that ends
/// before its record would hide the session from `destroy_all_of`.
pub(crate) async fn relink(config: &ErasedConfig, session: &RequestSession, id: &SessionId) -> Result<(), StoreError> {
    // A sign-in links with its new lifetime by itself.
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

/// What a ticket for an identity proves: its generation at this moment (R28).
pub(crate) async fn pass(config: &ErasedConfig, identity: &RawJson) -> Result<TicketProof, StoreError> {
    // Before the call: the ticket must not count as younger than its generation.
    let given = config.elapsed();
    Ok(TicketProof { generation: store_call::generation(config, identity).await?, given })
}

/// Ends all sessions of an identity, with the exception of `except`. Returns how many it ended.
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
    // Odd, so never `Generation::NONE`.
    let generation = Generation(u64::from_le_bytes(generation) | 1);
    store_call::raise_generation(config, index, identity, generation).await?;
    let mut ended = 0;
    let mut unreadable = None;
    // In a format that rotates into a new record, a session may move while we walk through the list, to a record that the
    // list did not contain yet. The next list contains it, because the new record is written before the old one is
    // destroyed. So we are done when a list contains nothing new.
    let mut seen: HashSet<SessionId> = except.cloned().into_iter().collect();
    loop {
        let before = seen.len();
        let mut page = LinkedIds::new(index, identity);
        while let Some(id) = page.next(config).await? {
            if seen.contains(&id) {
                continue;
            }
            match end_session_of(config, &id, identity).await {
                Ok(is_ended) => ended += usize::from(is_ended),
                // A record that cannot be read cannot be used either. The other sessions must end all the same.
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

/// Ends a session as long as it has this identity, even if it is written to at the same time.
async fn end_session_of(config: &ErasedConfig, id: &SessionId, identity: &RawJson) -> Result<bool, StoreError> {
    const ATTEMPTS: usize = 16;
    for _ in 0..ATTEMPTS {
        let Some(record) = record_of(config, id, identity).await? else {
            return Ok(false);
        };
        // With the epoch: if the identity has changed since the load, the session is another user's (R4).
        match store_call::destroy(config, id, Some(record.epoch)).await? {
            Destroyed::Destroyed => return Ok(true),
            Destroyed::Missing => return Ok(false),
            Destroyed::Superseded => {}
        }
    }
    Err(StoreError::new(StoreErrorKind::Unavailable))
}

/// The record, if it has this identity. Otherwise its link is removed from the index.
async fn record_of(config: &ErasedConfig, id: &SessionId, identity: &RawJson) -> Result<Option<Record>, StoreError> {
    let record = store_call::load(config, id).await?;
    match (record, config.index()) {
        (Some(record), _) if record.identity.as_ref() == Some(identity) => Ok(Some(record)),
        (_, Some(index)) => {
            // Ignored: a link too many does no harm, since every record is looked at.
            let _ = store_call::unlink(config, index, identity, id).await;
            Ok(None)
        }
        (_, None) => Ok(None),
    }
}

/// The records of an identity, with their ids.
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

/// Walks through the ids that the index links to an identity, page by page.
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
        const PAGE_SIZE: usize = 100;
        if self.ids.len() == 0 {
            let ids = store_call::linked(config, self.index, self.identity, self.last.as_ref(), PAGE_SIZE).await?;
            self.ids = ids.into_iter();
        }
        let next = self.ids.next();
        if next.is_some() {
            self.last.clone_from(&next);
        }
        Ok(next)
    }
}
