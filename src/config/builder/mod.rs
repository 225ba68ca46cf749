//! The type-state builder: it exists between `builder()` and `build()`, and nowhere else.
//!
//! Its three parameters are slots: secret, store, lifetime. What is missing or contradicts itself is a bound of
//! [`Builder::build`] that the compiler explains in our words.
//!
//! | slot | empty | filled |
//! |---|---|---|
//! | secret | [`NoSecret`] | [`WithSecret`] |
//! | store | [`NoStore`] | the store's type |
//! | lifetime | [`BrowserSession`] | [`MaxAge`], [`RollingWithoutMaxAge`], [`RollingMaxAge`]; [`Express`] from the start |
//!
//! The traits here are sealed and only say which call fits which slot.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::policy::{Activity, StoredAttributes};
use super::settings::Settings;
use super::{Cookie, SessionConfig, TrustedProxy};
use crate::cookie::SessionCookie;
use crate::decide::{CommitOn, Removal, Resave, Resend, SaveUninitialized, Unset};
use crate::token::Format;
use crate::token::express::IdShape;
use http_session_store::clock::Clock;
use http_session_store::{IndexSessions, Indexed, SessionStore};

mod csrf;
mod slots;

pub use slots::{
    BindsCookies, BrowserSession, CanRoll, ChoosesIds, Express, FormatFits, LifetimeSlot, MaxAge, NoSecret, NoStore,
    RollingMaxAge, RollingWithoutMaxAge, SecretFor, SecretIsFree, SecretIsSet, StoreIsFree, StoreIsSet, WithSecret,
};

/// Collects the configuration; made by [`SessionConfig::builder`], [`SessionConfig::express`] and
/// [`SessionConfig::development`].
///
/// The parameters record which of secret, store and lifetime are given. Only a function that takes or returns a builder
/// writes them. Secret and store may come in any order, each once; everything else is optional. An option that is given twice
/// counts as it was given last, but for [`previous_secret`](Self::previous_secret) and [`ignore_paths`](Self::ignore_paths),
/// which add up.
///
/// ```
/// use http_session::config::builder::{BrowserSession, Builder, WithSecret};
/// use http_session::{MemoryStore, Secret, SessionConfig};
///
/// fn common() -> Builder<WithSecret, MemoryStore, BrowserSession> {
///     SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new())
/// }
///
/// let (front, back) = (common().scope("front").build(), common().scope("back").build());
/// ```
#[must_use = "a builder does nothing until `build()`"]
pub struct Builder<K, S, L> {
    secret: K,
    store: S,
    lifetime: L,
    settings: Settings,
}

impl<L> Builder<NoSecret, NoStore, L> {
    pub(super) const fn new(lifetime: L, settings: Settings) -> Self {
        Self { secret: NoSecret, store: NoStore, lifetime, settings }
    }
}

impl<K, S, L> Builder<K, S, L> {
    /// The secret that signs cookies. Needed; express: `secret`. To rotate it, give the new one here and the one before as
    /// [`previous_secret`](Self::previous_secret).
    ///
    /// Takes a [`Secret`](crate::Secret); after [`SessionConfig::express`] an [`ExpressSecret`](crate::config::express::ExpressSecret) too.
    ///
    /// ```no_run
    /// use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let secret = Secret::from_env("SESSION_SECRET")?;
    /// let sessions = SessionConfig::builder().secret(secret).store(MemoryStore::new()).build();
    /// # Ok::<_, http_session::error::SecretFromEnvError>(())
    /// ```
    pub fn secret<New: SecretFor<L>>(self, secret: New) -> Builder<WithSecret, S, L>
    where
        K: SecretIsFree,
    {
        let secret = WithSecret::new(secret.into_secret());
        Builder { secret, store: self.store, lifetime: self.lifetime, settings: self.settings }
    }

    /// A secret that signed cookies before: it still verifies them, and they are signed anew on use (R25). express: the
    /// further elements of a `secret` array. May be given several times, newest first. Remove it when the longest lifetime
    /// has passed since the new one was deployed.
    ///
    /// ```
    /// # use http_session::{MemoryStore, SessionConfig, secret};
    /// let sessions = SessionConfig::builder()
    ///     .secret(secret!("b1f0c3d9a6e84f7792c5d0e13a4b6f88"))
    ///     .previous_secret(secret!("0d3a7e51c29b48f6a1e4c87b5d206f93"))
    ///     .store(MemoryStore::new())
    ///     .build();
    /// ```
    #[doc(alias = "secrets")]
    pub fn previous_secret<Old: SecretFor<L>>(mut self, secret: Old) -> Self {
        self.settings.previous_secrets.push(secret.into_secret());
        self
    }

    /// Where sessions are kept. Needed; express: `store`. The configuration owns it: share one as an `Arc`, choose one at
    /// run time as an [`AnyStore`](crate::store::AnyStore). After [`SessionConfig::express`] it must implement
    /// [`ExpressFormat`](crate::store::ExpressFormat).
    ///
    /// ```
    /// use std::sync::Arc;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let store = Arc::new(MemoryStore::new());
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(Arc::clone(&store)).build();
    /// ```
    pub fn store<New: SessionStore>(self, store: New) -> Builder<K, New, L>
    where
        S: StoreIsFree,
    {
        Builder { secret: self.secret, store, lifetime: self.lifetime, settings: self.settings }
    }

    /// Keeps an index of sessions by their identity, so that
    /// [`sessions_of`](SessionConfig::sessions_of), [`destroy_all_of`](SessionConfig::destroy_all_of) and
    /// [`destroy_others`](SessionConfig::destroy_others) compile (R28). A sign-in then asks the store two times more. Comes after
    /// [`store`](Self::store), which must implement [`IndexSessions`].
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, Session, SessionConfig};
    /// # use http_session::error::StoreError;
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).indexed().build();
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let ended = sessions.destroy_all_of::<Visit>(&42).await?; // user 42 has a new password
    /// # assert_eq!(ended, 0);
    /// # Ok::<_, StoreError>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn indexed(mut self) -> Builder<K, Indexed<S>, L>
    where
        S: IndexSessions,
    {
        let store = Arc::new(self.store);
        self.settings.index = Some(Arc::new(Arc::clone(&store)));
        let store = Indexed::new(store);
        Builder { secret: self.secret, store, lifetime: self.lifetime, settings: self.settings }
    }

    /// The cookie's rules; express: `name` and `cookie`. Without it what the constructor says: `__Host-sid`, Secure, HttpOnly,
    /// SameSite=Lax, Path=/ after [`SessionConfig::builder`]. The expiry is not among them: see [`max_age`](Self::max_age).
    ///
    /// ```
    /// # use http_session::{Cookie, MemoryStore, Secret, SessionConfig, cookie_name};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.cookie(Cookie::host(cookie_name!("shop")).same_site_strict()).build();
    /// ```
    pub fn cookie<P>(mut self, cookie: Cookie<P>) -> Self {
        let max_age = self.settings.attributes.max_age;
        self.settings.attributes = cookie.into_attributes();
        self.settings.attributes.max_age = max_age;
        self
    }

    /// Cookie attributes that depend on the request, for new sessions (express 1.19: `cookie` as a function). They are
    /// stored with the session, and may go as far as [`stored_attributes`](Self::stored_attributes) says (R21). The function
    /// gets the request's head without its extensions, and the attributes as they are resolved for this request.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder
    ///     .cookie_for(|request, cookie| {
    ///         if request.uri.path().starts_with("/admin") {
    ///             cookie.max_age = Some(Duration::from_secs(15 * 60));
    ///         }
    ///     })
    ///     .build();
    /// ```
    pub fn cookie_for(mut self, rules: impl Fn(&Parts, &mut SessionCookie) + Send + Sync + 'static) -> Self {
        self.settings.cookie_rules = Some(Box::new(rules));
        self
    }

    /// How far a session's own cookie attributes may go (R21): [`StoredAttributes::Narrow`] by default, after
    /// [`SessionConfig::express`] too.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig, config::StoredAttributes};
    /// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.stored_attributes(StoredAttributes::Exact).build(); // as in express-session
    /// ```
    pub fn stored_attributes(mut self, stored_attributes: StoredAttributes) -> Self {
        self.settings.stored_attributes = stored_attributes;
        self
    }

    /// Separates applications that share a secret and a store: a cookie of one scope is no cookie in another (R2). Any text;
    /// empty by default. Not after [`SessionConfig::express`], whose cookies have no room for it.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.scope("back office").build();
    /// ```
    pub fn scope(mut self, scope: impl Into<String>) -> Self
    where
        L: BindsCookies,
    {
        self.settings.scope = scope.into();
        self
    }

    /// The longest time without activity: 24 hours, or `max_age` where that is given (R7; OWASP: idle timeout). At least a
    /// millisecond, as [`absolute`](Self::absolute) and [`unconfirmed`](Self::unconfirmed). A session with a `max_age` of its
    /// own ([`cookie_mut`](crate::Session::cookie_mut)) lives that long instead.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.idle(Duration::from_secs(30 * 60)).build();
    /// ```
    #[doc(alias = "OnInactivity")]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.settings.idle = Some(idle);
        self
    }

    /// The longest time in all, whatever the activity: 30 days (R7; OWASP: absolute timeout); after
    /// [`SessionConfig::express`] without end. Counts from the last sign-in or sign-out, before one from creation.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.absolute(Duration::from_secs(12 * 3600)).build();
    /// ```
    pub fn absolute(mut self, absolute: Duration) -> Self {
        self.settings.absolute = absolute;
        self
    }

    /// How long an anonymous session lives whose cookie never came back: 10 minutes, or the idle lifetime if that is shorter
    /// (R14). So robots, which keep no cookies, do not fill the store. After [`SessionConfig::express`] the idle lifetime.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.unconfirmed(Duration::from_secs(60)).build();
    /// ```
    pub fn unconfirmed(mut self, unconfirmed: Duration) -> Self {
        self.settings.unconfirmed = unconfirmed;
        self
    }

    /// The part of the idle lifetime, in percent, that must pass between two touches: 10, at most 100; 0 touches with every
    /// request, as after [`SessionConfig::express`] (R7). With less than a minute left a touch is always due.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.touch_throttle(25).build();
    /// ```
    pub fn touch_throttle(mut self, percent: u8) -> Self {
        self.settings.touch_throttle = percent.min(100);
        self
    }

    /// What counts as activity (R7): [`Activity::Loaded`] by default.
    ///
    /// ```
    /// # use http_session::{config::Activity, MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.activity(Activity::Presented).build();
    /// ```
    pub fn activity(mut self, activity: Activity) -> Self {
        self.settings.activity = activity;
        self
    }

    /// Replaces a verifier older than this, under the same identity (OWASP: renewal timeout). Off by default (R6). The one
    /// before stays valid until the next renewal, so no request that is under way is lost. Native format only: express
    /// records have no verifier.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.renew_after(Duration::from_secs(3600)).build();
    /// ```
    pub fn renew_after(mut self, period: Duration) -> Self
    where
        L: BindsCookies,
    {
        self.settings.renew_after = Some(period);
        self
    }

    /// How long after a rotation a request with the old cookie counts as late: a minute by default (R6); for a session that
    /// was destroyed never longer, since its tombstone is gone then. Late requests see an anonymous session and store nothing,
    /// but they may sign in or out. After [`SessionConfig::express`] zero, as in express-session: only requests that were
    /// under way are late.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.late_window(Duration::from_secs(10)).build();
    /// ```
    pub fn late_window(mut self, window: Duration) -> Self {
        self.settings.late_window = window;
        self
    }

    /// When an unmodified session is written; express: `resave`. [`Resave::WhenModified`] by default, [`Resave::Always`] after
    /// [`SessionConfig::express`].
    ///
    /// ```
    /// # use http_session::{MemoryStore, config::express::Resave, Secret, SessionConfig};
    /// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.resave(Resave::WhenModified).build(); // express: resave: false
    /// ```
    pub fn resave(mut self, resave: Resave) -> Self {
        self.settings.policy.resave = resave;
        self
    }

    /// Whether sessions are stored before there is anything in them; express: `saveUninitialized`.
    /// [`SaveUninitialized::Never`] by default, [`SaveUninitialized::Always`] after [`SessionConfig::express`].
    ///
    /// ```
    /// # use http_session::{MemoryStore, config::express::SaveUninitialized, Secret, SessionConfig};
    /// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.save_uninitialized(SaveUninitialized::Never).build(); // express: saveUninitialized: false
    /// ```
    #[doc(alias = "saveUninitialized")]
    pub fn save_uninitialized(mut self, save_uninitialized: SaveUninitialized) -> Self {
        self.settings.policy.save_uninitialized = save_uninitialized;
        self
    }

    /// What [`Session::unset`](crate::Session::unset) does with the stored session; express: `unset`.
    /// [`Unset::Destroy`] by default, [`Unset::Keep`] after [`SessionConfig::express`].
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig, config::express::Unset};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.unset(Unset::Keep).build();
    /// ```
    pub fn unset(mut self, unset: Unset) -> Self {
        self.settings.policy.unset = unset;
        self
    }

    /// Which responses commit changes (R11): [`CommitOn::Success`] by default, [`CommitOn::AnyStatus`] after
    /// [`SessionConfig::express`].
    ///
    /// ```
    /// # use http_session::{config::CommitOn, MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.commit_on(CommitOn::AnyStatus).build();
    /// ```
    pub fn commit_on(mut self, commit_on: CommitOn) -> Self {
        self.settings.policy.commit_on = commit_on;
        self
    }

    /// Whether an ended session's cookie is removed: [`Removal::Cookie`] by default, [`Removal::Nothing`] after
    /// [`SessionConfig::express`], as there.
    ///
    /// ```
    /// # use http_session::{MemoryStore, config::Removal, Secret, SessionConfig};
    /// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.removal(Removal::Cookie).build();
    /// ```
    pub fn removal(mut self, removal: Removal) -> Self {
        self.settings.policy.removal = removal;
        self
    }

    /// The header in which a proxy of yours tells the transport; express: `proxy` (R19). Only behind a proxy that always
    /// sets it: a client could send it too. Nobody is trusted by default.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig, config::TrustedProxy};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.trusted_proxy(TrustedProxy::x_forwarded_proto()).build();
    /// ```
    #[doc(alias = "proxy")]
    pub fn trusted_proxy(mut self, proxy: TrustedProxy) -> Self {
        self.settings.proxy = Some(proxy);
        self
    }

    /// Paths without a session, without their query, compared as a whole (R22); connect: `ignore`. May be called several
    /// times.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.ignore_paths(["/favicon.ico", "/health"]).build();
    /// ```
    #[doc(alias = "ignore")]
    pub fn ignore_paths<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.settings.ignored_paths.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Binds cookies to something in the request; connect: `fingerprint`. A cookie is void where the function answers
    /// something else. An upgraded browser has another User-Agent: choose what stays. Not after
    /// [`SessionConfig::express`], whose cookies have no room for it.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder
    ///     .fingerprint(|request| {
    ///         let language = request.headers.get("accept-language");
    ///         language.map(|language| language.as_bytes().to_vec()).unwrap_or_default()
    ///     })
    ///     .build();
    /// ```
    pub fn fingerprint(mut self, fingerprint: impl Fn(&Parts) -> Vec<u8> + Send + Sync + 'static) -> Self
    where
        L: BindsCookies,
    {
        self.settings.fingerprint = Some(Box::new(fingerprint));
        self
    }

    /// The largest record, in bytes: 64 KiB. Counts the fields with their names, the identity, and the session's own cookie
    /// attributes ([`Record::size`](crate::record::Record::size)). Over it the commit fails and the response is a 500 (R14). A record
    /// that is larger already may be written as long as it does not grow.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.record_limit(16 * 1024).build();
    /// ```
    pub fn record_limit(mut self, bytes: usize) -> Self {
        self.settings.record_limit = bytes;
        self
    }

    /// The time limit of every call to the store: 5 seconds (R18). A read that takes longer has failed; of a write nobody
    /// knows ([`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown), R10).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.store_timeout(Duration::from_secs(1)).build();
    /// ```
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.settings.store_timeout = timeout;
        self
    }

    /// The clock for dates in cookies and for lateness; the machine's by default. Lifetimes are judged by the store's clock.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// use http_session::clock::ManualClock;
    ///
    /// let clock = ManualClock::new(); // in a test
    /// let store = MemoryStore::new().clock(clock.clone());
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(store).clock(clock).build();
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Box::new(clock);
        self
    }
}

impl<K, S, L: LifetimeSlot> Builder<K, S, L> {
    /// How long the browser keeps the cookie; express: `cookie.maxAge`, in milliseconds there. Without it, until the browser
    /// is closed. Never past the session's absolute end. Sets the idle lifetime too, unless [`idle`](Self::idle) does.
    ///
    /// Sent as `Max-Age`, in whole seconds and at most 400 days (RFC 6265bis section 5.5); in the express format as `Expires`,
    /// as it stands.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.max_age(Duration::from_secs(14 * 24 * 3600)).build();
    /// ```
    #[doc(alias = "maxAge")]
    pub fn max_age(mut self, max_age: Duration) -> Builder<K, S, L::WithMaxAge> {
        self.settings.attributes.max_age = Some(max_age);
        Builder {
            secret: self.secret,
            store: self.store,
            lifetime: self.lifetime.with_max_age(),
            settings: self.settings,
        }
    }

    /// Sends the cookie again whenever the session's life is prolonged by a touch or a write, so that it lives on in an active
    /// browser; express: `rolling`. A [passive](crate::Session::passive) request prolongs nothing. Needs [`max_age`](Self::max_age), but not after [`SessionConfig::express`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.max_age(Duration::from_secs(14 * 24 * 3600)).rolling().build();
    /// ```
    pub fn rolling(mut self) -> Builder<K, S, L::Rolling> {
        self.settings.policy.rolling = true;
        Builder { secret: self.secret, store: self.store, lifetime: self.lifetime.rolling(), settings: self.settings }
    }
}

impl<K, S, L> Builder<K, S, L> {
    /// Chooses the id of a new session from the request; express: `genid`. It must be unguessable: in the express format an
    /// id is a credential. The function gets the request's head without its extensions. For an id that is taken it is asked
    /// again, three times in all; then the response is a 503. An id of another [shape](Self::id_shape) makes it a 500. Only
    /// after [`SessionConfig::express`].
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
    /// # fn random_hex() -> String { "7b1f3c5d9a6e84f7792c5d0e13a4b6f8".into() }
    /// let sessions = builder.generate_id(|_request| format!("shop-{}", random_hex())).build();
    /// ```
    #[doc(alias = "genid")]
    pub fn generate_id(mut self, generate: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self
    where
        L: ChoosesIds,
    {
        self.settings.generate_id = Some(Box::new(generate));
        self
    }

    /// Which ids are accepted from cookies and from the generator (R2): [`IdShape::Strict`] by default. Only after
    /// [`SessionConfig::express`].
    ///
    /// ```
    /// # use http_session::{config::express::IdShape, MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.id_shape(IdShape::Any).build();
    /// ```
    pub fn id_shape(mut self, shape: IdShape) -> Self
    where
        L: ChoosesIds,
    {
        self.settings.id_shape = shape;
        self
    }
}

impl<K, S, L> Builder<K, S, L> {
    /// The finished configuration. Compiles when secret and store are given, `rolling` has its `max_age`, and the store keeps
    /// records of the format.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let sessions: SessionConfig<MemoryStore> =
    ///     SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// ```
    pub fn build(self) -> SessionConfig<S>
    where
        K: SecretIsSet,
        S: StoreIsSet + FormatFits<L>,
        L: CanRoll,
    {
        SessionConfig::new(&self.secret.into_secret(), self.store, self.settings)
    }
}

impl<K, S, L> fmt::Debug for Builder<K, S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Builder(..)")
    }
}

impl SessionConfig<NoStore> {
    /// Begins a configuration with today's right defaults: a `__Host-` cookie until the browser is closed, Secure, HttpOnly,
    /// SameSite=Lax; a session idle for 24 hours or older than 30 days is gone; nothing is stored before there is something
    /// to keep.
    ///
    /// ```
    /// use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let sessions = SessionConfig::builder()
    ///     .secret(Secret::random())
    ///     .store(MemoryStore::new())
    ///     .build();
    /// ```
    ///
    /// Without a secret it does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use http_session::{MemoryStore, SessionConfig};
    /// let sessions = SessionConfig::builder().store(MemoryStore::new()).build();
    /// ```
    pub fn builder() -> Builder<NoSecret, NoStore, BrowserSession> {
        Builder::new(BrowserSession, Settings::new())
    }

    /// Begins a configuration with the defaults and the wire format of express-session 1.x: cookie `connect.sid` without
    /// Secure and SameSite, `resave` and `saveUninitialized` on, `unset: 'keep'`, changes committed whatever the status, a
    /// record for a day, no absolute end, a touch with every request, no removal cookie. Rotation is a new id: what R1, R2 and R4
    /// promise of the native format holds only in part. A session's own cookie attributes may only narrow the configured ones;
    /// [`StoredAttributes::Exact`] takes them as express-session does.
    ///
    /// A per-session `cookie_mut().max_age` may be set later, so here `rolling` does not need `max_age`.
    ///
    /// ```
    /// # use http_session::{MemoryStore, config::express::Resave, config::express::SaveUninitialized, Secret, SessionConfig};
    /// // session({ secret: 'keyboard cat', resave: false, saveUninitialized: false })
    /// let sessions = SessionConfig::express()
    ///     .secret(Secret::express("keyboard cat")?)
    ///     .store(MemoryStore::new())
    ///     .resave(Resave::WhenModified)
    ///     .save_uninitialized(SaveUninitialized::Never)
    ///     .build();
    /// # Ok::<_, http_session::error::EmptySecret>(())
    /// ```
    pub fn express() -> Builder<NoSecret, NoStore, Express> {
        let mut settings = Settings::new();
        settings.format = Format::Express;
        settings.attributes = crate::cookie::attributes::Attributes::express();
        settings.absolute = Duration::MAX;
        settings.unconfirmed = Duration::MAX;
        settings.touch_throttle = 0;
        // A browser keeps the cookie of a session that was destroyed, and express begins a new one for it at once.
        settings.late_window = Duration::ZERO;
        settings.policy.resave = Resave::Always;
        settings.policy.save_uninitialized = SaveUninitialized::Always;
        settings.policy.unset = Unset::Keep;
        settings.policy.commit_on = CommitOn::AnyStatus;
        settings.policy.removal = Removal::Nothing;
        settings.policy.resend = Resend::WhenModified;
        Builder::new(Express, settings)
    }

    /// Begins a configuration for plain http on your own machine: a cookie of another name, without Secure, that no other
    /// configuration reads, `sid-development`. Answers 421 when the Host is not loopback (R23). Everything else is as after
    /// [`SessionConfig::builder`].
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let sessions = SessionConfig::development().secret(Secret::random()).store(MemoryStore::new()).build();
    /// ```
    pub fn development() -> Builder<NoSecret, NoStore, BrowserSession> {
        let mut settings = Settings::new();
        settings.attributes = Cookie::development().into_attributes();
        settings.development = true;
        Builder::new(BrowserSession, settings)
    }
}
