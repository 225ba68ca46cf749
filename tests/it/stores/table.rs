//! The manual's table of stores and capabilities, against the traits.

use std::marker::PhantomData;

use http_session::store::{
    AnyStore, Basic, BasicStore, ConditionalCommit, EnumerateSessions, ExpressFormat, IndexSessions,
};
use http_session::{MemoryStore, PostgresStore, RedisStore, SqliteStore};

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

macro_rules! row {
    ($name:literal, $feature:literal, $store:ty) => {{
        let yes = |implements| if implements { "yes" } else { "no" };
        let capabilities = [
            yes(implements!($store: ConditionalCommit)),
            yes(implements!($store: EnumerateSessions)),
            yes(implements!($store: IndexSessions)),
            yes(implements!($store: ExpressFormat)),
        ];
        let feature = if $feature.is_empty() { " ".to_owned() } else { format!(" `{}` ", $feature) };
        format!("| `{}` |{feature}| {} |", $name, capabilities.join(" | "))
    }};
}

struct Shelf;

impl BasicStore for Shelf {
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
    let rows = [
        row!("MemoryStore", "memory", MemoryStore),
        row!("SqliteStore", "sqlite", SqliteStore),
        row!("RedisStore", "redis", RedisStore),
        row!("PostgresStore", "postgres", PostgresStore),
        row!("AnyStore", "", AnyStore),
        row!("Basic", "", Basic<Shelf>),
    ];
    let (_, after) = MANUAL.split_once("# Capabilities").unwrap();
    let table: Vec<&str> = after.lines().skip_while(|line| !line.starts_with('|')).skip(2).collect();
    let table = &table[..table.iter().position(|line| !line.starts_with('|')).unwrap()];
    assert_eq!(table, rows);
}

#[test]
fn each_feature_of_the_table_is_one_of_the_manifest() {
    let manifest = include_str!("../../../Cargo.toml");
    for feature in ["memory", "sqlite", "redis", "postgres"] {
        assert!(manifest.lines().any(|line| line.starts_with(&format!("{feature} = ["))), "{feature}");
    }
}
