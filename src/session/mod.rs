//! The typed session: the handle that a handler works with.
//!
//! The middleware puts one untyped slot into each request. A [`Session<T>`](struct@Session) is a typed window on it: it
//! decodes `T` when it is made and, when it is dropped after mutable access, writes back the fields that really changed.
//! Several handles in one request, of the same type or of different ones, just work: an auth guard, a CSRF layer and the
//! handler may each hold one. Different fields never disturb each other; of one field, the handle that is dropped last wins,
//! or its merge rule decides.

mod by_identity;
mod cookie_mut;
pub(crate) mod csrf;
pub(crate) mod data;
mod detached;
mod flush;
pub mod merge;
mod sign_in;
mod ticket;

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use crate::request::ending::SignedOut;
pub use cookie_mut::CookieMut;
pub use data::{HasIdentity, SessionData};
pub use detached::DetachedSession;
pub use ticket::Ticket;

use crate::config::Lifetimes;
use crate::cookie::SessionCookie;
use crate::decide::Intent;
use crate::error::{SaveError, SessionRejection, StoreError};
use crate::request::session::RequestSession;
use crate::request::slot::{CurrentSlot, Slot, Window};
use crate::stages::run_to_end::AwaitedCall;
use crate::stages::{awaited, cookie, load};
use csrf::Csrf;
use flush::decode;
use http_session_store::SessionId;

/// The session of a request, as your struct.
///
/// It derefs to `T`, mutably too: read and write plain fields. What changed is found by value when the handle is dropped and
/// is committed with the response as one atomic write. Nothing has to be marked, and an equal value is no change.
///
/// The handle's own methods shadow methods of the same name on `T`; call yours as `T::id(&session)` then.
///
/// ```
/// use http_session::Session;
///
/// #[derive(Session)]
/// struct Visit {
///     views: u64,
///     notice: Option<String>,
/// }
///
/// fn count(mut session: Session<Visit>) -> String {
///     session.views += 1;
///     session.notice.take().unwrap_or_else(|| format!("{} views", session.views))
/// }
/// ```
#[must_use = "a session that is dropped at once was loaded for nothing"]
pub struct Session<T: SessionData> {
    value: T,
    window: Window,
    mutable: Access,
    /// What a reader sees after an identity was assigned, until the next mutable access puts it in place.
    settled: OnceLock<Box<(T, Window)>>,
    slot: Held,
}

/// A slot that knows of this handle as long as it lives.
struct Held(Arc<Slot>);

impl Held {
    fn new(slot: Arc<Slot>) -> Self {
        slot.handle_opened();
        Self(slot)
    }
}

impl Deref for Held {
    type Target = Arc<Slot>;

    fn deref(&self) -> &Arc<Slot> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.handle_dropped();
    }
}

/// Whether the handler has had mutable access since the value was decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Written,
}

impl<T: SessionData> Session<T> {
    /// The session of a request that passed a session layer, by the request's extensions. Loads it if nobody has.
    ///
    /// What the axum extractor does, for every other framework:
    ///
    /// ```
    /// use http_session::Session;
    /// use http_session::error::SessionRejection;
    ///
    /// #[derive(Session)]
    /// struct Visit {
    ///     views: u64,
    /// }
    ///
    /// async fn handle<B>(request: http::Request<B>) -> Result<String, SessionRejection> {
    ///     let mut session = Session::<Visit>::extract(request.extensions()).await?;
    ///     session.views += 1;
    ///     Ok(format!("{} views", session.views))
    /// }
    /// ```
    ///
    /// # Errors
    /// There is no session for this handler; see [`SessionRejection`].
    pub async fn extract(extensions: &http::Extensions) -> Result<Self, SessionRejection> {
        let current = extensions.get::<CurrentSlot>().ok_or(SessionRejection::NoLayer)?;
        let slot = Arc::clone(&current.slot);
        load::load(&slot).await;
        Self::open(slot)
    }

    /// Another view of a handle's session: a library's own fields beside the handler's, in the same record, cookie and commit.
    ///
    /// ```
    /// use http_session::Session;
    /// use http_session::error::SessionRejection;
    ///
    /// #[derive(Session)]
    /// struct Visit {
    ///     views: u64,
    /// }
    ///
    /// #[derive(Session)]
    /// struct Experiment {
    ///     variant: Option<String>,
    /// }
    ///
    /// fn variant(session: &Session<Visit>) -> Result<Option<String>, SessionRejection> {
    ///     Ok(Session::<Experiment>::of(session)?.variant.clone())
    /// }
    /// ```
    ///
    /// # Errors
    /// The stored session cannot be read by this view (R16), or the response has been committed already.
    pub fn of<U: SessionData>(session: &Session<U>) -> Result<Self, SessionRejection> {
        Self::open(Arc::clone(&session.slot))
    }

    /// A window on a slot that is loaded.
    pub(crate) fn open(slot: Arc<Slot>) -> Result<Self, SessionRejection> {
        let window = slot.window()?;
        let value = decode(&window)?;
        Ok(Self { value, window, mutable: Access::Read, settled: OnceLock::new(), slot: Held::new(slot) })
    }

    /// The session's id (express: `req.sessionID`). In the native format it is no secret, and stays the same until
    /// [`regenerate`](Self::regenerate); in the express format it is a credential, and each rotation is a new one. A new
    /// session's id is chosen when it is first asked for. `None` when the application's own generator gave no valid id, or when
    /// the response is committed already.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// let job = session.id().map(|id| id.as_str().to_owned()); // for `SessionConfig::load`
    /// # }
    /// ```
    #[doc(alias = "sessionID")]
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.slot.id()
    }

    /// Whether this session is not stored yet: no cookie led to one, and nothing was [saved](Self::save) in this request.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// if session.is_new() {
    ///     session.views = 1;
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.slot.with(|session| session.begins_record()).unwrap_or(true)
    }

    /// Time left until the session expires, by the store's clock, as it was when the session was loaded or stored: a touch with
    /// this response does not count yet. `None` for a session that is not stored yet.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// let soon = session.expires_in().is_some_and(|left| left < std::time::Duration::from_secs(300));
    /// # }
    /// ```
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.slot
            .with(|session| (!session.begins_record()).then(|| cookie::time_left(&self.slot.config, session)))
            .flatten()
    }

    /// Time since a write or a touch last prolonged the session (connect: `lastAccess`), by the store's clock, as it was when
    /// the session was loaded. Touches are throttled, so it is no exact time of the last request
    /// ([`Builder::touch_throttle`](crate::config::builder::Builder::touch_throttle)). `None` for a session that is not stored yet.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// let away = session.last_access().is_some_and(|ago| ago > std::time::Duration::from_secs(3600));
    /// # }
    /// ```
    #[doc(alias = "lastAccess")]
    #[must_use]
    pub fn last_access(&self) -> Option<Duration> {
        self.slot.with(|session| (!session.begins_record()).then_some(session.loaded.record.ages.touched)).flatten()
    }

    /// A new verifier with the response: the cookie that the browser holds now becomes useless, the data stays
    /// (OWASP: renew at each change of privilege). Changes of the identity do this by themselves. In the express format it is a
    /// new id, in a new record. A session that is not stored has nothing to renew.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// session.rotate(); // the password was changed
    /// # }
    /// ```
    #[doc(alias = "cycle_id")]
    #[doc(alias = "renew")]
    pub fn rotate(&mut self) {
        self.slot.with(|session| session.pending.ask(Intent::Rotate));
    }

    /// Begins afresh in a new record with a new id: no fields, whatever their marks, and no identity unless a sign-in follows
    /// (R17). With the response the new session is stored, even if it is empty, then the old one destroyed (express:
    /// `req.session.regenerate`).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// session.regenerate();
    /// session.views = 1; // in the new session
    /// # }
    /// ```
    pub fn regenerate(&mut self) {
        self.settle_identity();
        self.mutable = Access::Read;
        // The application's rules may be called here: outside of the lock.
        let cookie = cookie::first_cookie(&self.slot.config, &self.slot);
        self.slot.with(|session| session.regenerate(cookie));
        self.refresh();
    }

    /// Forgets what this request changed and has not stored yet, in all handles; the cookie's attributes too. A sign-out or an
    /// end that was asked for is not taken back (R11).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// session.views += 1;
    /// session.discard();
    /// # }
    /// ```
    pub fn discard(&mut self) {
        self.settle_identity();
        self.mutable = Access::Read;
        self.slot.with(RequestSession::discard);
        self.refresh();
    }

    /// express: `req.session = null`. This request's changes are dropped; the stored session stays or is destroyed, as
    /// [`Unset`](crate::config::express::Unset) says. A sign-out of this request is done all the same (R11).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(session: http_session::Session<Visit>) {
    /// session.unset();
    /// # }
    /// ```
    pub fn unset(mut self) {
        self.settle_identity();
        self.mutable = Access::Read;
        self.slot.with(|session| session.pending.ask(Intent::Unset));
    }

    /// Touches the session with this response even if that is not due yet (R7; express: `req.session.touch`). Nothing after
    /// [`passive`](Self::passive).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// session.touch();
    /// # }
    /// ```
    pub fn touch(&mut self) {
        self.slot.with(|session| session.touch = true);
    }

    /// This request is no activity: it does not prolong the session, even where it writes. For polling (R7; OWASP: idle
    /// timeout).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// session.passive();
    /// # }
    /// ```
    pub fn passive(&mut self) {
        self.slot.with(|session| session.passive = true);
    }

    /// The cookie's attributes for this session: the configured ones, or its own (express: `req.session.cookie`).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(session: http_session::Session<Visit>) {
    /// let remembered = session.cookie().max_age.is_some();
    /// # }
    /// ```
    #[must_use]
    pub fn cookie(&self) -> SessionCookie {
        cookie::session_cookie(&self.slot.config, &self.slot)
    }

    /// How long this session may live: as configured, or as [`set_lifetimes`](Self::set_lifetimes) said.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(session: http_session::Session<Visit>) {
    /// let hours = session.lifetimes().idle.as_secs() / 3600;
    /// # }
    /// ```
    #[must_use]
    pub fn lifetimes(&self) -> Lifetimes {
        cookie::session_lifetimes(&self.slot.config, &self.slot)
    }

    /// Gives this session lifetimes of its own instead of the configured ones (R7): "remember me". They are stored with it, as
    /// the cookie's own attributes are, and go with the identity: set them with, or after, the sign-in. So that the browser
    /// keeps the cookie that long, give it a [`max_age`](Self::cookie_mut) too. Each is at least a millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{config::Lifetimes, Session};
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// fn sign_in(mut session: Session<Visit>, user: u64, remember_me: bool) {
    ///     const DAY: Duration = Duration::from_secs(24 * 3600);
    ///     session.sign_in(user);
    ///     if remember_me {
    ///         session.set_lifetimes(Lifetimes { idle: 30 * DAY, absolute: 180 * DAY });
    ///         session.cookie_mut().max_age = Some(30 * DAY);
    ///     }
    /// }
    /// ```
    pub fn set_lifetimes(&mut self, lifetimes: Lifetimes) {
        let lifetimes = lifetimes.at_least_a_moment();
        let mut cookie = self.cookie_mut();
        cookie.idle = Some(lifetimes.idle);
        cookie.absolute = Some(lifetimes.absolute);
    }

    /// Changes the cookie's attributes for this session (express: `req.session.cookie`). They are stored with it; see
    /// [`SessionCookie`] for what may be changed to what. As in express-session, such a change alone stores no new session; in
    /// the express format it is no modification at all.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn remember(mut session: http_session::Session<Visit>) {
    /// session.cookie_mut().max_age = Some(std::time::Duration::from_secs(14 * 24 * 3600)); // remember me
    /// # }
    /// ```
    pub fn cookie_mut(&mut self) -> CookieMut<'_> {
        let cookie = self.cookie();
        CookieMut::new(cookie, &self.slot)
    }

    /// Protection against cross-site request forgery for this session (R24): tokens for forms and scripts, and their check.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # fn handler(session: http_session::Session<Visit>) {
    /// let token = session.csrf().token();
    /// # }
    /// ```
    #[doc(alias = "csrfToken")]
    #[must_use]
    pub fn csrf(&self) -> Csrf {
        self.settle_identity();
        Csrf::new(Arc::clone(&self.slot))
    }

    /// Stores this request's changes now, as one conditional write, and answers whether it happened (R13; express:
    /// `req.session.save`). A session that is not stored yet is inserted. Never signs in and never rotates. A write that was
    /// sent runs to its end even if the future is dropped.
    ///
    /// # Errors
    /// The write did not happen; see [`SaveError`]. The changes stay pending and are tried again with the response, unless the
    /// answer was lost ([`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown), R10).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # async fn handler(mut session: http_session::Session<Visit>) -> Result<(), http_session::error::SaveError> {
    /// session.views += 1;
    /// session.save().await?; // before the work that relies on it
    /// # Ok(()) }
    /// ```
    pub async fn save(&mut self) -> Result<(), SaveError> {
        self.flush();
        // Not only afterwards: this call may be given up, and what is in the slot already is no change once more.
        self.refresh();
        let result = AwaitedCall::new(awaited::save(Arc::clone(&self.slot))).await;
        self.refresh();
        result
    }

    /// An immediate gate (R13): runs `change` and stores what it changed now, on condition that the store still has the
    /// values that were loaded. Of two requests that take the same nonce, one gets it. Where `change` changes nothing, the
    /// store is not asked.
    ///
    /// ```
    /// # use http_session::Session;
    /// # use http_session::error::SaveError;
    /// # #[derive(Session)] struct Login { nonce: Option<String> }
    /// # async fn callback(mut session: Session<Login>) -> Result<(), SaveError> {
    /// let nonce = session.take(|login| login.nonce.take()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`SaveError::Conflict`] when another request was first: the handle then shows what the store has now.
    /// [`SaveError::IdentityPending`] when `change` assigns the identity. For the others see [`SaveError`]. What `change`
    /// did is then undone in the handle.
    pub async fn take<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R, SaveError> {
        self.flush();
        self.refresh();
        let taken = change(&mut self.value);
        let (changes, view) = (self.changes(), self.window.view);
        // Until the store has said yes, nothing of it is in the handle: not for a commit, should this call be given up.
        self.refresh();
        if changes.identity.is_some() {
            return Err(SaveError::IdentityPending);
        }
        if changes.unencodable {
            return Err(SaveError::Unencodable);
        }
        if changes.changed().is_empty() {
            return Ok(taken);
        }
        let result = AwaitedCall::new(awaited::gate(Arc::clone(&self.slot), changes, view)).await;
        self.refresh();
        result.map(|()| taken)
    }

    /// Reads the session from the store again. What this request changed and has not stored is forgotten, unless this fails
    /// (express: `req.session.reload`); a sign-out is not taken back (R11).
    ///
    /// # Errors
    /// [`SaveError::Missing`] when it is not stored (any more), [`SaveError::Superseded`] when another request rotated it,
    /// [`SaveError::IdentityPending`] when the identity changed meanwhile in this request, [`SaveError::NoSession`],
    /// [`SaveError::Store`].
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # async fn handler(mut session: http_session::Session<Visit>) -> Result<(), http_session::error::SaveError> {
    /// session.reload().await?;
    /// # Ok(()) }
    /// ```
    pub async fn reload(&mut self) -> Result<(), SaveError> {
        self.flush();
        self.refresh();
        let result = AwaitedCall::new(awaited::reload(Arc::clone(&self.slot))).await;
        self.refresh();
        result
    }

    /// Ends the session. Recorded now, done in the store when awaited, else with the response, whatever its status (R11).
    /// The browser gets a removal cookie, unless [`Removal::Nothing`](crate::config::Removal::Nothing) is configured. express:
    /// `req.session.destroy`.
    ///
    /// The answer tells what became of the identity: of a session in which nobody was signed in it is
    /// [`SignedOut::NotSignedIn`], and it is gone too.
    ///
    /// # Errors
    /// The store failed; it is tried again with the response.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # async fn leave(session: http_session::Session<Visit>) -> Result<(), http_session::error::StoreError> {
    /// session.destroy().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Takes the handle: use after destroy does not compile.
    ///
    /// ```compile_fail,E0382
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # async fn leave(mut session: http_session::Session<Visit>) {
    /// session.destroy().await;
    /// session.views += 1;
    /// # }
    /// ```
    #[doc(alias = "flush")]
    pub fn destroy(mut self) -> impl Future<Output = Result<SignedOut, StoreError>> + Send + use<T> {
        self.mutable = Access::Read;
        awaited::ask_end(&self.slot);
        AwaitedCall::new(awaited::destroy(Arc::clone(&self.slot)))
    }

    /// The session for work that outlives the response: read it, change it, `save` it. The cookie can no longer change.
    /// `None` for a session that is not stored yet (call [`save`](Self::save) before), and while a sign-in or sign-out waits for
    /// the response.
    ///
    /// It shows what is stored. What this request changed and has not saved is committed with the response as ever, and is
    /// not in it. Where the response rotates the session, a later `save` answers [`SaveError::Superseded`].
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # async fn handler(mut session: http_session::Session<Visit>) -> Result<(), http_session::error::SaveError> {
    /// session.save().await?;
    /// if let Some(mut detached) = session.detach() {
    ///     tokio::spawn(async move {
    ///         detached.views = 0;
    ///         detached.save().await
    ///     });
    /// }
    /// # Ok(()) }
    /// ```
    pub fn detach(mut self) -> Option<DetachedSession<T>> {
        self.flush();
        DetachedSession::of(&self.slot)
    }
}

impl<T: SessionData> Deref for Session<T> {
    type Target = T;

    fn deref(&self) -> &T {
        if let Some(settled) = self.settled.get() {
            return &settled.0;
        }
        if self.identity_changed() {
            self.hand_over();
            if let Some(fresh) = self.read() {
                return &self.settled.get_or_init(|| Box::new(fresh)).0;
            }
        }
        &self.value
    }
}

impl<T: SessionData> DerefMut for Session<T> {
    fn deref_mut(&mut self) -> &mut T {
        if self.settled.get().is_some() {
            self.flush();
        } else if self.identity_changed() {
            self.flush();
            self.refresh();
        }
        self.mutable = Access::Written;
        &mut self.value
    }
}

impl<T: SessionData> Drop for Session<T> {
    fn drop(&mut self) {
        // The user's code runs in a flush: if it panicked once more, the process would abort.
        if !std::thread::panicking() {
            self.flush();
        }
    }
}

/// Shows that there is a session, nothing of it (R26).
impl<T: SessionData> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}
