//! What the middleware puts into a request: one untyped slot. Every handle is a typed window on it.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::request::Parts;
use smallvec::SmallVec;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::change_list::ChangeList;
use super::pending::{Flaw, guard_merge};
use super::session::RequestSession;
use crate::config::ErasedConfig;
use crate::cookie::transport::Transport;
use crate::decide::Sign;
use crate::error::SessionRejection;
use crate::forgery::Sender;
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::telemetry;
use http_session_store::SessionId;
use http_session_store::record::{Fields, RawJson};

/// The value of a cookie with our name, as it was sent. A native token fits without an allocation.
pub(crate) type Candidate = SmallVec<[u8; 96]>;

/// The slot that handlers see, as an extension of the request.
#[derive(Clone, Debug)]
pub(crate) struct CurrentSlot {
    pub(crate) slot: Arc<Slot>,
    /// The slot that was made last, if it is a different one. All other slots of the request are reached from it.
    innermost: Option<Arc<Slot>>,
}

impl CurrentSlot {
    #[cfg(feature = "tower")]
    pub(crate) const fn new(slot: Arc<Slot>) -> Self {
        Self { slot, innermost: None }
    }

    /// The slot of an outer layer, which also serves an inner layer of the same configuration.
    #[cfg(feature = "tower")]
    pub(crate) fn served(slot: Arc<Slot>, before: Option<&Self>) -> Self {
        Self { slot, innermost: before.map(|before| Arc::clone(before.innermost())) }
    }

    pub(crate) fn innermost(&self) -> &Arc<Slot> {
        self.innermost.as_ref().unwrap_or(&self.slot)
    }
}

/// What the middleware saw of the request.
pub(crate) struct Received {
    pub(crate) candidates: SmallVec<[Candidate; 1]>,
    /// By the clock of the configuration.
    pub(crate) arrived: Duration,
    pub(crate) transport: Option<Transport>,
    pub(crate) sender: Sender,
    pub(crate) fingerprint: Option<Vec<u8>>,
    /// Kept only if the configuration has an id generator, cookie rules or a fingerprint.
    pub(crate) parts: Option<Box<Parts>>,
}

/// How far the request has come with its session.
pub(crate) enum State {
    /// Nobody has asked for the session.
    Unloaded,
    /// The path is outside of the cookie's path, or ignored: there is no session.
    Outside,
    /// The store failed to load the session.
    Failed,
    /// The session was loaded, or a new one has begun.
    Loaded(Box<RequestSession>),
    /// The session is committed. What a handle changes from here on is lost.
    Closed,
}

/// The session of one request, with what is needed to load and commit it.
pub(crate) struct Slot {
    pub(crate) config: Arc<ErasedConfig>,
    pub(crate) received: Received,
    /// The slot of the next outer layer, which has another configuration.
    pub(crate) outer: Option<Arc<Self>>,
    handles: AtomicUsize,
    /// One permit: awaited writes take turns, so that each starts from what the one before it has stored.
    writes: Semaphore,
    state: Mutex<State>,
}

/// What a handle was decoded from, so that its changes can be found and merged.
#[derive(Clone)]
pub(crate) struct Window {
    pub(crate) fields: Fields,
    pub(crate) identity: Option<RawJson>,
    pub(crate) view: u32,
}

impl Slot {
    pub(crate) fn new(
        config: Arc<ErasedConfig>,
        received: Received,
        outer: Option<Arc<Self>>,
        state: State,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            received,
            outer,
            handles: AtomicUsize::new(0),
            writes: Semaphore::const_new(1),
            state: Mutex::new(state),
        })
    }

    /// The slot of this configuration: this one or one around it.
    pub(crate) fn of(self: &Arc<Self>, config: &Arc<ErasedConfig>) -> Option<Arc<Self>> {
        let mut slot = Some(self);
        while let Some(candidate) = slot {
            if Arc::ptr_eq(&candidate.config, config) {
                return Some(Arc::clone(candidate));
            }
            slot = candidate.outer.as_ref();
        }
        None
    }

    /// Locks the state. The lock must not be held across an await, and not while the user's code runs, which could open the
    /// session and wait for the same lock. Merge functions, cookie rules, id generators and subscribers of events are the
    /// user's code.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock is still usable: a change is either one assignment, or made by code that does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the session. `None` if it is not loaded, or committed already.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut RequestSession) -> R) -> Option<R> {
        match &mut *self.lock() {
            State::Loaded(session) => Some(look(session)),
            State::Unloaded | State::Outside | State::Failed | State::Closed => None,
        }
    }

    /// Waits until no other awaited write is under way. A write whose future the handler has dropped still runs to its end,
    /// and keeps its turn until then.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        match self.writes.try_acquire() {
            Ok(permit) => Some(permit),
            // Only now, because `acquire` counts against the task's cooperative budget even if it does not have to wait. An
            // error cannot happen, since the semaphore is never closed.
            Err(_) => self.writes.acquire().await.ok(),
        }
    }

    /// Whether an awaited write is under way.
    pub(crate) fn is_writing(&self) -> bool {
        self.writes.available_permits() == 0
    }

    /// Whether there is nothing to commit: nobody asked for the session, and the configuration does not load it anyway.
    pub(crate) fn is_untouched(&self) -> bool {
        match &*self.lock() {
            State::Unloaded => !self.config.loads_always(),
            State::Outside => true,
            State::Failed | State::Loaded(_) | State::Closed => false,
        }
    }

    /// The number of handles that are alive.
    pub(crate) fn handles(&self) -> usize {
        self.handles.load(Ordering::Relaxed)
    }

    pub(crate) fn handle_opened(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn handle_dropped(&self) {
        self.handles.fetch_sub(1, Ordering::Relaxed);
    }

    /// What a new handle is decoded from.
    pub(crate) fn window(&self) -> Result<Window, SessionRejection> {
        match &*self.lock() {
            State::Loaded(session) => Ok(Window {
                fields: session.pending.fields.clone(),
                identity: session.pending.identity.clone(),
                view: session.done.view,
            }),
            State::Outside => Err(SessionRejection::OutsidePath),
            State::Failed => Err(SessionRejection::StoreFailed),
            State::Unloaded | State::Closed => Err(SessionRejection::Closed),
        }
    }

    /// Takes what a handle changed since its window. Merge functions run without the lock, so the merge starts again if
    /// another handle has changed the session meanwhile.
    pub(crate) fn take(&self, window: &Window, changes: &mut ChangeList) {
        loop {
            let current = {
                let mut state = self.lock();
                let State::Loaded(session) = &mut *state else {
                    drop(state);
                    return telemetry::handle_outlived();
                };
                // The identity or the session has changed since the handle was decoded: its values are another session's
                // (R4).
                if session.done.view != window.view {
                    // Defaults of required fields are no loss, so they cause no event.
                    if changes.is_filler() {
                        return;
                    }
                    let id = session.loaded.id.clone();
                    drop(state);
                    return telemetry::handle_stale(&self.config.tags, id.as_ref());
                }
                // No other handle has changed anything: nothing to merge.
                if session.pending.fields.same_block(&window.fields) {
                    let fields = changes.apply_to(&window.fields);
                    Self::record_changes(session, fields, changes);
                    return;
                }
                session.pending.fields.clone()
            };
            let merged = guard_merge(|| changes.merge_into(&window.fields, &current));
            let mut state = self.lock();
            let State::Loaded(session) = &mut *state else { continue };
            if session.done.view != window.view || !session.pending.fields.same_block(&current) {
                continue;
            }
            match merged {
                Ok(fields) => Self::record_changes(session, fields, changes),
                Err(flaw) => session.pending.flaw = Some(flaw),
            }
            return;
        }
    }

    /// Records changes, with `fields` as the pending fields that they result in.
    fn record_changes(session: &mut RequestSession, fields: Fields, changes: &mut ChangeList) {
        if changes.unencodable {
            session.pending.flaw = Some(Flaw::Unencodable);
        }
        session.take_fields(fields, &changes.changed());
        for filler in changes.fillers.drain(..) {
            if !session.pending.fillers.iter().any(|(field, _)| field.name == filler.0.name) {
                session.pending.fillers.push(filler);
            }
        }
        // Last, because a change of identity clears fields, and a visitor who signs in keeps what was changed before (R5).
        if let Some(identity) = changes.identity.take() {
            session.change_identity(identity);
        }
    }

    /// The id of the session. That of a new or regenerated session is chosen now.
    pub(crate) fn id(&self) -> Option<SessionId> {
        match self.with(|session| session.loaded.id.clone().filter(|_| !session.begins_record()))? {
            Some(id) => Some(id),
            None => self.new_id(),
        }
    }

    /// The id under which the next insert will store the session, chosen now.
    pub(crate) fn new_id(&self) -> Option<SessionId> {
        loop {
            if let Some(id) = self.with(|session| session.pending.new_id.clone())? {
                return Some(id);
            }
            // Calls the user's generator, so without the lock. If two handles ask at once, the first id counts.
            let id = self.config.generate_id(self.received.parts.as_deref())?;
            self.with(|session| {
                session.pending.new_id.get_or_insert(id);
            });
        }
    }

    /// The id of the session's record, if it has a record.
    pub(crate) fn record_id(&self) -> Option<SessionId> {
        self.with(|session| session.loaded.id.clone()).flatten()
    }

    /// Whether there is something to commit even if no response ever comes: a sign-out or the end of a session (R11).
    pub(crate) fn must_sign_out(&self) -> bool {
        self.with(|session| !session.done.endings.is_empty() || matches!(session.pending.sign, Sign::Out | Sign::OutIn))
            .unwrap_or(false)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot(..)")
    }
}
