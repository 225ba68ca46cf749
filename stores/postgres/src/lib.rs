// The links of the README. These come first and win here; those at the end of the README are for its other readers.
//! [`connect`]: PostgresOptions::connect
//! [`PostgresStore::SCHEMA`]: PostgresStore::SCHEMA
//! [schema.sql]: #the-migration
//! [`schema`]: PostgresOptions::schema
//! [`existing_table`]: PostgresOptions::existing_table
//! [`prepared`]: PostgresOptions::prepared
//! [`with_pool`]: PostgresOptions::with_pool
//! [`driver`]: driver
//! [`Sweep`]: http_session_store::Sweep
//! [`Sweep::NEVER`]: http_session_store::Sweep::NEVER
//! [`len`]: http_session_store::EnumerateSessions::len
//! [`clear`]: http_session_store::EnumerateSessions::clear
//! [`Corrupt`]: http_session_store::error::StoreErrorKind::Corrupt
//! [`Full`]: http_session_store::error::StoreErrorKind::Full
//! [`Unknown`]: http_session_store::error::StoreErrorKind::Unknown
//!
#![doc = include_str!("../README.md")]
//!
//! # The migration
//!
//! ```sql
#![doc = include_str!("schema.sql")]
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

// Each module imports only modules further down.
mod open;
mod store;

mod options;
mod schema;

mod statements;
mod update;

mod connection;
mod parameter;
mod reason;
mod retry;
mod row;

mod url;

#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;

mod connector;

pub use self::options::PostgresOptions;
pub use self::store::PostgresStore;

/// What [`PostgresOptions::with_pool`] takes, and what builds it: the pool, and the driver in it.
///
/// A pool of another version of `deadpool-postgres` is another type. Named through this module, the version is always the one
/// that this crate uses.
pub mod driver {
    pub use deadpool_postgres::{
        Config, Manager, ManagerConfig, Pool, PoolConfig, RecyclingMethod, Runtime, tokio_postgres,
    };
}
