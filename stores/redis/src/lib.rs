#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod enumerate;
mod index;
mod keys;
mod options;
mod record;
mod script;
mod store;
mod topology;
mod url;

/// The driver, in the version that [`RedisOptions::with_connection`] and [`RedisOptions::certificates`] take. Nothing else here
/// uses its types.
#[doc(no_inline)]
pub use ::redis as driver;
pub use options::RedisOptions;
pub use store::RedisStore;
