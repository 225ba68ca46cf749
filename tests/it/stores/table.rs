//! The manual's table of stores and capabilities, against the traits.

use std::marker::PhantomData;

use http_session::MemoryStore;
use http_session::store::{AnyStore, Blobs, EnumerateSessions, Exclusive, ExpressFormat, IndexSessions};
use http_session_postgres::PostgresStore;
use http_session_redis::RedisStore;
use http_session_sqlite::SqliteStore;

const MANUAL: &str = include_str!("../../../src/guide/stores.md");

/// Whether a type implements a trait: the constant of the type itself is found first, where its bound holds.
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

macro_rules! record {
    ($name:literal, $feature:literal, $store:ty) => {{
        let yes = |implements| if implements { "yes" } else { "no" };
        let capabilities = [
            yes(implements!($store: EnumerateSessions)),
            yes(implements!($store: IndexSessions)),
            yes(implements!($store: ExpressFormat)),
        ];
        let feature = if $feature.is_empty() { " ".to_owned() } else { format!(" `{}` ", $feature) };
        format!("| `{}` |{feature}| {} |", $name, capabilities.join(" | "))
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
    let records = [
        record!("MemoryStore", "memory", MemoryStore),
        record!("SqliteStore", "sqlite", SqliteStore),
        record!("RedisStore", "redis", RedisStore),
        record!("PostgresStore", "postgres", PostgresStore),
        record!("AnyStore", "", AnyStore),
        record!("Exclusive", "", Exclusive<Shelf>),
    ];
    let (_, after) = MANUAL.split_once("# Capabilities").unwrap();
    let table: Vec<&str> = after.lines().skip_while(|line| !line.starts_with('|')).skip(2).collect();
    let table = &table[..table.iter().position(|line| !line.starts_with('|')).unwrap()];
    assert_eq!(table, records);
}

#[test]
fn each_feature_of_the_table_is_one_of_the_manifest() {
    let manifest = include_str!("../../../Cargo.toml");
    for feature in ["memory", "sqlite", "redis", "postgres"] {
        assert!(manifest.lines().any(|line| line.starts_with(&format!("{feature} = ["))), "{feature}");
    }
}
