//! The slots of the builder, and the sentences that the compiler says when one is wrong.

use std::fmt;

use crate::token::{ExpressSecret, Secret};
use http_session_store::{ExpressFormat, Indexed, SessionStore};

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "the builder's traits are not for `{Self}` to implement",
        label = "they are sealed: the builder alone knows what it has got"
    )]
    pub trait Sealed {}
}
use sealed::Sealed;

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub struct $name;

        impl Sealed for $name {}
    )*};
}

markers! {
    /// No secret yet.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::config::builder::*;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let builder: Builder<NoSecret, NoStore, BrowserSession> = SessionConfig::builder();
    /// ```
    NoSecret
    /// No store yet.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::config::builder::*;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let builder: Builder<WithSecret, NoStore, BrowserSession> = SessionConfig::builder().secret(Secret::random());
    /// ```
    NoStore
    /// A cookie until the browser is closed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::config::builder::*;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let builder: Builder<NoSecret, MemoryStore, BrowserSession> = SessionConfig::builder().store(MemoryStore::new());
    /// ```
    BrowserSession
    /// A cookie with `max_age`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::config::builder::*;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let day = Duration::from_secs(24 * 3600);
    /// let builder: Builder<NoSecret, NoStore, MaxAge> = SessionConfig::builder().max_age(day);
    /// ```
    MaxAge
    /// `rolling` without the `max_age` that it needs.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::config::builder::*;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let builder: Builder<NoSecret, NoStore, RollingWithoutMaxAge> = SessionConfig::builder().rolling();
    /// ```
    RollingWithoutMaxAge
    /// A rolling cookie.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::config::builder::*;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let day = Duration::from_secs(24 * 3600);
    /// let builder: Builder<NoSecret, NoStore, RollingMaxAge> = SessionConfig::builder().max_age(day).rolling();
    /// ```
    RollingMaxAge
    /// The express format, whose sessions may each have a `max_age` of their own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::config::builder::*;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let builder: Builder<NoSecret, NoStore, Express> = SessionConfig::express().rolling();
    /// ```
    Express
}

/// A secret is given; it is wiped when it is dropped.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{MemoryStore, Secret, SessionConfig};
/// let builder: Builder<WithSecret, NoStore, BrowserSession> = SessionConfig::builder().secret(Secret::random());
/// ```
pub struct WithSecret(Secret);

impl WithSecret {
    pub(super) const fn new(secret: Secret) -> Self {
        Self(secret)
    }
}

impl Sealed for WithSecret {}

impl fmt::Debug for WithSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithSecret")
    }
}

/// [`secret`](super::Builder::secret) may be called.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{Secret, SessionConfig};
/// fn signed<K: SecretIsFree, S>(builder: Builder<K, S, MaxAge>, secret: Secret) -> Builder<WithSecret, S, MaxAge> {
///     builder.secret(secret)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the session configuration has a secret already",
    label = "a second secret",
    note = "to rotate secrets, give the new one as `.secret(..)` and the old one as `.previous_secret(..)`"
)]
pub trait SecretIsFree: Sealed {}

impl SecretIsFree for NoSecret {}

/// The secret is strong enough for the configured format.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{Secret, SessionConfig};
/// fn rotated<K, S, L>(builder: Builder<K, S, L>, old: impl SecretFor<L>) -> Builder<K, S, L> {
///     builder.previous_secret(old)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a secret that this session configuration accepts",
    label = "not a secret, or one that may be too weak",
    note = "write `Secret::from_env(\"SESSION_SECRET\")?`: at least 32 random bytes",
    note = "`Secret::express(..)`, which may be shorter, is accepted by `SessionConfig::express()` alone"
)]
pub trait SecretFor<L>: Sealed {
    #[doc(hidden)]
    fn into_secret(self) -> Secret;
}

impl Sealed for Secret {}

impl<L> SecretFor<L> for Secret {
    fn into_secret(self) -> Secret {
        self
    }
}

impl Sealed for ExpressSecret {}

impl SecretFor<Express> for ExpressSecret {
    fn into_secret(self) -> Secret {
        self.into_inner()
    }
}

/// A secret is given.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{MemoryStore, SessionConfig};
/// fn finish<K: SecretIsSet>(builder: Builder<K, MemoryStore, MaxAge>) -> SessionConfig<MemoryStore> {
///     builder.build()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the session configuration has no secret",
    label = "this needs a secret",
    note = "call `.secret(Secret::from_env(\"SESSION_SECRET\")?)` before `.build()`"
)]
pub trait SecretIsSet: Sealed {
    #[doc(hidden)]
    fn into_secret(self) -> Secret;
}

impl SecretIsSet for WithSecret {
    fn into_secret(self) -> Secret {
        self.0
    }
}

/// [`store`](super::Builder::store) may be called.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{MemoryStore};
/// fn in_memory<K, S: StoreIsFree, L>(builder: Builder<K, S, L>) -> Builder<K, MemoryStore, L> {
///     builder.store(MemoryStore::new())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the session configuration has a store already",
    label = "a second store",
    note = "a configuration has one store; remove one of the `.store(..)` calls"
)]
pub trait StoreIsFree: Sealed {}

impl StoreIsFree for NoStore {}

impl Sealed for Indexed<NoStore> {}

// That an index came before its store is said once.
#[diagnostic::do_not_recommend]
impl StoreIsFree for Indexed<NoStore> {}

/// A store is given.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{Secret, SessionConfig};
/// fn finish<S: StoreIsSet>(builder: Builder<WithSecret, S, MaxAge>) -> SessionConfig<S> {
///     builder.build()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the session configuration has no store",
    label = "this needs a store",
    note = "call `.store(MemoryStore::new())`, or with another store, before `.build()`"
)]
pub trait StoreIsSet: SessionStore {}

#[diagnostic::do_not_recommend]
impl<S: SessionStore> StoreIsSet for S {}

/// The lifetime slot, and where it goes.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{Secret, SessionConfig};
/// fn a_week<K, S, L: LifetimeSlot>(builder: Builder<K, S, L>) -> Builder<K, S, L::WithMaxAge> {
///     builder.max_age(Duration::from_secs(7 * 24 * 3600))
/// }
/// ```
pub trait LifetimeSlot: Sealed {
    /// After `max_age`.
    type WithMaxAge;
    /// After `rolling`.
    type Rolling;

    #[doc(hidden)]
    fn with_max_age(self) -> Self::WithMaxAge;
    #[doc(hidden)]
    fn rolling(self) -> Self::Rolling;
}

macro_rules! lifetime_slots {
    ($($slot:ident: $with_max_age:ident, $rolling:ident;)*) => {$(
        impl LifetimeSlot for $slot {
            type WithMaxAge = $with_max_age;
            type Rolling = $rolling;

            fn with_max_age(self) -> $with_max_age {
                $with_max_age
            }

            fn rolling(self) -> $rolling {
                $rolling
            }
        }
    )*};
}

lifetime_slots! {
    BrowserSession: MaxAge, RollingWithoutMaxAge;
    MaxAge: MaxAge, RollingMaxAge;
    RollingWithoutMaxAge: RollingMaxAge, RollingWithoutMaxAge;
    RollingMaxAge: RollingMaxAge, RollingMaxAge;
    Express: Express, Express;
}

/// The cookie's lifetime is consistent.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{MemoryStore, SessionConfig};
/// fn finish<L: CanRoll>(builder: Builder<WithSecret, MemoryStore, L>) -> SessionConfig<MemoryStore>
/// where
///     MemoryStore: FormatFits<L>,
/// {
///     builder.build()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a rolling session cookie needs a `max_age`",
    label = "this rolls a cookie that has no expiry",
    note = "call `.max_age(Duration::from_secs(14 * 24 * 3600))`, or remove `.rolling()`"
)]
pub trait CanRoll: Sealed {}

impl CanRoll for BrowserSession {}
impl CanRoll for MaxAge {}
impl CanRoll for RollingMaxAge {}
impl CanRoll for Express {}

/// The format lets an application choose its session ids.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{Secret, SessionConfig};
/// fn any_id<K, S, L: ChoosesIds>(builder: Builder<K, S, L>) -> Builder<K, S, L> {
///     builder.id_shape(http_session::config::express::IdShape::Any)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "only express sessions have ids that the application chooses",
    label = "sessions of the native format choose their own ids",
    note = "remove this call, or begin with `SessionConfig::express()`"
)]
pub trait ChoosesIds: Sealed {}

impl ChoosesIds for Express {}

/// The format's cookies can be bound to a scope and to a fingerprint, and have a verifier to renew.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{Secret, SessionConfig};
/// fn back_office<K, S, L: BindsCookies>(builder: Builder<K, S, L>) -> Builder<K, S, L> {
///     builder.scope("back office")
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "express cookies have no scope, no fingerprint and no verifier to renew",
    label = "this would have no effect",
    note = "remove this call, or begin with `SessionConfig::builder()`"
)]
pub trait BindsCookies: Sealed {}

impl BindsCookies for BrowserSession {}
impl BindsCookies for MaxAge {}
impl BindsCookies for RollingWithoutMaxAge {}
impl BindsCookies for RollingMaxAge {}

/// The store keeps records of the configured format.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::config::builder::*;
/// # use http_session::{Secret, SessionConfig};
/// fn finish<S: StoreIsSet + FormatFits<Express>>(builder: Builder<WithSecret, S, Express>) -> SessionConfig<S> {
///     builder.build()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot keep sessions of this format",
    label = "this store does not speak the format",
    note = "`SessionConfig::express()` needs a store that implements `ExpressFormat`, such as `MemoryStore`"
)]
pub trait FormatFits<L> {}

macro_rules! native_lifetimes {
    ($($slot:ident)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<S: SessionStore> FormatFits<$slot> for S {}
    )*};
}

native_lifetimes!(BrowserSession MaxAge RollingWithoutMaxAge RollingMaxAge);

#[diagnostic::do_not_recommend]
impl<S: ExpressFormat> FormatFits<Express> for S {}

// That a store is missing is said once.
#[diagnostic::do_not_recommend]
impl<L> FormatFits<L> for NoStore {}
