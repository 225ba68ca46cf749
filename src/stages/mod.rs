//! What happens to the session of a request, when it happens, and which store calls it takes.
//!
//! | file | what it does |
//! |---|---|
//! | `receive` | on the way in: copies what later stages need from the request |
//! | `load` | finds the session that the request's cookies name |
//! | `awaited`, `destroy_others` | the calls that a handler awaits, such as `save` and `sign_out` |
//! | `commit` | on the way out: decides, writes once, and chooses the cookie |
//! | `write`, `replace`, `index` | the kinds of write, and what the answers of the store mean |
//! | `cookie` | attributes, value and lifetime of the session's cookie |
//! | `store_call` | one call to the store, with its time limit and its events |
//! | `run_to_end` | keeps work going when nobody waits for it any more |

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
