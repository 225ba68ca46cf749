//! Typed HTTP sessions for hyper, tower and axum.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod clock;
pub mod error;
mod id;
pub mod record;
pub mod session;
pub mod store;

pub use id::SessionId;
pub use session::merge;
#[cfg(feature = "memory")]
pub use store::MemoryStore;

#[cfg(feature = "derive")]
pub use http_session_macros::Session;

/// What the derive's code calls. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::record::{Field, Keep};
    pub use crate::session::data::{
        FieldReader, FieldWriter, HasIdentity, JsonDeserializer, JsonSerializer, SessionData, StorableIn, Unreadable,
        decode, decode_with, encode, encode_with, merge_field,
    };
    pub use crate::store::{ConditionalCommit, SessionStore};
    pub use serde::Serialize;
    pub use serde::de::DeserializeOwned;
}
