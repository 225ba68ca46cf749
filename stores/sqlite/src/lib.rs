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
