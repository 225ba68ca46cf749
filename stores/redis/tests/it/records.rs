//! R16: records that cannot be read are not overwritten.

use http_session::error::StoreErrorKind::Corrupt;
use http_session::record::{Clear, Epoch, Keep, RawJson, VerifierChange, VerifierHash};
use http_session::store::{Destroyed, EnumerateSessions as _, IndexSessions as _, Inserted};
use http_session::{SessionId, SessionStore as _};
use http_session_redis::RedisStore;

use super::{DAY, LONG, kind, new_id, new_record, one_more};
use http_session_test_kit::servers::{Redis, Reply};
use http_session_test_kit::times;

struct Bench {
    redis: Redis,
    store: RedisStore,
}

impl Bench {
    async fn start() -> Option<Self> {
        let redis = Redis::start("records that cannot be read")?;
        let store = RedisStore::connect(&redis.url()).await.unwrap();
        Some(Self { redis, store })
    }

    fn key(id: &SessionId) -> String {
        format!("session:s:{}", id.as_str())
    }

    fn dump(&self, id: &SessionId) -> Reply {
        self.redis.command(&["DUMP", &Self::key(id)])
    }

    /// The record cannot be read, nothing overwrites it, and it can be destroyed.
    async fn is_unreadable(&self, id: &SessionId, what: &str) {
        let before = self.dump(id);
        assert_ne!(before, Reply::Nil, "{what}");
        assert_eq!(kind(self.store.load(id).await), Some(Corrupt), "load: {what}");
        assert_eq!(kind(self.store.update(id, &one_more(&new_record()), LONG).await), Some(Corrupt), "update: {what}");
        assert_eq!(kind(self.store.touch(id, new_record().epoch, LONG).await), Some(Corrupt), "touch: {what}");
        assert_eq!(kind(self.store.destroy(id, Some(new_record().epoch)).await), Some(Corrupt), "destroy: {what}");
        assert_eq!(self.store.insert(id, &new_record(), LONG).await.unwrap(), Inserted::Taken, "insert: {what}");
        assert_eq!(self.dump(id), before, "overwritten: {what}");

        assert_eq!(self.store.destroy(id, None).await.unwrap(), Destroyed::Destroyed, "destroy: {what}");
        assert!(self.store.load(id).await.unwrap().is_some_and(|record| record.is_tombstone()), "{what}");
    }
}

#[tokio::test]
async fn r16_another_type_or_another_format_is_not_overwritten() {
    let Some(bench) = Bench::start().await else { return };
    let foreign: [&[&str]; 8] = [
        &["SET", "", "{\"cookie\":{\"path\":\"/\"},\"n\":1}"],
        &["SET", "", ""],
        &["LPUSH", "", "a"],
        &["SADD", "", "a"],
        &["ZADD", "", "1", "a"],
        &["XADD", "", "*", "a", "b"],
        &["HSET", "", "data", "{}"],
        &["PFADD", "", "a"],
    ];
    for command in foreign {
        let id = new_id();
        let key = Bench::key(&id);
        let words: Vec<&str> = command.iter().map(|word| if word.is_empty() { key.as_str() } else { word }).collect();
        bench.redis.command(&words);
        bench.is_unreadable(&id, command[0]).await;
    }
}

#[tokio::test]
async fn r16_a_record_that_was_edited_by_hand_is_not_overwritten() {
    let Some(bench) = Bench::start().await else { return };
    let long = "9".repeat(40);
    let mut edits: Vec<Vec<&str>> = Vec::new();
    for name in ["e", "g", "n", "v", "c", "a", "r", "t", "x"] {
        edits.push(vec!["HDEL", name]);
        for value in ["x", "-1", "1.5", "1e3", " 1", "nan", "\u{1}", &long] {
            edits.push(vec!["HSET", name, value]);
        }
    }
    edits.extend([vec!["HSET", "e", ""], vec!["HSET", "x", ""], vec!["HSET", "p", "short"], vec!["HSET", "p", ""]]);
    for edit in &edits {
        let id = super::stored(&bench.store).await;
        let key = Bench::key(&id);
        let words: Vec<&str> = [edit[0], &key].into_iter().chain(edit[1..].iter().copied()).collect();
        bench.redis.command(&words);
        bench.is_unreadable(&id, &format!("{edit:?}")).await;
    }
}

/// A number has one spelling, and a bound.
#[tokio::test]
async fn r16_client_and_scripts_accept_the_same_numbers() {
    let Some(bench) = Bench::start().await else { return };
    let names = ["e", "g", "n", "c", "a", "r", "t", "x"];
    for name in names {
        for value in ["+5", "007", "00", "18446744073709551616", "99999999999999999999"] {
            let id = super::stored(&bench.store).await;
            bench.redis.command(&["HSET", &Bench::key(&id), name, value]);
            bench.is_unreadable(&id, &format!("{name} {value}")).await;
        }
    }
    for name in &names[2..] {
        let id = super::stored(&bench.store).await;
        bench.redis.command(&["HSET", &Bench::key(&id), name, "1000000000000000"]);
        bench.is_unreadable(&id, name).await;
    }
    for name in &names[..2] {
        let id = super::stored(&bench.store).await;
        bench.redis.command(&["HSET", &Bench::key(&id), name, "18446744073709551615"]);
        let loaded = bench.store.load(&id).await.unwrap().unwrap();
        assert!([loaded.epoch, loaded.identity_epoch].contains(&Epoch(u64::MAX)));
        assert_eq!(bench.store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
        assert!(bench.store.load(&id).await.unwrap().unwrap().is_tombstone(), "{name}");
    }
}

/// A field is only checked by a patch that writes it or clears fields. Other patches leave it alone.
#[tokio::test]
async fn r16_a_field_that_cannot_be_read_is_not_overwritten() {
    let Some(bench) = Bench::start().await else { return };
    for value in ["", "3", "?3"] {
        let id = super::stored(&bench.store).await;
        bench.redis.command(&["HSET", &Bench::key(&id), "f:hits", value]);
        let before = bench.dump(&id);
        assert_eq!(kind(bench.store.load(&id).await), Some(Corrupt));
        let mut clearing = super::write(&new_record(), &super::NOTE, b"1");
        clearing.clear = Clear::SignIn;
        for patch in [one_more(&new_record()), clearing] {
            assert_eq!(kind(bench.store.update(&id, &patch, LONG).await), Some(Corrupt));
            assert_eq!(bench.dump(&id), before);
        }
        let other = super::write(&new_record(), &super::NOTE, b"1");
        let _ = bench.store.update(&id, &other, LONG).await.unwrap();
        assert_eq!(bench.redis.command(&["HGET", &Bench::key(&id), "f:hits"]).text(), value);
    }
    // A field that this version does not know is kept, and does not make the record unreadable.
    let id = super::stored(&bench.store).await;
    bench.redis.command(&["HSET", &Bench::key(&id), "later", "yes"]);
    let _ = super::increment(&bench.store, &id).await.unwrap();
    assert_eq!(bench.redis.command(&["HGET", &Bench::key(&id), "later"]).text(), "yes");
}

/// With random bytes in any field, a call succeeds or answers `Corrupt`, and never panics.
#[tokio::test]
async fn r16_random_bytes_do_no_harm() {
    let Some(bench) = Bench::start().await else { return };
    let mut seed = 1_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let names = ["e", "g", "v", "p", "u", "k", "c", "a", "r", "t", "x", "f:hits", "f:", "f:\u{0}", "", "zz"];
    for _ in 0..times(500) {
        let id = super::stored(&bench.store).await;
        let key = Bench::key(&id);
        for _ in 0..=random(2) {
            let value: String = (0..random(40)).map(|_| char::from(u8::try_from(random(128)).unwrap())).collect();
            bench.redis.command(&["HSET", &key, names[usize::try_from(random(16)).unwrap()], &value]);
        }
        let before = bench.dump(&id);
        let loaded = bench.store.load(&id).await;
        assert!(matches!(kind(loaded), None | Some(Corrupt)));
        let updated = bench.store.update(&id, &one_more(&new_record()), LONG).await;
        if let Err(error) = updated {
            assert_eq!(error.kind(), Corrupt);
            assert_eq!(bench.dump(&id), before);
        }
        assert!(bench.store.destroy(&id, None).await.is_ok());
    }
}

#[tokio::test]
async fn r16_an_index_of_another_type_is_not_overwritten() {
    // The versions word an error inside a script differently.
    for version in http_session_test_kit::servers::redis_versions("an index of another type") {
        let redis = Redis::options().version(&version).start("an index of another type").unwrap();
        let store = RedisStore::connect(&redis.url()).await.unwrap();
        let (ada, id) = (RawJson::new(b"42"), new_id());
        for of in ["sessions", "generation"] {
            redis.command(&["FLUSHALL"]);
            let key = format!("session:{{user:42}}:{of}");
            redis.command(&["LPUSH", &key, "a"]);
            let linked = store.link(&ada, &id, DAY).await;
            assert_eq!(kind(linked), Some(Corrupt), "{of} in {}", version.name);
            assert_eq!(redis.command(&["LRANGE", &key, "0", "-1"]).text(), "a", "{of} in {}", version.name);
        }
        redis.command(&["FLUSHALL"]);
        redis.command(&["LPUSH", "session:{user:42}:sessions", "a"]);
        assert_eq!(kind(store.linked(&ada, None, 9).await), Some(Corrupt), "{}", version.name);
        assert_eq!(kind(store.unlink(&ada, &id).await), Some(Corrupt), "{}", version.name);
        redis.command(&["FLUSHALL"]);
        redis.command(&["SET", "session:{user:42}:generation", "many"]);
        assert_eq!(kind(store.generation(&ada).await), Some(Corrupt), "{}", version.name);
    }
}

/// In a database with other keys, only sessions are listed and destroyed.
#[tokio::test]
async fn other_keys_are_left_alone() {
    let Some(bench) = Bench::start().await else { return };
    let id = super::stored(&bench.store).await;
    for key in ["session:x", "session:s:text", "sessions:s:other", "other"] {
        bench.redis.command(&["SET", key, "1"]);
    }
    bench.redis.command(&["HSET", "session:s:hash", "n", "1"]);
    assert_eq!(bench.store.ids(None, 100).await.unwrap().ids, [id]);
    assert_eq!(bench.store.len().await.unwrap(), 1);
    bench.store.clear().await.unwrap();
    assert_eq!(bench.store.len().await.unwrap(), 0);
    assert_eq!(bench.redis.command(&["DBSIZE"]).text(), "6", "one of the six is a tombstone");
}

/// Names, values and ids may be any bytes, and there may be more fields than fit on a script's stack.
#[tokio::test]
async fn large_records_and_unusual_bytes_are_loaded_unchanged() {
    let Some(bench) = Bench::start().await else { return };
    let names: Vec<String> = (0..9000).map(|number| format!("field {number} \0 é }}{{")).collect();
    let value = [0, 255, b'\n', b'=', 13];
    let fields = names.iter().map(|name| (name.as_str(), Keep::SignIn, value.as_slice()));
    let record = new_record().with_fields(fields.collect()).with_identity(RawJson::new(&[255, 0, b'}']));
    let id = SessionId::try_from("a\0b}{\u{e9} c").unwrap();
    assert_eq!(bench.store.insert(&id, &record, LONG).await.unwrap(), Inserted::Inserted);
    let loaded = bench.store.load(&id).await.unwrap().unwrap();
    assert!(loaded.fields == record.fields && loaded.identity == record.identity);
    let mut patch = one_more(&loaded);
    patch.clear = Clear::Identity;
    let _ = bench.store.update(&id, &patch, LONG).await.unwrap();
    let loaded = bench.store.load(&id).await.unwrap().unwrap();
    assert_eq!(loaded.fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["hits"]);
    assert_eq!(bench.store.ids(None, 10).await.unwrap().ids, [id]);
}

/// Epochs go beyond the numbers that are exact in Lua.
#[tokio::test]
async fn r4_epochs_have_64_bits() {
    let Some(bench) = Bench::start().await else { return };
    for (epoch, next) in
        [(0, 1), (9, 10), (199, 200), (1 << 53, (1 << 53) + 1), (u64::MAX - 1, u64::MAX), (u64::MAX, 0)]
    {
        let id = new_id();
        let mut record = new_record();
        (record.epoch, record.identity_epoch) = (Epoch(epoch), Epoch(epoch));
        let _ = bench.store.insert(&id, &record, LONG).await.unwrap();
        let mut patch = one_more(&bench.store.load(&id).await.unwrap().unwrap());
        patch.verifier = VerifierChange::Rotate(VerifierHash([9; 32]));
        let _ = bench.store.update(&id, &patch, LONG).await.unwrap();
        assert_eq!(bench.store.load(&id).await.unwrap().unwrap().epoch, Epoch(next));
        let after = Epoch(next).next();
        assert_eq!(bench.store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
        assert_eq!(bench.store.load(&id).await.unwrap().unwrap().epoch, after);
    }
}
