//! What the calls do on the wire and in the table.

use std::time::Duration;

use http_session::record::{Clear, Fields, IdentityChange, Keep, RawJson, Record, VerifierChange, VerifierHash};
use http_session::store::{Destroyed, EnumerateSessions as _, IndexSessions as _, Inserted, Sweep, Touched, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_postgres::PostgresStore;

use super::{APPLIED, LIFETIME, Table, id, inserted, noting, record, with};
use http_session_test_kit::servers::{self, Postgres, Proxy};
use http_session_test_kit::{Events, Numbers};

#[tokio::test]
async fn a_load_and_a_commit_are_one_round_trip_each() {
    let Some(server) = servers::postgres("round trips of PostgreSQL") else { return };
    let proxy = Proxy::to(server.address()).await;
    let url = server.url_through(proxy.address());
    let table = Table::new(&server);
    for options in [table.options(), table.options().prepared()] {
        let store = options.connections(1).connect(&url).await.unwrap();
        let patches = |record: &Record| {
            let plain = noting(record, b"1");
            let sign_in = with(noting(record, b"2"), |patch| {
                patch.identity = IdentityChange::Set(RawJson::new(b"7"));
                patch.verifier = VerifierChange::Rotate(VerifierHash([8; 32]));
            });
            [plain, sign_in]
        };
        for warm in [false, true] {
            let (id, record) = (id(), record(b"0"));
            let before = proxy.counts();
            inserted(&store, &id, &record).await;
            let loaded = store.load(&id).await.unwrap().unwrap();
            for patch in patches(&loaded) {
                assert_eq!(store.update(&id, &patch, LIFETIME).await.unwrap(), APPLIED);
            }
            let conflict = with(super::counting(&loaded, 1), |patch| patch.epoch = loaded.epoch.next());
            assert!(matches!(store.update(&id, &conflict, LIFETIME).await.unwrap(), Updated::Conflict(_)));
            let touched = store.touch(&id, loaded.epoch.next(), LIFETIME).await.unwrap();
            assert_eq!(touched, Touched::Applied);
            assert_eq!(store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
            if warm {
                let counts = proxy.counts() - before;
                assert_eq!((counts.round_trips, counts.connections), (7, 0));
            }
        }
    }
}

#[tokio::test]
async fn no_call_scans_the_table() {
    let Some(server) = servers::postgres("plans of PostgreSQL") else { return };
    let table = Table::new(&server);
    let name = &table.0;
    // Created by hand, so that only the statements after this are counted.
    table.sql(&format!(
        "{} insert into {name} select 'old ' || n, 0, 0, decode(repeat('07', 32), 'hex'), null, (n % 5000)::text, null, \
         '{{}}', '{{}}', now(), now(), now(), now(), now() + case when n < 3000 then -1 else 1 end * interval '1 day' \
         from generate_series(1, 30000) n; analyze {name}",
        table.options().schema().unwrap()
    ));
    let counts = format!("select n_tup_ins from pg_stat_user_tables where relname = '{name}'");
    servers::wait_until("the server has counted", || table.sql(&counts) == "30000");
    table.sql(&format!("select pg_stat_reset_single_table_counters('{name}'::regclass)"));
    let store = table.open().await;
    let id = id();
    inserted(&store, &id, &record(b"0").with_identity(RawJson::new(b"4711"))).await;
    let loaded = store.load(&id).await.unwrap().unwrap();
    for patch in [noting(&loaded, b"1"), with(noting(&loaded, b"2"), |patch| patch.clear = Clear::Identity)] {
        assert_eq!(store.update(&id, &patch, LIFETIME).await.unwrap(), APPLIED);
    }
    assert_eq!(store.touch(&id, loaded.epoch, LIFETIME).await.unwrap(), Touched::Applied);
    assert_eq!(store.linked(&RawJson::new(b"4711"), None, 100).await.unwrap().len(), 7);
    assert_eq!(store.linked(&RawJson::new(b"4711"), Some(&id), 100).await.unwrap().len(), 6);
    assert_eq!(store.ids(None, 100).await.unwrap().ids.len(), 100);
    assert_eq!(store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
    assert_eq!(store.sweep().await.unwrap(), 2999);
    drop(store);
    // A connection reports its statistics when it ends.
    let removed = format!("select n_tup_del from pg_stat_user_tables where relname = '{name}'");
    servers::wait_until("the server has counted", || table.sql(&removed) == "2999");
    assert_eq!(table.sql(&format!("select seq_scan from pg_stat_user_tables where relname = '{name}'")), "0");
}

#[tokio::test]
async fn r8_an_expired_row_makes_room_and_a_tombstone_only_after_its_minute() {
    let Some(server) = servers::postgres("tombstones in PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.open().await;
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    assert_eq!(store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
    let left =
        "select round(extract(epoch from expires - now())), verifier is null, identity is null, fields, keep from";
    let left = table.sql(&format!("{left} {}", table.0));
    assert!(["60|t|t|{}|{}", "59|t|t|{}|{}"].contains(&&*left), "{left}");
    assert_eq!(store.insert(&id, &record(b"1"), LIFETIME).await.unwrap(), Inserted::Taken);
    assert_eq!(store.sweep().await.unwrap(), 0);
    table.sql(&format!("update {} set expires = now()", table.0));
    inserted(&store, &id, &record(b"2")).await;
    assert_eq!(store.load(&id).await.unwrap().unwrap().fields, record(b"2").fields);
}

#[tokio::test]
async fn sweeps_remove_expired_rows_and_wait_for_no_lock() {
    let Some(server) = servers::postgres("sweeps of PostgreSQL") else { return };
    let table = Table::new(&server);
    let (store, other) = (table.options().sweep(Sweep::NEVER.batch(7)), table.open().await);
    let store = store.connect(server.url()).await.unwrap();
    for _ in 0..50 {
        inserted(&store, &id(), &record(b"0")).await;
    }
    let kept = id();
    inserted(&store, &kept, &record(b"0")).await;
    table.sql(&format!("update {} set expires = now() - interval '1 second' where id <> '{}'", table.0, kept.as_str()));
    store.raise_generation(&RawJson::new(b"7"), http_session::store::Generation(1)).await.unwrap();
    table.sql(&format!("update {}_generations set expires = now()", table.0));

    // A locked row is left for the next sweep.
    let mut client = table.client().await;
    let transaction = client.transaction().await.unwrap();
    let used: String = {
        let query = format!("select id from {} where expires < now() limit 1 for update", table.0);
        transaction.query_one(&query, &[]).await.unwrap().get(0)
    };
    let (one, two) = tokio::join!(store.sweep(), other.sweep());
    assert_eq!(one.unwrap() + two.unwrap(), 49);
    assert_eq!(table.sql(&format!("select id from {} where expires < now()", table.0)), used);
    transaction.rollback().await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), 1);
    assert_eq!(table.sql(&format!("select count(*) from {}_generations", table.0)), "0");
    assert_eq!(store.ids(None, 10).await.unwrap().ids, [kept]);
}

#[tokio::test]
async fn a_store_sweeps_by_itself() {
    let Some(server) = servers::postgres("the own sweep of PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.options().sweep(Sweep::every(Duration::from_secs(1))).connect(server.url()).await.unwrap();
    inserted(&store, &id(), &record(b"0")).await;
    table.sql(&format!("update {} set expires = now()", table.0));
    let count = format!("select count(*) from {}", table.0);
    while table.sql(&count) != "0" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_failed_sweep_is_reported_and_counted() {
    let events = Events::capture();
    let numbers = Numbers::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failed = numbers.of(|| {
        runtime.block_on(async {
            let server = servers::postgres("failing sweeps of PostgreSQL")?;
            let table = Table::new(&server);
            let options = table.options().sweep(Sweep::every(Duration::from_secs(1)));
            let _store = options.connect(server.url()).await.unwrap();
            table.sql(&format!("alter table {0} rename column expires to ended", table.0));
            loop {
                let said = events.take().into_iter().find(|line| line.starts_with("session.store.sweep_failed "));
                if said.is_some() {
                    return said;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    });
    let Some(said) = failed else { return };
    assert!(said.contains(" WARN ") && said.contains("error=the session store refused the call"), "{said}");
    // R26: the server's message names columns.
    assert!(!said.contains("expires\""), "{said}");
    assert!(numbers.count("session_events_total", ("event", "session.store.sweep_failed")) > 0);
}

#[tokio::test]
async fn r14_an_update_that_exceeds_the_limit_together_with_another_is_a_conflict() {
    let Some(server) = servers::postgres("the limit of PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.open().await;
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let loaded = store.load(&id).await.unwrap().unwrap();
    let patch = noting(&loaded, &[0xff; 300]);
    let limit = patch.result.as_bytes().len();
    // Exactly as large as the limit, in bytes that take two letters each.
    let patch = with(patch, |patch| patch.limit = limit);
    assert_eq!(store.update(&id, &patch, LIFETIME).await.unwrap(), APPLIED);
    static OTHER: http_session::record::Field = http_session::record::Field::new("other");
    let mut theirs = http_session::record::Patch::unchanged(&loaded);
    theirs.write(&OTHER);
    theirs.result = Fields::from_iter([("other", Keep::No, [b'x'; 20].as_slice())]);
    assert_eq!(store.update(&id, &theirs, LIFETIME).await.unwrap(), APPLIED);
    let Updated::Conflict(now) = store.update(&id, &patch, LIFETIME).await.unwrap() else { panic!("over the limit") };
    assert!(patch.rebase(&now.fields).is_ok(), "it was as large before");
    let more = with(noting(&loaded, &[0xff; 301]), |patch| patch.limit = limit);
    let Updated::Conflict(now) = store.update(&id, &more, LIFETIME).await.unwrap() else { panic!("over the limit") };
    assert!(more.rebase(&now.fields).is_err());
    // With a larger limit, the same patch is written.
    let roomy = with(patch, |patch| patch.limit = limit + 100);
    assert_eq!(store.update(&id, &roomy, LIFETIME).await.unwrap(), APPLIED);
}

#[tokio::test]
async fn r28_an_identity_of_any_length_is_found() {
    let Some(server) = servers::postgres("long identities in PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.open().await;
    let long = |last: u8| {
        // Incompressible, and different only at the end.
        let mut bytes: Vec<u8> = (0..60_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        bytes.push(last);
        RawJson::new(&bytes)
    };
    let longest_id = SessionId::try_from("\0".repeat(1024).as_str()).unwrap();
    for (identity, id) in [(long(1), longest_id), (long(2), id())] {
        inserted(&store, &id, &record(b"0").with_identity(identity.clone())).await;
        assert_eq!(store.linked(&identity, None, 10).await.unwrap(), [id]);
        store.raise_generation(&identity, http_session::store::Generation(u64::MAX)).await.unwrap();
        assert_eq!(store.generation(&identity).await.unwrap(), http_session::store::Generation(u64::MAX));
    }
    store.clear().await.unwrap();
    assert_eq!(store.len().await.unwrap(), 0);
}

/// More rows of another program than a page has, between rows of ours.
#[tokio::test]
async fn r28_rows_with_unreadable_ids_hide_no_other_row() {
    let Some(server) = servers::postgres("an index with bad ids in PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.open().await;
    let ada = RawJson::new(b"7");
    let record = record(b"0").with_identity(ada.clone());
    let mut ours: Vec<SessionId> = Vec::new();
    for letter in ["0", "A", "z"] {
        ours.push(SessionId::try_from(letter.repeat(22).as_str()).unwrap());
    }
    inserted(&store, &ours[0], &record).await;
    let columns = "epoch, identity_epoch, verifier, previous, identity, cookie, fields, keep, created, identity_changed, \
                   verifier_changed, touched, expires";
    let name = &table.0;
    table.sql(&format!("insert into {name} select '\\y' || n, {columns} from {name}, generate_series(1, 250) n"));
    for id in &ours[1..] {
        inserted(&store, id, &record).await;
    }
    assert_eq!(store.linked(&ada, None, 100).await.unwrap(), ours);
    assert_eq!(store.linked(&ada, None, 1).await.unwrap(), ours[..1]);
    assert_eq!(store.linked(&ada, Some(&ours[0]), 1).await.unwrap(), ours[1..2]);
    assert_eq!(store.linked(&ada, Some(&ours[1]), 2).await.unwrap(), ours[2..]);
    assert_eq!(store.linked(&ada, Some(&ours[2]), 1).await.unwrap(), []);
    assert_eq!(store.linked(&ada, None, 0).await.unwrap(), []);
}

#[tokio::test]
async fn r16_unreadable_rows_are_corrupt_and_left_alone() {
    let Some(server) = servers::postgres("bad rows in PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.open().await;
    for damage in [
        "verifier = '\\x07'",
        "verifier = decode(repeat('07', 33), 'hex')",
        "verifier = decode(repeat('07', 1000000), 'hex')",
        "previous = '\\x'",
        "identity = '\\x0'",
        "cookie = '\\nothing'",
        "fields = '[]'",
        "fields = 'null'",
        "fields = '7'",
        "fields = '{\"note\": 1}'",
        "fields = '{\"note\": {\"a\": null}}'",
        "fields = '{\"\\\\x0\": \"1\"}'",
        "fields = jsonb_build_object('note', '\\x' || repeat('0', 1000001))",
        "keep = '[\"note\"]'",
        "keep = '{\"note\": \"for ever\"}'",
        "keep = '{\"note\": true}'",
        // From a program that keeps the whole session in one document.
        "fields = '{\"cookie\": {\"originalMaxAge\": 60000}, \"user\": 7}'",
    ] {
        let id = id();
        inserted(&store, &id, &record(b"0").with_identity(RawJson::new(b"8"))).await;
        let loaded = store.load(&id).await.unwrap().unwrap();
        table.sql(&format!("update {} set {damage} where id = '{}'", table.0, id.as_str()));
        let dump = || table.sql(&format!("select * from {} where id = '{}'", table.0, id.as_str()));
        let before = dump();
        let kind = |error: http_session::error::StoreError| error.kind();
        let corrupt = http_session::error::StoreErrorKind::Corrupt;
        assert_eq!(store.load(&id).await.map_err(kind), Err(corrupt), "{damage}");
        assert_eq!(store.insert(&id, &record(b"9"), LIFETIME).await.map_err(kind), Ok(Inserted::Taken), "{damage}");
        // A write does not check values that it does not merge with, nor marks. The README says so.
        let is_overlooked = ["identity", "cookie", "fields = '{", "fields = jsonb", "keep = '{"]
            .iter()
            .any(|start| damage.starts_with(start));
        if !is_overlooked {
            for patch in [super::counting(&loaded, 1), noting(&loaded, b"1")] {
                let update = store.update(&id, &patch, LIFETIME).await;
                assert_eq!(update.map_err(kind), Err(corrupt), "{damage}");
            }
            assert_eq!(dump(), before, "{damage}");
        }
        assert_eq!(
            store.linked(&RawJson::new(b"8"), None, 9).await.unwrap().len(),
            usize::from(!damage.starts_with("identity")),
            "{damage}"
        );
        assert_eq!(store.destroy(&id, None).await.map_err(kind), Ok(Destroyed::Destroyed), "{damage}");
    }
    // A text that is not an id is skipped.
    inserted(&store, &id(), &record(b"0")).await;
    table.sql(&format!("update {} set id = '\\y' where verifier is not null", table.0));
    let last = id();
    inserted(&store, &last, &record(b"0")).await;
    assert_eq!((store.len().await.unwrap(), store.ids(None, 10).await.unwrap().ids), (2, vec![last.clone()]));
    let mut ids = http_session::store::Ids::of(&store);
    assert_eq!((ids.next().await.unwrap(), ids.next().await.unwrap()), (Some(last), None));
}

/// Timestamps at the ends of the range, which an administrator may write.
#[tokio::test]
async fn r16_a_row_with_any_timestamp_is_read() {
    let Some(server) = servers::postgres("odd moments in PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.open().await;
    for (column, moment) in [
        ("expires", "infinity"),
        ("created", "-infinity"),
        ("touched", "294276-12-31"),
        ("identity_changed", "294276-12-31"),
        ("identity_changed", "infinity"),
        ("verifier_changed", "-4713-11-24 BC"),
    ] {
        let moment = moment.trim_start_matches("-4713");
        let moment = if moment.ends_with("BC") { "4713-11-24 BC" } else { moment };
        let id = id();
        inserted(&store, &id, &record(b"0")).await;
        table.sql(&format!("update {} set {column} = '{moment}' where id = '{}'", table.0, id.as_str()));
        let loaded = store.load(&id).await.unwrap().unwrap();
        assert_eq!(store.update(&id, &noting(&loaded, b"1"), LIFETIME).await.unwrap(), APPLIED, "{column}");
        assert_eq!(store.touch(&id, loaded.epoch, LIFETIME).await.unwrap(), Touched::Applied, "{column}");
        let now = store.load(&id).await.unwrap().unwrap();
        assert_eq!(now.fields.find("note"), Some(b"1".as_slice()), "{column}");
    }
}

#[test]
fn every_version_has_a_server() {
    assert!(servers::postgres_versions("versions of PostgreSQL").iter().all(|version| !version.name.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_rule_on_every_version() {
    for version in servers::postgres_versions("PostgreSQL of every version keeps every rule").iter().skip(1) {
        let Some(server) = Postgres::options().version(version).start("a version of PostgreSQL") else { return };
        super::keeps_every_rule(&server.url(), PostgresStore::options().sweep(Sweep::NEVER)).await;
    }
}
