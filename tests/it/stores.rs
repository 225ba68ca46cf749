//! The library on real stores.

mod any;
mod model;
mod processes;
mod table;

use std::time::Duration;

use http_session::store::AnyStore;
use http_session_postgres::PostgresStore;
use http_session_redis::RedisStore;
use http_session_sqlite::SqliteStore;
pub use http_session_test_kit::name_of;

/// Connects to a store by URL, with its own keys or tables. Its time limits are long, because the machine may be busy.
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
