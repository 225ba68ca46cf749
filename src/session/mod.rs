//! What a handler can call: the typed handle on the session of a request, and calls for the sessions of a user.
//!
//! The middleware puts one untyped slot into each request. A [`Session<T>`](struct@Session) is a typed window on the slot.
//! It decodes `T` when it is made. When it is dropped after mutable access, it hands the fields that really changed back to
//! the slot.
//!
//! One request can have several handles, of one type or of several types: an authentication guard, a CSRF layer and the
//! handler may each hold one. Changes to different fields never disturb each other. If two handles change the same field,
//! its merge rule decides; without a rule, the handle that is dropped last wins.

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

pub use cookie_mut::CookieMut;
pub use data::{HasIdentity, SessionData};
pub use detached::DetachedSession;
pub use ticket::Ticket;

use crate::config::Lifetimes;
use crate::cookie::SessionCookie;
use crate::decide::Intent;
use crate::error::{SaveError, SessionRejection, StoreError};
use crate::request::ending::SignedOut;
use crate::request::session::RequestSession;
use crate::request::slot::{CurrentSlot, Slot, Window};
use crate::stages::run_to_end::AwaitedCall;
use crate::stages::{awaited, cookie, load};
use csrf::Csrf;
use flush::decode;
use http_session_store::SessionId;

/// The session of a request, as your struct.
///
/// It dereferences to `T`, also mutably: read and write plain fields. There is nothing to mark as modified. When the handle
/// is dropped, the values are compared with those that were loaded, and what differs is written with the response, in one
/// atomic write. A value that equals the old one is not a change.
///
/// The methods of the handle shadow methods of the same name on `T`. Call yours as `T::id(&session)` in that case.
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
    /// What `value` was decoded from: the fields and the identity as the slot had them, and the number of the slot's view.
    ///
    /// A change is what differs from the window. It is also the base of a merge, if another handle has changed the slot
    /// since. A change of identity begins a new view, and the slot drops what a handle computed in an older one (R4).
    window: Window,
    /// Whether the handler has had mutable access since `value` was decoded.
    may_have_changed: bool,
    /// What a read shows after the handler assigned another identity: `T`, decoded again from the slot. `Deref` has only
    /// `&self` and cannot replace `value`; the next mutable access does.
    settled: OnceLock<Box<(T, Window)>>,
    slot: CountedSlot,
}

/// A slot that counts its handles: the middleware reports a handle that outlives its response.
struct CountedSlot(Arc<Slot>);

impl CountedSlot {
    fn new(slot: Arc<Slot>) -> Self {
        slot.handle_opened();
        Self(slot)
    }
}

impl Deref for CountedSlot {
    type Target = Arc<Slot>;

    fn deref(&self) -> &Arc<Slot> {
        &self.0
    }
}

impl Drop for CountedSlot {
    fn drop(&mut self) {
        self.0.handle_dropped();
    }
}

impl<T: SessionData> Session<T> {
    /// The session of a request that passed a session layer, from the request's extensions. Loads the session if nothing in
    /// this request has loaded it yet.
    ///
    /// This is what the axum extractor calls. Use it with every other framework:
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

    /// Another view of the same session: for example, a library's own fields beside the handler's. Both views share the
    /// record, the cookie and the commit.
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
    /// This view cannot read the stored session, or the response has been committed already.
    pub fn of<U: SessionData>(session: &Session<U>) -> Result<Self, SessionRejection> {
        Self::open(Arc::clone(&session.slot))
    }

    /// Makes a handle on a slot that is loaded.
    pub(crate) fn open(slot: Arc<Slot>) -> Result<Self, SessionRejection> {
        let window = slot.window()?;
        let value = decode(&window)?;
        Ok(Self { value, window, may_have_changed: false, settled: OnceLock::new(), slot: CountedSlot::new(slot) })
    }

    /// The session's id, like `req.sessionID` in express-session.
    ///
    /// In the native format the id is not a secret, and it stays the same until [`regenerate`](Self::regenerate). In the
    /// express format the id is a credential, and each rotation replaces it. The id of a new session is chosen when it is
    /// first asked for.
    ///
    /// `None` if the application's own generator returned no valid id, or if the response has been committed already.
    #[doc(alias = "sessionID")]
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.slot.id()
    }

    /// Whether this session is not stored yet: the request came without a session, or [`regenerate`](Self::regenerate) has
    /// begun another one, and nothing has been [saved](Self::save) since.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.slot.with(|session| session.begins_record()).unwrap_or(true)
    }

    /// Time left until the session expires, by the store's clock. `None` for a session that is not stored yet.
    ///
    /// It is measured when the session is loaded or stored. A touch with this response does not count yet.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.slot
            .with(|session| (!session.begins_record()).then(|| cookie::time_left(&self.slot.config, session)))
            .flatten()
    }

    /// Time since a write or a touch last extended the session, by the store's clock, like `lastAccess` in connect. `None`
    /// for a session that is not stored yet.
    ///
    /// It is measured when the session is loaded. Touches are [throttled](crate::config::builder::Builder::touch_throttle),
    /// so the last request may be more recent.
    #[doc(alias = "lastAccess")]
    #[must_use]
    pub fn last_access(&self) -> Option<Duration> {
        self.slot.with(|session| (!session.begins_record()).then_some(session.loaded.record.ages.touched)).flatten()
    }

    /// Gives the session a new verifier with the response: the data stays, and the cookie that the browser has now becomes
    /// useless.
    ///
    /// Call it when the user's privileges change, for example after a new password (OWASP: renew the session id after any
    /// privilege level change). A sign-in and a sign-out rotate automatically. In the express format a rotation moves the
    /// session to a new id, in a new record. A session that is not stored yet has nothing to rotate.
    #[doc(alias = "cycle_id")]
    #[doc(alias = "renew")]
    pub fn rotate(&mut self) {
        self.slot.with(|session| session.pending.ask(Intent::Rotate));
    }

    /// Begins a new session, with a new id in a new record, like `req.session.regenerate` in express-session.
    ///
    /// The new session has no fields, whatever their `keep` marks, and no identity unless a sign-in follows. With the
    /// response it is stored, even if it is empty, and then the old one is destroyed. What the handler writes after this
    /// call goes into the new session.
    pub fn regenerate(&mut self) {
        self.settle_identity();
        self.may_have_changed = false;
        // Outside of the slot's lock: this may call the application's own cookie rules.
        let cookie = cookie::first_cookie(&self.slot.config, &self.slot);
        self.slot.with(|session| session.regenerate(cookie));
        self.refresh();
    }

    /// Forgets the changes that this request has not stored yet, in all handles. Changes to the cookie's attributes are
    /// forgotten too. A sign-out or a `destroy` that was asked for is not taken back.
    pub fn discard(&mut self) {
        self.settle_identity();
        self.may_have_changed = false;
        self.slot.with(RequestSession::discard);
        self.refresh();
    }

    /// Takes the session off the request, like `req.session = null` in express-session.
    ///
    /// The changes of this request are dropped. The stored session stays or is destroyed, as
    /// [`Unset`](crate::config::express::Unset) says. A sign-out that this request has asked for is carried out all the
    /// same.
    pub fn unset(mut self) {
        self.settle_identity();
        self.may_have_changed = false;
        self.slot.with(|session| session.pending.ask(Intent::Unset));
    }

    /// Touches the session with this response, even if no touch is due yet: its idle lifetime begins again. Like
    /// `req.session.touch` in express-session. It has no effect in a [`passive`](Self::passive) request.
    pub fn touch(&mut self) {
        self.slot.with(|session| session.touch = true);
    }

    /// Declares that this request is not an activity of the user, for example because a script polls. The request does not
    /// extend the session, even if it writes (OWASP: idle timeout).
    pub fn passive(&mut self) {
        self.slot.with(|session| session.passive = true);
    }

    /// The cookie's attributes for this session: the configured ones, or the session's own. Like `req.session.cookie` in
    /// express-session.
    #[must_use]
    pub fn cookie(&self) -> SessionCookie {
        cookie::session_cookie(&self.slot.config, &self.slot)
    }

    /// How long this session may live: the configured lifetimes, or those from [`set_lifetimes`](Self::set_lifetimes).
    #[must_use]
    pub fn lifetimes(&self) -> Lifetimes {
        cookie::session_lifetimes(&self.slot.config, &self.slot)
    }

    /// Gives this session lifetimes of its own, instead of the configured ones: "remember me".
    ///
    /// They are stored with the session and are cleared with the identity, so set them with the sign-in or after it. To
    /// make the browser keep the cookie that long, also set its [`max_age`](Self::cookie_mut). Each lifetime is at least a
    /// millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{config::Lifetimes, Session};
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// fn sign_in(mut session: Session<Visit>, user: u64, remember_me: bool) {
    ///     const DAY: Duration = Duration::from_secs(24 * 3600);
    ///     session.sign_in(user);
    ///     if remember_me {
    ///         session.set_lifetimes(Lifetimes::new(30 * DAY, 180 * DAY ));
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

    /// Changes the cookie's attributes for this session, like `req.session.cookie` in express-session. They are stored with
    /// the session. [`SessionCookie`] says which values are accepted.
    ///
    /// As in express-session, a new session is not stored because of such a change alone. In the express format it does not
    /// count as a modification at all.
    pub fn cookie_mut(&mut self) -> CookieMut<'_> {
        let cookie = self.cookie();
        CookieMut::new(cookie, &self.slot)
    }

    /// Protection against cross-site request forgery for this session: tokens for forms and scripts, and their check.
    #[doc(alias = "csrfToken")]
    #[must_use]
    pub fn csrf(&self) -> Csrf {
        self.settle_identity();
        Csrf::new(Arc::clone(&self.slot))
    }

    /// Stores the changes of this request now, as one conditional write, and reports whether that succeeded. Like
    /// `req.session.save` in express-session.
    ///
    /// A session that is not stored yet is inserted. `save` never signs in and never rotates. A write that has been sent to
    /// the store runs to its end, even if the future is dropped.
    ///
    /// # Errors
    /// The changes were not written; see [`SaveError`]. They stay pending and are tried again with the response. The
    /// exception is a lost answer ([`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown)): the write may have
    /// happened, so it is not sent again.
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
        // Before the call too, not only after it: this future may be dropped while the write goes on. A handle with its old
        // window would then report the same changes once more, and a counter with `merge = "add"` would count them twice.
        self.refresh();
        let result = AwaitedCall::new(awaited::save(Arc::clone(&self.slot))).await;
        self.refresh();
        result
    }

    /// A gate that acts at once: runs `change` and stores its changes now, on condition that the store still has the values
    /// that were loaded.
    ///
    /// If two requests take the same nonce, only one of them gets it. If `change` changes nothing, the store is not called.
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
    /// [`SaveError::Conflict`] if another request was first: the handle then shows what the store has now.
    /// [`SaveError::IdentityPending`] if `change` assigns the identity. For the others see [`SaveError`]. After an error
    /// the handle does not have the changes that `change` made.
    pub async fn take<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R, SaveError> {
        self.flush();
        self.refresh();
        let taken = change(&mut self.value);
        let (changes, view) = (self.changes(), self.window.view);
        // Takes the change out of the handle until the store has agreed. If this future is dropped, the commit must not
        // write what the gate has not let through.
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

    /// Reads the session from the store again, like `req.session.reload` in express-session.
    ///
    /// The changes that this request has not stored are forgotten, unless `reload` fails. A sign-out is not taken back.
    ///
    /// # Errors
    /// - [`SaveError::Missing`]: the session is not stored, or not any more.
    /// - [`SaveError::Superseded`]: another request rotated it.
    /// - [`SaveError::IdentityPending`]: the identity changed in this request while the call was under way.
    /// - [`SaveError::NoSession`], [`SaveError::Store`].
    pub async fn reload(&mut self) -> Result<(), SaveError> {
        self.flush();
        self.refresh();
        let result = AwaitedCall::new(awaited::reload(Arc::clone(&self.slot))).await;
        self.refresh();
        result
    }

    /// Ends the session, like `req.session.destroy` in express-session.
    ///
    /// The call records the intent; awaiting the future acts on the store. If the future is never awaited, the session ends
    /// with the response, whatever the status. The browser gets a removal cookie, unless
    /// [`Removal::Nothing`](crate::config::Removal::Nothing) is configured.
    ///
    /// The result says what became of the identity. If nobody was signed in, it is [`SignedOut::NotSignedIn`], and the
    /// session is destroyed all the same.
    ///
    /// `destroy` takes the handle by value, so using it afterwards does not compile:
    ///
    /// ```compile_fail,E0382
    /// # #[derive(http_session::Session)] struct Visit { views: u64 }
    /// # async fn leave(mut session: http_session::Session<Visit>) {
    /// session.destroy().await;
    /// session.views += 1;
    /// # }
    /// ```
    ///
    /// # Errors
    /// The store failed. Ending the session is tried again with the response.
    #[doc(alias = "flush")]
    pub fn destroy(mut self) -> impl Future<Output = Result<SignedOut, StoreError>> + Send + use<T> {
        // The changes of this handle end with the session. Without this, the drop below would report them as lost.
        self.may_have_changed = false;
        awaited::ask_end(&self.slot);
        AwaitedCall::new(awaited::destroy(Arc::clone(&self.slot)))
    }

    /// The session for work that outlives the response: read it, change it, and `save` it. Its cookie can no longer change.
    ///
    /// `None` for a session that is not stored yet (call [`save`](Self::save) first), and while a sign-in or sign-out waits
    /// for the response.
    ///
    /// It shows what is stored. Changes that this request has not saved are not in it; they are committed with the response
    /// as usual. If the response rotates the session, a later `save` of the detached session answers
    /// [`SaveError::Superseded`].
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
        // A read after `session.user = Some(..)` sees the session of the new identity, without the fields that are cleared
        // with the old one (R5).
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
        // An identity was assigned through an earlier borrow: what is written from here on belongs to the new identity.
        if self.settled.get().is_some() {
            self.flush();
        } else if self.identity_changed() {
            self.flush();
            self.refresh();
        }
        self.may_have_changed = true;
        &mut self.value
    }
}

impl<T: SessionData> Drop for Session<T> {
    fn drop(&mut self) {
        // Changes are found here, by comparing values. It is too early in `DerefMut`, which only knows that a change may
        // follow, and too late at the commit, which does not know `T`.
        //
        // Not while panicking: the comparison runs the user's code, and a second panic would abort the process. The changes
        // of a handler that panics are not committed anyway (R11).
        if !std::thread::panicking() {
            self.flush();
        }
    }
}

/// Shows only that there is a session, nothing of its content.
impl<T: SessionData> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}
