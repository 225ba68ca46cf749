//! Connecting: URLs, rights, and the errors of a store that cannot be opened.

use std::time::Duration;

use http_session::SessionStore as _;
use http_session::error::ConnectError;
use http_session::error::StoreErrorKind::Refused;
use http_session::record::{Clear, RawJson};
use http_session::store::{EnumerateSessions as _, Generation, IndexSessions as _, Updated};
use http_session_redis::RedisStore;

use super::{DAY, LONG, kind, new_id, new_record, one_more, stored};
use http_session_test_kit::servers::{self, Redis};

const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn r26_the_error_of_a_wrong_password_does_not_show_it() {
    let Some(redis) = Redis::options().password("correct").start("a wrong password") else { return };
    let url = redis.url().replace("correct", "hunter2");
    let Err(error) = RedisStore::options().connect(&url).await else { panic!("connected") };
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains("refuse") || text.contains("Refused"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("127.0.0.1"), "{text}");
    }
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    let shown = format!("{store:?} {:?}", RedisStore::options());
    assert!(!shown.contains("correct") && !shown.contains("127.0.0.1"), "{shown}");
}

/// A server repeats a command that it does not know, and the driver passes that on.
#[tokio::test]
async fn r26_a_server_that_repeats_the_password_is_not_quoted() {
    let what = "a server without HELLO";
    let Some(redis) = Redis::options().password("hunter2").without("HELLO").start(what) else {
        return;
    };
    let Err(error) = RedisStore::connect(&redis.url()).await else { panic!("connected") };
    let text = format!("{error} {error:?}");
    assert!(text.contains("the server lacks a command") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_reported_in_time() {
    for url in [
        "redis://127.0.0.1:1",
        "redis+cluster://127.0.0.1:1,127.0.0.1:2",
        "redis+sentinel://127.0.0.1:1,127.0.0.1:2/sessions",
    ] {
        let connecting = RedisStore::options().time_limit(SOON).connect(url);
        let Err(error) = super::within(SOON, connecting).await else { panic!("connected") };
        assert!(error.to_string().ends_with("is unavailable: connection refused"), "{url}: {error}");
    }
}

#[tokio::test]
async fn the_longest_duration_is_a_valid_time_limit() {
    let Some(redis) = servers::redis("a long limit") else { return };
    let store = RedisStore::options().time_limit(Duration::MAX).connect(redis.url()).await.unwrap();
    assert!(store.load(&stored(&store).await).await.unwrap().is_some());
}

#[tokio::test]
async fn a_service_that_the_sentinels_do_not_know_is_an_error() {
    let Some(sentinel) = servers::redis_sentinel("an unknown service") else { return };
    let url = format!("{}x", sentinel.url());
    assert!(RedisStore::options().time_limit(SOON).connect(&url).await.is_err());
}

#[tokio::test]
async fn databases_and_prefixes_keep_applications_apart() {
    let Some(redis) = Redis::start("databases and prefixes") else { return };
    let first = RedisStore::connect(&redis.url()).await.unwrap();
    let id = stored(&first).await;
    let database = RedisStore::connect(&format!("{}/1", redis.url())).await.unwrap();
    assert_eq!(database.load(&id).await.unwrap(), None);
    let prefix = RedisStore::options().prefix("shop:").connect(&redis.url()).await.unwrap();
    assert_eq!(prefix.load(&id).await.unwrap(), None);
    let _ = prefix.insert(&id, &new_record(), LONG).await.unwrap();
    assert!(redis.command(&["KEYS", "shop:s:*"]).text().ends_with(id.as_str()));
    let braces = RedisStore::options().prefix("{a}").connect(&redis.url()).await;
    assert!(matches!(braces, Err(ConnectError::InvalidOptions(_))));
}

/// The error comes at once, because waiting would not help.
#[tokio::test]
async fn a_url_of_another_kind_of_server_is_refused() {
    for version in servers::redis_versions("a URL of another kind of server") {
        let redis = Redis::options().version(&version).start("a URL of another kind of server").unwrap();
        let other = |scheme| redis.url().replacen("redis:", scheme, 1);
        let urls = [other("redis:") + "/99", other("redis+cluster:"), other("redis+sentinel:") + "/mymaster"];
        for url in urls {
            let connecting = RedisStore::options().time_limit(Duration::from_secs(600)).connect(&url);
            let outcome = super::within(Duration::from_secs(10), connecting).await;
            let is_refused = matches!(&outcome, Err(ConnectError::Store(error)) if error.kind() == Refused);
            assert!(is_refused, "{} {url}: {outcome:?}", version.name);
            assert!(format!("{outcome:?}").contains(": the server "), "{} {url}: {outcome:?}", version.name);
        }
    }
}

#[tokio::test]
async fn a_unix_socket_works() {
    let socket = std::env::temp_dir().join(format!("http-session-redis-{}.sock", std::process::id()));
    let path = socket.to_str().unwrap();
    let Some(_redis) = Redis::options().setting("unixsocket", path).start("a unix socket") else { return };
    let store = RedisStore::connect(&format!("redis+unix://{path}")).await.unwrap();
    assert!(store.load(&stored(&store).await).await.unwrap().is_some());
    assert_eq!(store.load(&new_id()).await.unwrap(), None);
    let _ = std::fs::remove_file(socket);
}

fn rights() -> impl Iterator<Item = &'static str> {
    let readme = include_str!("../../README.md");
    let rights = readme.split("```text\n").nth(1).and_then(|block| block.split("```").next()).unwrap();
    rights.split_whitespace()
}

/// The record is not at fault, so it is left as it is.
#[tokio::test]
async fn r16_a_record_without_the_right_to_read_it_is_not_corrupt() {
    for version in servers::redis_versions("a user with too few rights") {
        let redis = Redis::options().version(&version).start("a user with too few rights").unwrap();
        let store = RedisStore::connect(&redis.url()).await.unwrap();
        let (id, absent) = (stored(&store).await, new_id());
        let record = store.load(&id).await.unwrap().unwrap();
        let dump = || redis.command(&["DUMP", &format!("session:s:{}", id.as_str())]);
        let before = dump();
        for missing in ["-hmget", "-hgetall"] {
            let user = ["ACL", "SETUSER", "app", "reset", "on", ">secret", "~session:*"].into_iter();
            let answer = redis.command(&user.chain(rights()).chain([missing]).collect::<Vec<_>>());
            assert_eq!(answer.text(), "OK", "{}", version.name);
            let few = RedisStore::connect(&redis.url().replace("//", "//app:secret@")).await.unwrap();
            let mut clearing = one_more(&record);
            clearing.clear = Clear::Identity;
            let case = format!("{missing} in {}", version.name);
            if missing == "-hmget" {
                assert_eq!(kind(few.touch(&id, record.epoch, LONG).await), Some(Refused), "{case}");
                assert_eq!(kind(few.update(&id, &one_more(&record), LONG).await), Some(Refused), "{case}");
                for (id, epoch) in [(&id, None), (&id, Some(record.epoch)), (&absent, None)] {
                    assert_eq!(kind(few.destroy(id, epoch).await), Some(Refused), "{case}");
                }
            } else {
                assert_eq!(kind(few.load(&id).await), Some(Refused), "{case}");
                assert_eq!(kind(few.update(&id, &clearing, LONG).await), Some(Refused), "{case}");
            }
            assert_eq!(dump(), before, "{case}");
            assert_eq!(store.load(&absent).await.unwrap(), None, "{case}");
        }
    }
}

/// The rights that the README lists, on every version.
#[tokio::test]
async fn the_rights_in_the_readme_are_enough() {
    for version in servers::redis_versions("a user with few rights") {
        let redis = Redis::options().version(&version).start("a user with few rights").unwrap();
        let user = ["ACL", "SETUSER", "app", "on", ">secret", "~session:*"].into_iter();
        let answer = redis.command(&user.chain(rights()).collect::<Vec<_>>());
        assert_eq!(answer.text(), "OK", "{}", version.name);
        let store = RedisStore::connect(&redis.url().replace("//", "//app:secret@")).await.unwrap();

        let id = stored(&store).await;
        let record = store.load(&id).await.unwrap().unwrap();
        for clear in [Clear::Nothing, Clear::Identity] {
            let mut patch = one_more(&record);
            patch.clear = clear;
            assert_eq!(store.update(&id, &patch, LONG).await.unwrap(), Updated::Applied { renewed: true });
        }
        assert!(matches!(store.update(&id, &one_more(&record), LONG).await.unwrap(), Updated::Conflict(_)));
        let _ = store.touch(&id, record.epoch, LONG).await.unwrap();
        let ada = RawJson::new(b"42");
        store.raise_generation(&ada, Generation(7)).await.unwrap();
        // An entry that has expired is removed.
        redis.command(&["HSET", "session:{user:42}:sessions", "over", "1 2"]);
        assert_eq!(store.link(&ada, &id, DAY).await.unwrap(), Generation(7));
        assert_eq!(store.linked(&ada, None, 10).await.unwrap(), std::slice::from_ref(&id));
        store.unlink(&ada, &id).await.unwrap();
        assert_eq!(store.len().await.unwrap(), 1);
        store.clear().await.unwrap();
        assert!(store.ids(None, 10).await.unwrap().ids.is_empty());
    }
}
