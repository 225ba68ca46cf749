#![doc = include_str!("../README.md")]

mod answer;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod entry;
mod enumerate;
pub mod error;
mod exclusive;
mod id;
mod index;
#[cfg(feature = "memory")]
mod memory;
mod page;
mod pointer;
pub mod record;
mod session_store;
mod sweep;
mod sync;
pub mod text;

pub use answer::{Destroyed, Inserted, Touched, Updated};
pub use entry::{Entry, Moments};
pub use enumerate::{EnumerateSessions, Ids};
pub use exclusive::{Blobs, Exclusive};
// How a cookie writes an id is for the middleware to know.
#[doc(hidden)]
pub use id::SELECTOR_BYTES;
pub use id::SessionId;
pub use index::{GENERATION_LIFETIME, Generation, HasIndex, IndexSessions, Indexed, LINK_GRACE};
#[cfg(feature = "memory")]
pub use memory::{MemoryStore, MemoryUsage};
pub use page::{Cursor, Page};
pub use session_store::{ExpressFormat, SessionStore};
pub use sweep::Sweep;
