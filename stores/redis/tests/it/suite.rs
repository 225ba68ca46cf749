//! The public suite of checks, on every kind of server.

use std::time::Duration;

use http_session::store::conformance::Suite;
use http_session_redis::RedisStore;
use http_session_redis::driver::aio::ConnectionManager;
use http_session_redis::driver::{Client, TlsCertificates};

use http_session_test_kit::servers::{self, Redis};

/// With all capabilities, through two handles.
async fn keeps_every_rule(store: RedisStore, peer: RedisStore) {
    let suite = Suite::new(store).enumerates().clears().indexes().peer(peer);
    suite.tick(Duration::from_millis(600)).run().await.assert();
}

async fn connected(url: &str) -> RedisStore {
    RedisStore::connect(url).await.unwrap()
}

#[tokio::test]
async fn every_version_keeps_every_rule() {
    for version in servers::redis_versions("the suite on Redis") {
        let redis = Redis::options().version(&version).start("the suite on Redis").unwrap();
        keeps_every_rule(connected(&redis.url()).await, connected(&redis.url()).await).await;
    }
}

#[tokio::test]
async fn a_cluster_keeps_every_rule() {
    let Some(cluster) = servers::Cluster::start("the suite on a Redis Cluster") else { return };
    keeps_every_rule(connected(&cluster.url()).await, connected(&cluster.url()).await).await;
}

#[tokio::test]
async fn a_primary_that_sentinels_name_keeps_every_rule() {
    let Some(sentinel) = servers::Sentinel::start("the suite with Redis Sentinel") else { return };
    keeps_every_rule(connected(&sentinel.url()).await, connected(&sentinel.url()).await).await;
}

#[tokio::test]
async fn a_connection_from_the_user_keeps_every_rule() {
    let Some(redis) = Redis::options().password("pass word").start("the suite on a connection of one's own") else {
        return;
    };
    let url = redis.url().replace(' ', "%20");
    let manager = ConnectionManager::new(Client::open(url.as_str()).unwrap()).await.unwrap();
    // The prefix consists of characters that are special in a pattern of `SCAN`.
    let store = RedisStore::options().prefix("[a]*?\\").with_connection(manager).unwrap();
    let peer = RedisStore::options().prefix("[a]*?\\").connect(&url).await.unwrap();
    keeps_every_rule(store, peer).await;
}

#[tokio::test]
async fn r26_tls_keeps_every_rule_and_trusts_no_other_authority() {
    let Some(redis) = Redis::options().tls().start("the suite over TLS") else { return };
    let root_cert = Some(std::fs::read(redis.authority().unwrap()).unwrap());
    let certificates = TlsCertificates { client_tls: None, root_cert };
    let options = || RedisStore::options().certificates(certificates.clone());
    let (store, peer) = (options().connect(&redis.url()).await, options().connect(&redis.url()).await);
    keeps_every_rule(store.unwrap(), peer.unwrap()).await;

    let limit = Duration::from_secs(10);
    let distrustful = RedisStore::options().time_limit(limit).connect(&redis.url()).await;
    let error = distrustful.unwrap_err().to_string();
    // The contract crate words the reason.
    let is_distrust =
        error.ends_with("certificate that is not trusted") || error.ends_with("certificate is not trusted");
    assert!(error.contains("is unavailable: ") && is_distrust, "{error}");
}
