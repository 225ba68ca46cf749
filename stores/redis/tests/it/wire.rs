//! Round trips and connections, and the layout of the keys.

use std::time::Duration;

use http_session::SessionStore as _;
use http_session::record::{IdentityChange, Keep, RawJson, VerifierChange, VerifierHash};
use http_session::store::{Destroyed, IndexSessions as _, Inserted, Touched, Updated};
use http_session_redis::RedisStore;
use tokio::task::JoinSet;

use super::{DAY, LONG, increment, new_id, new_record, one_more, stored, write};
use http_session_test_kit::servers::{self, Counts, Proxy, Redis};

struct Watched {
    proxy: Proxy,
    before: Counts,
}

impl Watched {
    /// The round trips since the last call of this method.
    fn trips(&mut self) -> u64 {
        let counts = self.proxy.counts();
        let trips = (counts - self.before).round_trips;
        self.before = counts;
        trips
    }
}

#[tokio::test]
async fn a_load_is_one_round_trip_and_a_commit_another() {
    let Some(redis) = servers::redis("round trips") else { return };
    let proxy = Proxy::to(redis.address()).await;
    let options = RedisStore::options().connections(1);
    let store = options.connect(&redis.url_through(proxy.address())).await.unwrap();
    let mut watched = Watched { before: proxy.counts(), proxy };

    let id = new_id();
    assert_eq!(store.insert(&id, &new_record(), LONG).await.unwrap(), Inserted::Inserted);
    assert_eq!(watched.trips(), 1, "an insert");
    let loaded = store.load(&id).await.unwrap().unwrap();
    assert_eq!(watched.trips(), 1, "a load");
    assert_eq!(store.update(&id, &one_more(&loaded), LONG).await.unwrap(), Updated::Applied { renewed: true });
    assert_eq!(watched.trips(), 1, "an update");
    assert!(matches!(store.update(&id, &one_more(&loaded), LONG).await.unwrap(), Updated::Conflict(_)));
    assert_eq!(watched.trips(), 1, "an update that finds a conflict");
    assert_eq!(store.touch(&id, loaded.epoch, LONG).await.unwrap(), Touched::Applied);
    assert_eq!(watched.trips(), 1, "a touch");
    let ada = RawJson::new(id.as_bytes());
    let before = store.link(&ada, &id, DAY).await.unwrap();
    assert_eq!(watched.trips(), 1, "a link");
    assert_eq!(store.generation(&ada).await.unwrap(), before);
    assert_eq!(watched.trips(), 1, "a generation");
    assert_eq!(store.linked(&ada, None, 10).await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(watched.trips(), 1, "a page of an identity");
    assert_eq!(store.destroy(&id, Some(loaded.epoch)).await.unwrap(), Destroyed::Destroyed);
    assert_eq!(watched.trips(), 1, "a destroy");
    assert!(store.load(&id).await.unwrap().unwrap().is_tombstone());
    assert_eq!(watched.trips(), 1, "a load of a tombstone");
}

#[tokio::test]
async fn a_crowd_shares_a_few_connections() {
    let Some(redis) = servers::redis("bounded connections") else { return };
    let proxy = Proxy::to(redis.address()).await;
    let store = RedisStore::options().connections(3).connect(&redis.url_through(proxy.address())).await.unwrap();
    let id = stored(&store).await;
    let mut crowd = JoinSet::new();
    for _ in 0..200 {
        let (store, id) = (store.clone(), id.clone());
        crowd.spawn(async move { store.load(&id).await });
    }
    while let Some(answer) = crowd.join_next().await {
        assert!(answer.unwrap().unwrap().is_some());
    }
    let connections = proxy.counts().connections;
    assert!((1..=3).contains(&connections), "{connections}");
}

#[tokio::test]
async fn scripts_that_the_server_has_lost_are_loaded_again() {
    let Some(redis) = Redis::start("SCRIPT FLUSH") else { return };
    let proxy = Proxy::to(redis.address()).await;
    let options = RedisStore::options().connections(1);
    let store = options.connect(&format!("redis://{}", proxy.address())).await.unwrap();
    let id = stored(&store).await;
    let mut watched = Watched { before: proxy.counts(), proxy };
    redis.command(&["SCRIPT", "FLUSH"]);
    assert_eq!(increment(&store, &id).await.unwrap(), Updated::Applied { renewed: true });
    assert_eq!(watched.trips(), 3, "a load, a missing script, and the call with the script");
    assert_eq!(increment(&store, &id).await.unwrap(), Updated::Applied { renewed: true });
    assert_eq!(watched.trips(), 2);
    assert_eq!(super::hits(&store.load(&id).await.unwrap().unwrap()), 2);
}

/// The layout is as the README documents it for people who inspect the database.
#[tokio::test]
async fn records_are_as_they_are_documented() {
    let Some(redis) = Redis::start("the layout of records") else { return };
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    let id = new_id();
    let fields =
        [("views", Keep::No, b"3".as_slice()), ("cart", Keep::SignIn, b"[]"), ("theme", Keep::Always, b"\"d\"")];
    let record = new_record().with_fields(fields.into_iter().collect()).with_cookie(RawJson::new(b"{}"));
    let _ = store.insert(&id, &record, LONG).await.unwrap();
    let key = format!("session:s:{}", id.as_str());
    let get = |name: &str| redis.command(&["HGET", &key, name]).text();
    let loaded = store.load(&id).await.unwrap().unwrap();
    let mut sign_in = write(&loaded, &super::NOTE, b"\"hi\"");
    sign_in.identity = IdentityChange::Set(RawJson::new(b"42"));
    sign_in.verifier = VerifierChange::Rotate(VerifierHash([b'x'; 32]));
    let _ = store.update(&id, &sign_in, LONG).await.unwrap();
    let stored = ["e", "g", "v", "u", "k", "f:views", "f:cart", "f:theme", "f:note"].map(get);
    assert_eq!(stored, ["1", "1", &"x".repeat(32), "42", "{}", "=3", "+[]", "*\"d\"", "=\"hi\""]);
    let moments = ["c", "a", "r", "t"].map(get);
    assert!(moments.iter().all(|moment| moment.len() == 13 && moment <= &moments[1]), "{moments:?}");
    let (end, touched): (i64, i64) = (get("x").parse().unwrap(), moments[3].parse().unwrap());
    assert_eq!(Duration::from_millis(end.abs_diff(touched)), DAY);
    let left: u64 = redis.command(&["PTTL", &key]).text().parse().unwrap();
    assert!(Duration::from_millis(left) <= DAY && Duration::from_millis(left) > DAY / 2);

    let _ = store.link(&RawJson::new(b"{\"id\":42}"), &id, DAY).await.unwrap();
    let of_ada = "session:{user:{\"id\":42}}:sessions";
    assert_eq!(redis.command(&["HKEYS", of_ada]).text(), id.as_str());
    let noted = redis.command(&["HGET", of_ada, id.as_str()]).text();
    let (at, until) = noted.split_once(' ').unwrap();
    let lasts = Duration::from_millis(until.parse::<u64>().unwrap() - at.parse::<u64>().unwrap());
    // The link lasts a minute longer than asked, because the record is written a moment later.
    assert_eq!(lasts, DAY + Duration::from_secs(60));
    let left: u64 = redis.command(&["PTTL", of_ada]).text().parse().unwrap();
    assert!(Duration::from_millis(left) <= lasts && Duration::from_millis(left) > DAY);

    // Deleting the key by hand destroys the session.
    redis.command(&["DEL", &key]);
    assert_eq!(store.load(&id).await.unwrap(), None);
}
