//! The stores, on the real thing.

mod any;
mod basic;
mod model;
mod postgres;
mod processes;
mod redis;
mod sqlite;
mod table;

use std::sync::OnceLock;
use std::time::Duration;

use http_session::store::AnyStore;
use http_session::{PostgresStore, RedisStore, SqliteStore};

/// The store of a URL, with keys or tables of its own. It is patient: the machine may have much to do.
pub async fn connect(url: &str, name: &str) -> AnyStore {
    const LIMIT: Duration = Duration::from_secs(20);
    match url.split([':', '+']).next().expect("a scheme") {
        "sqlite" => {
            let options = SqliteStore::options().table(name).time_limit(LIMIT);
            AnyStore::new(options.connect(url).await.expect("SQLite"))
        }
        "redis" | "rediss" => {
            let options = RedisStore::options().prefix(format!("{name}:")).time_limit(LIMIT);
            AnyStore::new(options.connect(url).await.expect("Redis"))
        }
        "postgres" | "postgresql" => {
            let options = PostgresStore::options().table(name).time_limit(LIMIT);
            AnyStore::new(options.connect(url).await.expect("PostgreSQL"))
        }
        _ => AnyStore::connect(url).await.expect("a store"),
    }
}

/// A name that no other test has, in no other process, nor in one before: in containers their numbers are the same.
pub fn name_of(test: &str) -> String {
    static RANDOM: OnceLock<u64> = OnceLock::new();
    format!("test_{test}_{:016x}", RANDOM.get_or_init(rand::random))
}
