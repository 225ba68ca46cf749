//! Decides whether a request that changes something comes from a page of this site. Pure: no clock, no IO.

mod keys;
mod origin;
mod request;
pub(crate) mod verdict;

pub(crate) use keys::{CsrfKeys, NONCE_BYTES, Subject, TEXT_BYTES};
pub use origin::TrustedOrigin;
pub(crate) use request::Sender;

/// The header of a token, unless another one is configured.
pub(crate) const HEADER: &str = "x-csrf-token";
