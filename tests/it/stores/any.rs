//! A store chosen by its URL.

use http_session::MemoryStore;
use http_session::clock::ManualClock;
use http_session::error::ConnectError;
use http_session::store::AnyStore;
use http_session::store::conformance::Suite;

use http_session_test_kit::assert_all_kept;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_store_has_every_capability_of_its_inner_store() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    let suite = Suite::new(AnyStore::new(store.clone())).peer(AnyStore::new(store)).clock(move |by| clock.advance(by));
    assert_all_kept(&suite.enumerates().clears().indexes().rounds(4).run().await);
}

#[tokio::test]
async fn a_url_with_an_unknown_scheme_is_an_error_that_lists_the_known_schemes() {
    for url in ["", "memory", "mongodb://user:hunter2@localhost", "MEMORY:", ":"] {
        let error = AnyStore::connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::UnknownScheme { .. }), "{url}: {error:?}");
        assert!(error.to_string().contains("`memory:`"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_malformed_url_is_an_error_without_its_text() {
    let urls = ["memory://hunter2"];
    for url in urls {
        let error = AnyStore::connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::InvalidUrl(_)), "{url}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
