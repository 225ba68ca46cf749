//! An acknowledged write survives a kill -9 of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_session::store::Updated;
use http_session::{SessionId, SessionStore as _};
use http_session_postgres::PostgresStore;

use super::{LIFETIME, Table, inserted, number, record};
use http_session_test_kit::servers::{self, Postgres};
use http_session_test_kit::times;

/// Writes one number after the other, and remembers the last that was acknowledged.
async fn write(store: PostgresStore, id: SessionId, acknowledged: Arc<AtomicU64>) {
    let mut next = 1_u64;
    loop {
        let Ok(Some(record)) = store.load(&id).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let patch = super::noting(&record, next.to_string().as_bytes());
        if let Ok(Updated::Applied { .. }) = store.update(&id, &patch, LIFETIME).await {
            acknowledged.store(next, Ordering::SeqCst);
        }
        next += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_commit_is_lost_when_the_server_is_killed() {
    // After a crash the server syncs all its files; here with one call instead of one for each file.
    let options = Postgres::options().durable().setting("recovery_init_sync_method", "syncfs");
    let Some(mut server) = options.start("kills of PostgreSQL") else { return };
    let table = Table::on(&server);
    let store = table.open().await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let (id, acknowledged) = (super::id(), Arc::new(AtomicU64::new(0)));
        inserted(&store, &id, &record(b"0")).await;
        tokio::spawn(write(store.clone(), id.clone(), Arc::clone(&acknowledged)));
        sessions.push((id, acknowledged));
    }
    for kill in 0..times(100) {
        let before: Vec<u64> = sessions.iter().map(|(_, acknowledged)| acknowledged.load(Ordering::SeqCst)).collect();
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..200_000))).await;
        server.kill();
        // From here on nothing is acknowledged until the server is back.
        let acknowledged = |(_, acknowledged): &(SessionId, Arc<AtomicU64>)| acknowledged.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let promised: Vec<u64> = sessions.iter().map(acknowledged).collect();
        tokio::task::block_in_place(|| server.restart());
        for ((id, _), promised) in sessions.iter().zip(&promised) {
            let found = loop {
                if let Ok(record) = store.load(id).await {
                    break number(record.unwrap().fields.find("note").unwrap());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            assert!(found >= i64::try_from(*promised).unwrap(), "kill {kill}: {found} of {promised}");
        }
        // All wrote again after the last kill.
        servers::wait_until("all write again", || {
            sessions
                .iter()
                .zip(&before)
                .all(|((_, acknowledged), before)| acknowledged.load(Ordering::SeqCst) > *before)
        });
    }
}
