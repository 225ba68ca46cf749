// The links of the README. These come first and win here; those at the end of the README are for its other readers.
//! [SqliteOptions]: SqliteOptions
//! [SqliteOptions::connections]: SqliteOptions::connections
//! [SqliteOptions::sweep]: SqliteOptions::sweep
//! [SqliteOptions::time_limit]: SqliteOptions::time_limit
//! [SqliteStore]: SqliteStore
//! [Synchronous::Full]: Synchronous::Full
//!
#![doc = include_str!("../README.md")]

pub use self::options::{SqliteOptions, Synchronous};
pub use self::store::SqliteStore;

mod failure;
mod job;
mod location;
mod open;
mod options;
mod reader;
mod row;
mod schema;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod writer;
