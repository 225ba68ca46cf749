//! The store contract, re-exported from [`http_session_store`], and a store chosen at run time.

mod any;
mod erased;

pub use any::AnyStore;
pub(crate) use erased::{ErasedIndex, ErasedStore, StoreCall};
#[cfg(feature = "memory")]
#[doc(inline)]
pub use http_session_store::MemoryUsage;
#[cfg(feature = "test-support")]
#[doc(inline)]
pub use http_session_store::conformance;
#[doc(inline)]
pub use http_session_store::{
    Blobs, Cursor, Destroyed, Entry, EnumerateSessions, Exclusive, ExpressFormat, GENERATION_LIFETIME, Generation,
    HasIndex, Ids, IndexSessions, Indexed, Inserted, LINK_GRACE, Moments, Page, Sweep, Touched, Updated,
};
