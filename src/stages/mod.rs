//! What happens to the session of a request, when, and against the store.

pub(crate) mod awaited;
pub(crate) mod commit;
pub(crate) mod cookie;
pub(crate) mod destroy_others;
pub(crate) mod index;
pub(crate) mod load;
pub(crate) mod receive;
mod replace;
pub(crate) mod run_to_end;
pub(crate) mod store_call;
pub(crate) mod write;
