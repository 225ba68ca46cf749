//! The configuration of a program's sessions: secret, store, cookie, lifetimes and policy.
//!
//! A [`Builder`](builder::Builder) collects it, the compiler checks it, and it does not change at run time.

pub mod builder;
pub(crate) mod cookie_rules;
mod erased;
mod policy;
pub(crate) mod session_config;
mod settings;

pub use policy::{Activity, StoredAttributes};
pub use settings::Lifetimes;

pub use crate::cookie::Priority;
pub use crate::cookie::transport::{Transport, TrustedProxy};
pub use crate::decide::{CommitOn, Removal};

/// Types and traits that state which attributes a [`Cookie`] can have. They appear in the compiler's
/// error messages.
pub mod cookie {
    pub use super::cookie_rules::{
        DomainIsFree, HostPrefix, PathIsFree, Plain, PlainAuto, PlainInsecure, PlainSecure, SecureIsCertain,
        SecureIsFree, SecurePrefix,
    };
}

/// Options for compatibility with express-session.
pub mod express {
    pub use crate::decide::{Resave, SaveUninitialized, Unset};
    pub use crate::token::ExpressSecret;
    pub use crate::token::express::IdShape;
}

pub(crate) use cookie_rules::Cookie;
pub(crate) use erased::{ErasedConfig, OwnLifetimes};
pub(crate) use session_config::SessionConfig;
