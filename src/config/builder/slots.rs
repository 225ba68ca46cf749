//! The types that record what a builder has, and the compiler's messages if something is missing.
//!
//! The requirements are trait bounds, not methods that exist only in some states: a missing bound shows the message
//! below, while a missing method would only say "method not found". `ui-tests/fail/builder` has each message.

use std::fmt;

use crate::token::{ExpressSecret, Secret};
use http_session_store::{ExpressFormat, Indexed, SessionStore};

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot implement a trait of the session builder",
        label = "these traits are sealed: only types of `http_session` implement them"
    )]
    #[expect(unnameable_types, reason = "sealed: only this crate implements it")]
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
    /// No secret is set.
    NoSecret
    /// No store is set.
    NoStore
    /// The cookie lasts until the browser is closed.
    BrowserSession
    /// The cookie has a `max_age`.
    MaxAge
    /// `rolling` is set, but not the `max_age` that it requires.
    RollingWithoutMaxAge
    /// The cookie has a `max_age` and is `rolling`.
    RollingMaxAge
    /// The express format, in which each session can have a `max_age` of its own.
    Express
}

/// A secret is set. It is wiped from memory when it is dropped.
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

/// No secret is set, so [`secret`](super::Builder::secret) can be called.
#[diagnostic::on_unimplemented(
    message = "the session configuration already has a secret",
    label = "this sets a second secret",
    note = "to rotate secrets, pass the new one to `.secret(..)` and the old one to `.previous_secret(..)`"
)]
pub trait SecretIsFree: Sealed {}

impl SecretIsFree for NoSecret {}

/// A secret that the configured format accepts.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a secret that this session configuration accepts",
    label = "expected a `Secret`",
    note = "read one with `Secret::from_env(\"SESSION_SECRET\")?`; it needs at least 32 random bytes",
    note = "a `Secret::express(..)` may be shorter, so only `SessionConfig::express()` accepts it"
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

/// A secret is set.
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

/// No store is set, so [`store`](super::Builder::store) can be called.
#[diagnostic::on_unimplemented(
    message = "the session configuration already has a store",
    label = "this sets a second store",
    note = "a configuration has exactly one store: remove one of the `.store(..)` calls"
)]
pub trait StoreIsFree: Sealed {}

impl StoreIsFree for NoStore {}

impl Sealed for Indexed<NoStore> {}

// Without this impl, `.indexed().store(..)` would also report a second store, next to the error about `indexed`.
#[diagnostic::do_not_recommend]
impl StoreIsFree for Indexed<NoStore> {}

/// A store is set.
#[diagnostic::on_unimplemented(
    message = "the session configuration has no store",
    label = "this needs a store",
    note = "call `.store(..)` before `.build()`, for example `.store(MemoryStore::new())`"
)]
pub trait StoreIsSet: SessionStore {}

#[diagnostic::do_not_recommend]
impl<S: SessionStore> StoreIsSet for S {}

/// What is known about the cookie's lifetime, and what it becomes.
pub trait LifetimeSlot: Sealed {
    /// The lifetime after a call of `max_age`.
    type WithMaxAge;
    /// The lifetime after a call of `rolling`.
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

/// The cookie's lifetime is complete: a rolling cookie has a `max_age`.
#[diagnostic::on_unimplemented(
    message = "a rolling session cookie needs a `max_age`",
    label = "`.rolling()` extends the cookie's expiry, but no expiry is set",
    note = "set the expiry, for example `.max_age(Duration::from_secs(14 * 24 * 3600))`, or remove `.rolling()`"
)]
pub trait CanRoll: Sealed {}

impl CanRoll for BrowserSession {}
impl CanRoll for MaxAge {}
impl CanRoll for RollingMaxAge {}
impl CanRoll for Express {}

/// The application can choose session ids: the express format.
#[diagnostic::on_unimplemented(
    message = "an application can choose session ids only in the express format",
    label = "in the native format the library chooses the ids",
    note = "remove this call, or start with `SessionConfig::express()`"
)]
pub trait ChoosesIds: Sealed {}

impl ChoosesIds for Express {}

/// Cookies can be bound to a scope and a fingerprint, and their verifier can be renewed: the native format.
#[diagnostic::on_unimplemented(
    message = "the express format supports no scope, no fingerprint and no renewal of verifiers",
    label = "this would have no effect",
    note = "remove this call, or start with `SessionConfig::builder()`"
)]
pub trait BindsCookies: Sealed {}

impl BindsCookies for BrowserSession {}
impl BindsCookies for MaxAge {}
impl BindsCookies for RollingWithoutMaxAge {}
impl BindsCookies for RollingMaxAge {}

/// The store supports the configured format.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot store sessions in this format",
    label = "this store does not support the format",
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

// Without this impl, a missing store would be reported twice: by `StoreIsSet` and by this trait.
#[diagnostic::do_not_recommend]
impl<L> FormatFits<L> for NoStore {}
