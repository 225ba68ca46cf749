//! Compares the manual's table of stores and capabilities with the traits that the stores implement.

use std::marker::PhantomData;

use http_session::MemoryStore;
use http_session::store::{AnyStore, Blobs, EnumerateSessions, Exclusive, ExpressFormat, IndexSessions};
use http_session_postgres::PostgresStore;
use http_session_redis::RedisStore;
use http_session_sqlite::SqliteStore;

const MANUAL: &str = include_str!("../../../src/guide/stores.md");

/// Whether a type implements a trait. The inherent constant exists only if the bound holds, and then it takes
/// precedence over the trait's constant.
macro_rules! implements {
    ($store:ty: $capability:path) => {{
        struct Probe<S>(PhantomData<S>);
        #[allow(dead_code, reason = "not needed where the bound holds")]
        trait Otherwise {
            const IMPLEMENTS: bool = false;
        }
        impl<S> Otherwise for Probe<S> {}
        #[allow(dead_code, reason = "not found where the bound does not hold")]
        impl<S: $capability> Probe<S> {
            const IMPLEMENTS: bool = true;
        }
        <Probe<$store>>::IMPLEMENTS
    }};
}

macro_rules! line {
    ($name:literal, $crate_name:literal, $store:ty) => {{
        let yes = |implements| if implements { "yes" } else { "no" };
        let capabilities = [
            yes(implements!($store: EnumerateSessions)),
            yes(implements!($store: IndexSessions)),
            yes(implements!($store: ExpressFormat)),
        ];
        format!("| `{}` | `{}` | {} |", $name, $crate_name, capabilities.join(" | "))
    }};
}

struct Shelf;

impl Blobs for Shelf {
    async fn get(&self, _: &http_session::SessionId) -> Result<Option<Vec<u8>>, http_session::error::StoreError> {
        Ok(None)
    }

    async fn set(
        &self,
        _: &http_session::SessionId,
        _: Vec<u8>,
        _: std::time::Duration,
    ) -> Result<(), http_session::error::StoreError> {
        Ok(())
    }

    async fn destroy(&self, _: &http_session::SessionId) -> Result<(), http_session::error::StoreError> {
        Ok(())
    }
}

#[test]
fn the_manuals_table_of_capabilities_is_true() {
    let lines = [
        line!("MemoryStore", "http-session", MemoryStore),
        line!("SqliteStore", "http-session-sqlite", SqliteStore),
        line!("RedisStore", "http-session-redis", RedisStore),
        line!("PostgresStore", "http-session-postgres", PostgresStore),
        line!("AnyStore", "http-session", AnyStore),
        line!("Exclusive", "http-session", Exclusive<Shelf>),
    ];
    let (_, after) = MANUAL.split_once("# Capabilities").unwrap();
    let table: Vec<&str> = after.lines().skip_while(|line| !line.starts_with('|')).skip(2).collect();
    let table = &table[..table.iter().position(|line| !line.starts_with('|')).unwrap()];
    assert_eq!(table, lines);
}
