//! What the middleware puts into a request: one untyped slot, on which every handle is a typed window.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::request::Parts;
use smallvec::SmallVec;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::change_list::ChangeList;
use super::pending::Flaw;
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

/// A cookie value of our name, as it was sent. A native token fits in place.
pub(crate) type Candidate = SmallVec<[u8; 96]>;

/// The slot that handlers see, as it travels in the request.
#[derive(Clone, Debug)]
pub(crate) struct CurrentSlot {
    pub(crate) slot: Arc<Slot>,
    /// The slot that was made last, where that is another one: the way to all that are around.
    innermost: Option<Arc<Slot>>,
}

impl CurrentSlot {
    #[cfg(feature = "tower")]
    pub(crate) const fn new(slot: Arc<Slot>) -> Self {
        Self { slot, innermost: None }
    }

    /// A slot of an outer layer, which serves an inner one of the same configuration.
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
    pub(crate) arrived: Duration,
    pub(crate) transport: Option<Transport>,
    pub(crate) sender: Sender,
    pub(crate) fingerprint: Option<Vec<u8>>,
    /// Kept only for an id generator or cookie rules that look at the request.
    pub(crate) parts: Option<Box<Parts>>,
}

/// Where the session stands.
pub(crate) enum State {
    /// Nobody has asked for it.
    Unloaded,
    /// Outside of the cookie's path, or ignored: there is none here.
    Outside,
    /// The store failed.
    Failed,
    /// Loaded, or begun.
    Loaded(Box<RequestSession>),
    /// Committed: what a handle changes from here on is lost.
    Closed,
}

/// One request's session.
pub(crate) struct Slot {
    pub(crate) config: Arc<ErasedConfig>,
    pub(crate) received: Received,
    /// The slot of another configuration around this one.
    pub(crate) outer: Option<Arc<Self>>,
    handles: AtomicUsize,
    /// One awaited write at a time: each begins with what the one before has stored.
    writes: Semaphore,
    state: Mutex<State>,
}

/// What a handle was decoded from.
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

    /// The slot of this configuration, here or around.
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

    /// The state. Held for moments only: never over an await, never while the user's code runs, and a subscriber that hears
    /// of an event is the user's code too.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // No invariant spans a panic here: every change is one assignment or made by code that does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at, or changes, the live session; `None` where there is none.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut RequestSession) -> R) -> Option<R> {
        match &mut *self.lock() {
            State::Loaded(session) => Some(look(session)),
            State::Unloaded | State::Outside | State::Failed | State::Closed => None,
        }
    }

    /// Waits until no other awaited write is under way. One that its handler has given up still runs to its end.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        match self.writes.try_acquire() {
            Ok(permit) => Some(permit),
            // Not tried first: waiting counts against the task's budget even where there is nothing to wait for. The
            // semaphore is never closed.
            Err(_) => self.writes.acquire().await.ok(),
        }
    }

    /// Whether an awaited write is under way.
    pub(crate) fn is_writing(&self) -> bool {
        self.writes.available_permits() == 0
    }

    /// Whether the commit has nothing to look at: nobody asked for the session, and nothing else needs it.
    pub(crate) fn is_untouched(&self) -> bool {
        match &*self.lock() {
            State::Unloaded => !self.config.loads_always(),
            State::Outside => true,
            State::Failed | State::Loaded(_) | State::Closed => false,
        }
    }

    /// How many handles are alive.
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

    /// Takes what a handle changed. The user's merge functions run outside of the lock.
    pub(crate) fn take(&self, window: &Window, changes: &mut ChangeList) {
        loop {
            let current = {
                let mut state = self.lock();
                let State::Loaded(session) = &mut *state else {
                    drop(state);
                    return telemetry::handle_outlived();
                };
                if session.done.view != window.view {
                    if changes.is_filler() {
                        return;
                    }
                    let id = session.loaded.id.clone();
                    drop(state);
                    return telemetry::handle_stale(&self.config.tags, id.as_ref());
                }
                if session.pending.fields.same_block(&window.fields) {
                    let fields = changes.apply_to(&window.fields);
                    Self::settle(session, fields, changes);
                    return;
                }
                session.pending.fields.clone()
            };
            let merged = changes.merge_into(&window.fields, &current);
            let mut state = self.lock();
            let State::Loaded(session) = &mut *state else { continue };
            if session.done.view != window.view || !session.pending.fields.same_block(&current) {
                continue;
            }
            match merged {
                Ok(fields) => Self::settle(session, fields, changes),
                Err(_) => session.pending.flaw = Some(Flaw::Conflict),
            }
            return;
        }
    }

    fn settle(session: &mut RequestSession, fields: Fields, changes: &mut ChangeList) {
        if changes.unencodable {
            session.pending.flaw = Some(Flaw::Unencodable);
        }
        session.take_fields(fields, &changes.changed());
        for filler in changes.fillers.drain(..) {
            if !session.pending.fillers.iter().any(|(field, _)| field.name == filler.0.name) {
                session.pending.fillers.push(filler);
            }
        }
        if let Some(identity) = changes.identity.take() {
            session.change_identity(identity);
        }
    }

    /// The session's id; of a new or regenerated session it is chosen now.
    pub(crate) fn id(&self) -> Option<SessionId> {
        match self.with(|session| session.loaded.id.clone().filter(|_| !session.begins_record()))? {
            Some(id) => Some(id),
            None => self.new_id(),
        }
    }

    /// The id of the record that the next insert will make, chosen now.
    pub(crate) fn new_id(&self) -> Option<SessionId> {
        loop {
            if let Some(id) = self.with(|session| session.pending.new_id.clone())? {
                return Some(id);
            }
            // The user's generator may be called here: outside of the lock.
            let id = self.config.generate_id(self.received.parts.as_deref())?;
            self.with(|session| {
                session.pending.new_id.get_or_insert(id);
            });
        }
    }

    /// The id of the session's record, if it has one.
    pub(crate) fn record_id(&self) -> Option<SessionId> {
        self.with(|session| session.loaded.id.clone()).flatten()
    }

    /// Whether the slot asks for work when its response never came: a sign-out does not wait (R11).
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
