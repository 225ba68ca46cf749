//! The typed session.

pub(crate) mod data;
pub mod merge;

pub use data::{HasIdentity, SessionData, StorableIn};
