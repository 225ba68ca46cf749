//! What a program decides once: secret, store, cookie, lifetimes, policy. The compiler checks it in
//! [`Builder`](builder::Builder), and it does not change later.

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

/// The rules for the cookie's name, `Domain`, `Path` and `Secure`, as types. Error messages of the compiler name them.
pub mod cookie {
    pub use super::cookie_rules::{
        DomainIsFree, HostPrefix, PathIsFree, Plain, PlainAuto, PlainInsecure, PlainSecure, SecureIsCertain,
        SecureIsFree, SecurePrefix,
    };
}

/// Options that exist for the sake of express-session: its defaults, its formats, its words.
pub mod express {
    pub use crate::decide::{Resave, SaveUninitialized, Unset};
    pub use crate::token::ExpressSecret;
    pub use crate::token::express::IdShape;
}

pub(crate) use cookie_rules::Cookie;
pub(crate) use erased::{ErasedConfig, OwnLifetimes};
pub(crate) use session_config::SessionConfig;
