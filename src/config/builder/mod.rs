//! The builder of a configuration, whose type parameters record what has been set so far.
//!
//! There are three of them: secret, store and lifetime. The bounds of [`Builder::build`] reject a configuration that is
//! incomplete or contradicts itself, and the compiler's message says what to change. After `build()` the type
//! parameters for secret and lifetime are gone.
//!
//! | parameter | at the start | later |
//! |---|---|---|
//! | secret | [`NoSecret`] | [`WithSecret`] |
//! | store | [`NoStore`] | the store's type |
//! | lifetime | [`BrowserSession`] | [`MaxAge`], [`RollingWithoutMaxAge`], [`RollingMaxAge`] |
//! | lifetime after [`SessionConfig::express`] | [`Express`] | [`Express`] |
//!
//! The traits in this module are sealed. Each states which parameters a method of the builder accepts.

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

/// A configuration under construction, returned by [`SessionConfig::builder`], [`SessionConfig::express`] and
/// [`SessionConfig::development`].
///
/// [`secret`](Self::secret) and [`store`](Self::store) are required, once each and in any order. All other options have
/// a default. If an option is set twice, the last value counts. Three options collect values instead:
/// [`previous_secret`](Self::previous_secret), [`ignore_paths`](Self::ignore_paths) and
/// [`trust_origin`](Self::trust_origin).
///
/// The type parameters record whether secret, store and lifetime are set. Only a function that takes or returns a
/// builder has to name them:
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
    /// Sets the secret that signs cookies (express: `secret`). Required.
    ///
    /// To rotate the secret, set the new one here and keep the old one as [`previous_secret`](Self::previous_secret).
    ///
    /// Takes a [`Secret`](crate::Secret). After [`SessionConfig::express`] it also takes an
    /// [`ExpressSecret`](crate::config::express::ExpressSecret).
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

    /// Adds a secret that signed cookies in the past (express: the second and later elements of a `secret` array).
    ///
    /// It still verifies cookies, and each cookie is signed with the current secret when it is used. Call it once for
    /// each old secret, the newest first. Remove an old secret once the longest lifetime has passed since its successor
    /// was deployed.
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

    /// Sets the store that keeps the sessions (express: `store`). Required.
    ///
    /// The configuration owns the store. Pass an `Arc` to share a store with other code, and an
    /// [`AnyStore`](crate::store::AnyStore) to choose one at run time. After [`SessionConfig::express`] the store must
    /// implement [`ExpressFormat`](crate::store::ExpressFormat).
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

    /// Keeps an index of sessions by identity, which finds all sessions of a user.
    ///
    /// [`sessions_of`](SessionConfig::sessions_of), [`destroy_all_of`](SessionConfig::destroy_all_of) and
    /// [`destroy_others`](SessionConfig::destroy_others) compile only with an index. Each sign-in makes two more store
    /// calls. Call this after [`store`](Self::store); the store must implement [`IndexSessions`].
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

    /// Sets the name and attributes of the cookie (express: `name` and `cookie`), except its expiry, which is set by
    /// [`max_age`](Self::max_age).
    ///
    /// The default after [`SessionConfig::builder`] is `__Host-sid` with `Secure`, `HttpOnly`, `SameSite=Lax` and
    /// `Path=/`.
    pub fn cookie<P>(mut self, cookie: Cookie<P>) -> Self {
        let max_age = self.settings.attributes.max_age;
        self.settings.attributes = cookie.into_attributes();
        self.settings.attributes.max_age = max_age;
        self
    }

    /// Sets a function that adjusts the cookie attributes of a new session to its request (express 1.19: `cookie` as a
    /// function).
    ///
    /// The function gets the request's head without extensions, and the attributes that apply to this request. The
    /// result is stored with the session. [`stored_attributes`](Self::stored_attributes) limits what it may change.
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

    /// Sets how far a session's own cookie attributes may differ from the configured ones. The default is
    /// [`StoredAttributes::Narrow`], also after [`SessionConfig::express`].
    pub fn stored_attributes(mut self, stored_attributes: StoredAttributes) -> Self {
        self.settings.stored_attributes = stored_attributes;
        self
    }

    /// Separates applications that share a secret and a store: a cookie of one scope is not valid in another.
    ///
    /// Any text is allowed; the default is empty. Not available after [`SessionConfig::express`], because a cookie in
    /// the express format cannot be bound to a scope.
    pub fn scope(mut self, scope: impl Into<String>) -> Self
    where
        L: BindsCookies,
    {
        self.settings.scope = scope.into();
        self
    }

    /// Sets how long a session lives without activity (OWASP: idle timeout). The default is the value of
    /// [`max_age`](Self::max_age) if that is set, otherwise 24 hours. The minimum is one millisecond.
    ///
    /// A session with its own `max_age` ([`cookie_mut`](crate::Session::cookie_mut)) uses that as its idle lifetime.
    #[doc(alias = "OnInactivity")]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.settings.idle = Some(idle);
        self
    }

    /// Sets how long a session lives in all, whatever its activity (OWASP: absolute timeout). The default is 30 days,
    /// and no end after [`SessionConfig::express`]. The minimum is one millisecond.
    ///
    /// The time counts from the last sign-in or sign-out, or from the session's creation if there was neither.
    pub fn absolute(mut self, absolute: Duration) -> Self {
        self.settings.absolute = absolute;
        self
    }

    /// Sets how long an anonymous session lives until its cookie comes back for the first time. The default is 10
    /// minutes, and the idle lifetime after [`SessionConfig::express`]. It is never longer than the idle lifetime. The
    /// minimum is one millisecond.
    ///
    /// This keeps robots, which do not keep cookies, from filling the store.
    pub fn unconfirmed(mut self, unconfirmed: Duration) -> Self {
        self.settings.unconfirmed = unconfirmed;
        self
    }

    /// Sets how much of the idle lifetime must pass between two touches, in percent. The default is 10. Values above
    /// 100 count as 100.
    ///
    /// With 0, the default after [`SessionConfig::express`], each request touches the session. A session with less than
    /// a minute left is always touched.
    pub fn touch_throttle(mut self, percent: u8) -> Self {
        self.settings.touch_throttle = percent.min(100);
        self
    }

    /// Sets which requests count as activity. The default is [`Activity::Loaded`].
    pub fn activity(mut self, activity: Activity) -> Self {
        self.settings.activity = activity;
        self
    }

    /// Replaces a session's verifier, the secret in its cookie, when it is older than this (OWASP: renewal timeout).
    /// Off by default.
    ///
    /// The identity stays the same. The previous verifier stays valid until the next renewal, so requests that are
    /// under way are not lost. Not available after [`SessionConfig::express`], because express records have no
    /// verifier.
    pub fn renew_after(mut self, period: Duration) -> Self
    where
        L: BindsCookies,
    {
        self.settings.renew_after = Some(period);
        self
    }

    /// Sets how long after a rotation a request with the old cookie counts as late. The default is one minute.
    ///
    /// A late request sees an anonymous session and stores nothing, but it may sign in or out. After a session was
    /// destroyed, the time is at most one minute, because its tombstone is gone then. After [`SessionConfig::express`]
    /// the default is zero, as in express-session: only requests that were already under way are late.
    pub fn late_window(mut self, window: Duration) -> Self {
        self.settings.late_window = window;
        self
    }

    /// Sets whether an unmodified session is written again (express: `resave`). The default is
    /// [`Resave::WhenModified`], and [`Resave::Always`] after [`SessionConfig::express`].
    pub fn resave(mut self, resave: Resave) -> Self {
        self.settings.policy.resave = resave;
        self
    }

    /// Sets whether a new session is stored before anything is written to it (express: `saveUninitialized`). The
    /// default is [`SaveUninitialized::Never`], and [`SaveUninitialized::Always`] after [`SessionConfig::express`].
    #[doc(alias = "saveUninitialized")]
    pub fn save_uninitialized(mut self, save_uninitialized: SaveUninitialized) -> Self {
        self.settings.policy.save_uninitialized = save_uninitialized;
        self
    }

    /// Sets what [`Session::unset`](crate::Session::unset) does with the stored session (express: `unset`). The default
    /// is [`Unset::Destroy`], and [`Unset::Keep`] after [`SessionConfig::express`].
    pub fn unset(mut self, unset: Unset) -> Self {
        self.settings.policy.unset = unset;
        self
    }

    /// Sets which responses commit the changes of their request. The default is [`CommitOn::Success`], and
    /// [`CommitOn::AnyStatus`] after [`SessionConfig::express`].
    pub fn commit_on(mut self, commit_on: CommitOn) -> Self {
        self.settings.policy.commit_on = commit_on;
        self
    }

    /// Sets whether the browser's cookie is removed when its session ends. The default is [`Removal::Cookie`], and
    /// [`Removal::Nothing`] after [`SessionConfig::express`].
    pub fn removal(mut self, removal: Removal) -> Self {
        self.settings.policy.removal = removal;
        self
    }

    /// Sets the header in which your proxy says whether the client used https (express: `proxy`). No header is trusted
    /// by default.
    ///
    /// Use it only behind a proxy that always sets this header: otherwise clients can send it themselves.
    #[doc(alias = "proxy")]
    pub fn trusted_proxy(mut self, proxy: TrustedProxy) -> Self {
        self.settings.proxy = Some(proxy);
        self
    }

    /// Adds paths that have no session (connect: `ignore`). A path matches if it is equal as a whole; the query is not
    /// compared.
    #[doc(alias = "ignore")]
    pub fn ignore_paths<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.settings.ignored_paths.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Binds cookies to a property of the request (connect: `fingerprint`). A cookie is valid only in requests for
    /// which the function returns the same bytes.
    ///
    /// Choose a property that does not change: a browser update, for example, changes the `User-Agent`. Not available
    /// after [`SessionConfig::express`], because a cookie in the express format cannot be bound to a fingerprint.
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

    /// Sets the largest size of a record, in bytes. The default is 64 KiB.
    ///
    /// [`Record::size`](crate::record::Record::size) counts the fields with their names, the identity, and the
    /// session's own cookie attributes. If a record would become larger, the commit fails and the response is a 500. A
    /// record that is already larger may be written as long as it does not grow.
    pub fn record_limit(mut self, bytes: usize) -> Self {
        self.settings.record_limit = bytes;
        self
    }

    /// Sets the time limit of each store call. The default is 5 seconds.
    ///
    /// A read that takes longer has failed. The outcome of a write that takes longer is unknown
    /// ([`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown)).
    pub fn store_time_limit(mut self, limit: Duration) -> Self {
        self.settings.store_time_limit = limit;
        self
    }

    /// Sets the clock for the dates in cookies and for deciding whether a request is late. The default is the machine's
    /// clock. Lifetimes of sessions are measured by the store's clock.
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
    /// Sets how long the browser keeps the cookie (express: `cookie.maxAge`, in milliseconds). By default it keeps the
    /// cookie until it is closed.
    ///
    /// The cookie never outlives the session's absolute lifetime. This also sets the idle lifetime, unless
    /// [`idle`](Self::idle) does.
    ///
    /// It is sent as `Max-Age` in whole seconds, at most 400 days (RFC 6265bis, section 5.5). The express format sends
    /// `Expires` instead, without that maximum.
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

    /// Sends the cookie again whenever a touch or a write extends the session's life, so that the cookie does not
    /// expire in an active browser (express: `rolling`).
    ///
    /// A [passive](crate::Session::passive) request does not extend a session's life. Requires
    /// [`max_age`](Self::max_age), except after [`SessionConfig::express`].
    pub fn rolling(mut self) -> Builder<K, S, L::Rolling> {
        self.settings.policy.rolling = true;
        Builder { secret: self.secret, store: self.store, lifetime: self.lifetime.rolling(), settings: self.settings }
    }
}

impl<K, S, L> Builder<K, S, L> {
    /// Sets a function that chooses the id of a new session (express: `genid`). Only available after
    /// [`SessionConfig::express`].
    ///
    /// The function gets the request's head without extensions. Its ids must be impossible to guess, because in the
    /// express format an id is a credential. If an id is taken, the function is called again, three times in all; then
    /// the response is a 503. If an id does not have the configured [shape](Self::id_shape), the response is a 500.
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

    /// Sets which ids are accepted from cookies and from [`generate_id`](Self::generate_id). The default is
    /// [`IdShape::Strict`]. Only available after [`SessionConfig::express`].
    pub fn id_shape(mut self, shape: IdShape) -> Self
    where
        L: ChoosesIds,
    {
        self.settings.id_shape = shape;
        self
    }
}

impl<K, S, L> Builder<K, S, L> {
    /// Returns the finished configuration.
    ///
    /// This compiles if a secret and a store are set, `rolling` comes with `max_age`, and the store supports the
    /// format.
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
    /// Begins a configuration with secure defaults.
    ///
    /// The cookie has a `__Host-` name, `Secure`, `HttpOnly` and `SameSite=Lax`, and lasts until the browser is closed.
    /// A session ends after 24 hours without activity, and after 30 days in all. Nothing is stored before there is
    /// something to keep.
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

    /// Begins a configuration with the defaults and the cookie format of express-session 1.x.
    ///
    /// - The cookie is `connect.sid`, without `Secure` and `SameSite`.
    /// - `resave` and `saveUninitialized` are on, `unset` is `'keep'`.
    /// - Changes are committed whatever the response's status, and each request touches its session.
    /// - A session ends after a day without activity and has no absolute end. Its cookie is not removed when it ends.
    ///
    /// A rotation creates a new id. Cookies are not bound to a cookie name or scope, and records have no verifier, so
    /// the guarantees of the native format hold only in part: see [the guide](crate::guide::_2_token).
    ///
    /// A session's own cookie attributes may only be stricter than the configured ones; [`StoredAttributes::Exact`]
    /// accepts them as express-session does. `rolling` does not require `max_age` here, because each session can get a
    /// `max_age` of its own through [`cookie_mut`](crate::Session::cookie_mut).
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
        // Without a removal cookie, the browser keeps presenting the cookie of a destroyed session. express-session
        // begins a new session for it at once, so a late window would lock that browser out of sessions for a minute.
        settings.late_window = Duration::ZERO;
        settings.policy.resave = Resave::Always;
        settings.policy.save_uninitialized = SaveUninitialized::Always;
        settings.policy.unset = Unset::Keep;
        settings.policy.commit_on = CommitOn::AnyStatus;
        settings.policy.removal = Removal::Nothing;
        settings.policy.resend = Resend::WhenModified;
        Builder::new(Express, settings)
    }

    /// Begins a configuration for plain http on your own machine.
    ///
    /// The cookie is `sid-development`, without `Secure`. The other constructors use other names, so production does
    /// not accept it. If the request's `Host` is not loopback, the response is a 421. Everything else is as after
    /// [`SessionConfig::builder`].
    pub fn development() -> Builder<NoSecret, NoStore, BrowserSession> {
        let mut settings = Settings::new();
        settings.attributes = Cookie::development().into_attributes();
        settings.development = true;
        Builder::new(BrowserSession, settings)
    }
}
