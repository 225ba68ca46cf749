//! `Exclusive` over three methods keeps the whole contract.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_session_store::clock::ManualClock;
use http_session_store::conformance::Suite;
use http_session_store::error::{StoreError, StoreErrorKind};
use http_session_store::record::{Field, Lifetime, Patch, Record, VerifierHash};
use http_session_store::{Blobs, Destroyed, Exclusive, Inserted, SessionId, SessionStore, Updated};

/// Keeps bytes in a map, and never removes them by itself. Every call waits, so that other calls come in between.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<HashMap<SessionId, Vec<u8>>>>);

impl Blobs for Shelf {
    async fn get(&self, id: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.0.lock().unwrap().get(id).cloned())
    }

    async fn set(&self, id: &SessionId, bytes: Vec<u8>, time_to_live: Duration) -> Result<(), StoreError> {
        assert!(time_to_live > Duration::ZERO, "what has expired is not kept");
        tokio::task::yield_now().await;
        self.0.lock().unwrap().insert(id.clone(), bytes);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(id);
        Ok(())
    }
}

const MINUTE: Lifetime = Lifetime::new(Duration::from_secs(60), Duration::from_secs(60));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_methods_keep_the_whole_contract() {
    let clock = ManualClock::new();
    let store = Exclusive::with_clock(Shelf::default(), clock.clone());
    let suite = Suite::new(store.clone()).peer(store).clock(move |by| clock.advance(by));
    suite.run().await.assert();
}

#[tokio::test]
async fn r16_bytes_that_are_not_a_session_are_not_overwritten() {
    let shelf = Shelf::default();
    let store = Exclusive::new(shelf.clone());
    let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA").unwrap();
    shelf.0.lock().unwrap().insert(id.clone(), b"{\"cookie\":{}}".to_vec());
    assert_eq!(store.load(&id).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    let record = Record::new(VerifierHash([7; 32]));
    assert_eq!(store.insert(&id, &record, MINUTE).await.unwrap(), Inserted::Taken);
    assert_eq!(store.destroy(&id, Some(record.epoch)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(shelf.0.lock().unwrap().get(&id).map(Vec::as_slice), Some(b"{\"cookie\":{}}".as_slice()));
    assert_eq!(store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
    assert_eq!(store.insert(&id, &record, MINUTE).await.unwrap(), Inserted::Inserted);
}

/// A back-end whose writes take a while. A caller gives up in the middle of one; it must not arrive after the next write.
#[derive(Clone, Default)]
struct Slow(Shelf);

impl Blobs for Slow {
    async fn get(&self, id: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(id).await
    }

    async fn set(&self, id: &SessionId, bytes: Vec<u8>, time_to_live: Duration) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.0.set(id, bytes, time_to_live).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<(), StoreError> {
        self.0.destroy(id).await
    }
}

#[tokio::test(start_paused = true)]
async fn r9_a_write_whose_caller_is_gone_ends_before_the_next_one_begins() {
    static FIRST: Field = Field::new("first");
    static SECOND: Field = Field::new("second");
    let store = Exclusive::new(Slow::default());
    let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA").unwrap();
    let record = Record::new(VerifierHash([7; 32]));
    assert_eq!(store.insert(&id, &record, MINUTE).await.unwrap(), Inserted::Inserted);
    let writes = |field: &'static Field| {
        let mut patch = Patch::unchanged(&record);
        patch.set(field, Some(b"1"));
        patch
    };
    let (first, second) = (writes(&FIRST), writes(&SECOND));
    let given_up = tokio::time::timeout(Duration::from_millis(500), store.update(&id, &first, MINUTE)).await;
    assert!(given_up.is_err());
    assert_eq!(store.update(&id, &second, MINUTE).await.unwrap(), Updated::Applied { renewed: true });
    let fields = store.load(&id).await.unwrap().unwrap().fields;
    assert!(fields.find("first").is_some() && fields.find("second").is_some());
}

/// A back-end that panics.
struct Broken;

impl Blobs for Broken {
    async fn get(&self, _: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        panic!("a mistake of the back-end")
    }

    async fn set(&self, _: &SessionId, _: Vec<u8>, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    async fn destroy(&self, _: &SessionId) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn r10_a_write_in_which_the_back_end_panics_is_unknown() {
    let store = Exclusive::new(Broken);
    let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA").unwrap();
    let inserted = store.insert(&id, &Record::new(VerifierHash([7; 32])), MINUTE).await;
    assert_eq!(inserted.unwrap_err().kind(), StoreErrorKind::Unknown);
}

/// A back-end that hangs.
struct Hanging;

impl Blobs for Hanging {
    async fn get(&self, _: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        std::future::pending().await
    }

    async fn set(&self, _: &SessionId, _: Vec<u8>, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    async fn destroy(&self, _: &SessionId) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn r18_a_back_end_that_hangs_does_not_collect_calls_for_ever() {
    let store = Exclusive::new(Hanging);
    let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA").unwrap();
    let record = Record::new(VerifierHash([7; 32]));
    let mut refused = 0;
    for _ in 0..2000 {
        let insert = store.insert(&id, &record, MINUTE);
        if let Ok(answer) = tokio::time::timeout(Duration::from_millis(1), insert).await {
            assert_eq!(answer.unwrap_err().kind(), StoreErrorKind::Unavailable);
            refused += 1;
        }
    }
    assert_eq!(refused, 2000 - 1024);
}
