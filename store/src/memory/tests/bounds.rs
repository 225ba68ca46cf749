use super::super::queued::{IDENTITY_OVERHEAD, RECORD_OVERHEAD};
use super::*;

fn small(sessions: usize) -> (MemoryStore, ManualClock) {
    let clock = ManualClock::new();
    (MemoryStore::new().clock(clock.clone()).max_sessions(sessions).anonymous_share(50), clock)
}

fn alive(store: &MemoryStore, numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let alive = |number: &usize| load(store, &id(*number)).is_some_and(|record| !record.is_tombstone());
    numbers.into_iter().filter(alive).collect()
}

#[test]
fn r14_anonymous_sessions_evict_the_anonymous_nearest_to_their_end() {
    let (store, _) = small(8);
    for (number, minutes) in [(1, 30), (2, 10), (3, 40), (4, 20)] {
        let _ = insert(&store, &id(number), &anonymous("1"), minutes * MINUTE);
    }
    let _ = insert(&store, &id(5), &anonymous("1"), 15 * MINUTE);
    assert_eq!(alive(&store, 1..=5), [1, 3, 4, 5]);
    assert_eq!(ask(store.touch(&id(5), Epoch(0), for_(HOUR))).unwrap(), Touched::Applied);
    let _ = insert(&store, &id(6), &anonymous("1"), 10 * MINUTE);
    assert_eq!(alive(&store, 1..=6), [1, 3, 5, 6]);
    assert_eq!(store.usage().evicted, 2);
    check(&store);
}

#[test]
fn r14_of_the_same_end_the_oldest_goes_first() {
    let (store, _) = small(6);
    for number in 0..6 {
        let _ = insert(&store, &id(number), &anonymous("1"), HOUR);
    }
    assert_eq!(alive(&store, 0..6), [3, 4, 5]);
}

#[test]
fn r14_an_anonymous_flood_never_touches_signed_in_sessions() {
    let (store, _) = small(10);
    for number in 0..8 {
        assert_eq!(insert(&store, &id(number), &signed_in("7"), MINUTE), Inserted::Inserted);
    }
    for number in 100..1000 {
        assert_eq!(insert(&store, &id(number), &anonymous("1"), HOUR), Inserted::Inserted);
        check(&store);
    }
    assert_eq!(alive(&store, 0..8), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(store.usage().anonymous, 2, "what is left of the whole, not its share");
    for number in 8..10 {
        assert_eq!(insert(&store, &id(number), &signed_in("7"), MINUTE), Inserted::Inserted);
    }
    assert_eq!(store.usage().anonymous, 0);
    assert!(is_full(ask(store.insert(&id(11), &signed_in("7"), for_(HOUR)))));
    assert!(is_full(ask(store.insert(&id(11), &anonymous("1"), for_(HOUR)))));
    assert_eq!(alive(&store, 0..12), (0..10).collect::<Vec<_>>());
}

#[test]
fn r14_signed_in_sessions_take_tombstones_first() {
    let (store, _) = small(4);
    let _ = insert(&store, &id(1), &anonymous("1"), SECOND);
    let _ = insert(&store, &id(2), &anonymous("1"), HOUR);
    let _ = insert(&store, &id(3), &signed_in("7"), HOUR);
    let _ = insert(&store, &id(4), &signed_in("7"), HOUR);
    assert_eq!(ask(store.destroy(&id(3), None)).unwrap(), Destroyed::Destroyed);
    assert_eq!(alive(&store, 1..=4), [1, 2, 4], "a tombstone takes nobody's place");

    let _ = insert(&store, &id(5), &signed_in("7"), HOUR);
    assert_eq!((load(&store, &id(3)), alive(&store, 1..=5)), (None, vec![1, 2, 4, 5]));
    let _ = insert(&store, &id(6), &signed_in("7"), HOUR);
    assert_eq!(alive(&store, 1..=6), [2, 4, 5, 6]);
    check(&store);
}

#[test]
fn r14_expired_sessions_make_room_before_anyone_is_evicted() {
    let (store, clock) = small(3);
    for number in 1..=3 {
        let _ = insert(&store, &id(number), &signed_in("7"), number as u32 * MINUTE);
    }
    assert!(is_full(ask(store.insert(&id(4), &signed_in("7"), for_(HOUR)))));
    clock.advance(MINUTE);
    assert_eq!(insert(&store, &id(4), &signed_in("7"), HOUR), Inserted::Inserted);
    assert_eq!((alive(&store, 1..=4), store.usage().evicted), (vec![2, 3, 4], 0));
}

#[test]
fn r14_anonymous_sessions_over_their_share_spare_tombstones() {
    let (store, _) = small(8);
    let _ = insert(&store, &id(0), &signed_in("7"), HOUR);
    assert_eq!(ask(store.destroy(&id(0), None)).unwrap(), Destroyed::Destroyed);
    for number in 1..=6 {
        let _ = insert(&store, &id(number), &anonymous("1"), HOUR);
    }
    assert!(load(&store, &id(0)).unwrap().is_tombstone());
    assert_eq!(alive(&store, 1..=6), [3, 4, 5, 6]);
}

#[test]
fn r14_a_large_record_takes_the_room_of_many_expired_ones() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone()).max_bytes(40 * (RECORD_OVERHEAD + 60)).anonymous_share(100);
    // A place is left for what an identity takes more.
    for number in 0..38 {
        let _ = insert(&store, &id(number), &anonymous("1"), SECOND);
    }
    let _ = insert(&store, &id(39), &signed_in("7"), HOUR);
    let _ = ask(store.destroy(&id(39), None)).unwrap();
    clock.advance(SECOND);
    let large = anonymous(&"1".repeat(30 * RECORD_OVERHEAD));
    assert_eq!(insert(&store, &id(40), &large, HOUR), Inserted::Inserted);
    assert_eq!(store.usage().evicted, 0);
    assert!(load(&store, &id(39)).unwrap().is_tombstone());
    check(&store);
}

#[test]
fn r14_tombstones_are_bounded() {
    let (store, _) = small(10);
    let _ = insert(&store, &id(0), &signed_in("7"), HOUR);
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    for number in 2..1000 {
        let _ = insert(&store, &id(number), &anonymous("1"), HOUR);
        assert_eq!(ask(store.destroy(&id(number), None)).unwrap(), Destroyed::Destroyed);
        check(&store);
    }
    assert_eq!(alive(&store, 0..2), [0, 1], "nor do they push out anyone");
    assert_eq!(store.usage().tombstones, 8);
}

#[test]
fn r14_signing_in_changes_the_class() {
    let (store, _) = small(4);
    for number in 1..=2 {
        let _ = insert(&store, &id(number), &anonymous("1"), HOUR);
    }
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(update(&store, &id(1), &sign_in(&record, "7")), APPLIED);
    assert_eq!((store.usage().signed_in, store.usage().anonymous), (1, 1));
    for number in 3..=4 {
        let _ = insert(&store, &id(number), &signed_in("7"), HOUR);
    }
    let record = load(&store, &id(2)).unwrap();
    assert_eq!(update(&store, &id(2), &sign_in(&record, "7")), APPLIED);
    assert!(is_full(ask(store.insert(&id(5), &anonymous("1"), for_(HOUR)))));

    let record = load(&store, &id(2)).unwrap();
    let sign_out = Patch { identity: IdentityChange::Removed, ..patch(&record, &[]) };
    assert_eq!(update(&store, &id(2), &sign_out), APPLIED);
    let _ = insert(&store, &id(5), &anonymous("1"), HOUR);
    assert_eq!(alive(&store, 1..=5), [1, 3, 4, 5]);
    check(&store);
}

#[test]
fn r14_signing_out_always_finds_room() {
    let store = MemoryStore::new().max_sessions(4).anonymous_share(0);
    assert!(is_full(ask(store.insert(&id(1), &anonymous("1"), for_(HOUR)))));
    for number in 1..=4 {
        let _ = insert(&store, &id(number), &signed_in("7"), HOUR);
    }
    for number in 1..=2 {
        let record = load(&store, &id(number)).unwrap();
        let mut sign_out = patch(&record, &[(&THEME, Some("\"a note that is larger than the identity\""))]);
        sign_out.identity = IdentityChange::Removed;
        assert_eq!(update(&store, &id(number), &sign_out), APPLIED);
    }
    assert_eq!(alive(&store, 1..=4), [2, 3, 4], "one is over the share, no more");
    check(&store);
}

#[test]
fn r14_a_record_that_grows_finds_room_or_is_left_alone() {
    let record = |length: usize| Record { identity: None, ..anonymous(&"1".repeat(length)) };
    let at = |number: usize| id(number);
    let one = 2 * 22 + RECORD_OVERHEAD + record(100).size();
    let store = MemoryStore::new().clock(ManualClock::new()).max_bytes(4 * one + 200).anonymous_share(100);
    for number in 1..=4 {
        let _ = insert(&store, &at(number), &record(100), number as u32 * HOUR);
    }
    let loaded = load(&store, &at(4)).unwrap();
    assert_eq!(update(&store, &at(4), &patch(&loaded, &[(&VIEWS, Some(&"1".repeat(300)))])), APPLIED);
    assert_eq!(alive(&store, 1..=4), [1, 2, 3, 4]);
    let loaded = load(&store, &at(4)).unwrap();
    assert_eq!(update(&store, &at(4), &patch(&loaded, &[(&VIEWS, Some(&"1".repeat(301)))])), APPLIED);
    assert_eq!(alive(&store, 1..=4), [2, 3, 4]);
    check(&store);

    let loaded = load(&store, &at(4)).unwrap();
    let huge = patch(&loaded, &[(&VIEWS, Some(&"1".repeat(5 * one)))]);
    assert!(is_full(ask(store.update(&at(4), &huge, for_(HOUR)))));
    assert_eq!(load(&store, &at(4)), Some(loaded));
    assert_eq!(alive(&store, 1..=4), [2, 3, 4], "nobody was evicted in vain");
    check(&store);
}

#[test]
fn r14_an_anonymous_record_that_outgrows_the_share_evicts_nobody() {
    let store = MemoryStore::new().max_bytes(10_000).anonymous_share(20);
    for number in 1..=2 {
        assert_eq!(insert(&store, &id(number), &anonymous("1"), HOUR), Inserted::Inserted);
    }
    let grown = patch(&load(&store, &id(1)).unwrap(), &[(&VIEWS, Some(&"1".repeat(1500)))]);
    assert!(is_full(ask(store.update(&id(1), &grown, for_(HOUR)))));
    assert_eq!(alive(&store, 1..=2), [1, 2]);
    check(&store);
}

#[test]
fn r14_a_sign_in_without_room_writes_nothing() {
    let user = "7".repeat(1000);
    let one = 2 * 22 + RECORD_OVERHEAD + IDENTITY_OVERHEAD + signed_in("7").size();
    let store = MemoryStore::new().clock(ManualClock::new()).max_bytes(3 * one).anonymous_share(100);
    let _ = insert(&store, &id(1), &signed_in("7"), HOUR);
    let _ = insert(&store, &id(2), &signed_in("7"), HOUR);
    let _ = insert(&store, &id(3), &anonymous("1"), HOUR);
    let record = load(&store, &id(3)).unwrap();
    assert!(is_full(ask(store.update(&id(3), &sign_in(&record, &user), for_(HOUR)))));
    assert_eq!(load(&store, &id(3)), Some(record));
    check(&store);
}

#[test]
fn r7_expired_sessions_go_without_a_thread() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    for number in 0..1000 {
        let _ = insert(&store, &id(number), &anonymous("1"), MINUTE);
    }
    clock.advance(MINUTE);
    assert_eq!(store.usage().anonymous, 1000);
    for number in 1000..1400 {
        let _ = insert(&store, &id(number), &anonymous("1"), MINUTE);
    }
    assert_eq!(store.usage().anonymous, 400, "writes to new sessions freed the old ones");
    clock.advance(MINUTE);
    assert_eq!(ask(store.len()).unwrap(), 0);
    assert_eq!(store.usage().bytes, 0);
}

#[test]
fn r14_a_flood_keeps_count_and_bytes_flat() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone()).max_sessions(40_000);
    for number in 0..10_000 {
        let _ = insert(&store, &id(number), &signed_in("7"), HOUR);
    }
    let mut after_first = 0;
    for number in 10_000..210_000 {
        let _ = insert(&store, &id(number), &anonymous("12345"), HOUR);
        clock.advance(Duration::from_millis(1));
        if number == 110_000 {
            after_first = store.usage().bytes;
        }
    }
    let usage = store.usage();
    assert_eq!(usage.signed_in, 10_000);
    assert!((28_000..=30_000).contains(&usage.anonymous), "{usage:?}");
    assert_eq!(usage.bytes, after_first);
    assert_eq!(ask(store.len()).unwrap(), usage.signed_in + usage.anonymous);
    check(&store);
}

#[test]
fn the_parts_of_the_bounds_add_up() {
    let settings = |sessions, bytes| super::super::Settings { sessions, bytes, anonymous_percent: 33 };
    for settings in [settings(100_003, 1 << 30), settings(0, 0), settings(1, usize::MAX), settings(usize::MAX, 77)] {
        let count = super::super::shard_count(settings);
        assert!(count.is_power_of_two());
        let parts: Vec<_> = (0..count).map(|index| super::super::limits(settings, count, index)).collect();
        assert_eq!(parts.iter().map(|part| part.sessions).sum::<usize>(), settings.sessions);
        assert_eq!(parts.iter().map(|part| part.bytes).sum::<usize>(), settings.bytes);
        assert!(parts.iter().all(|part| part.anonymous_sessions <= part.sessions));
    }
}

#[test]
fn r14_a_large_store_is_divided_and_a_small_one_is_exact() {
    let count =
        |sessions, bytes| super::super::shard_count(super::super::Settings { sessions, bytes, anonymous_percent: 75 });
    assert!(count(100_000, 256 << 20) >= 4);
    assert!(count(100_000, 256 << 20) <= 16, "no part has room for fewer than 4096");
    assert_eq!((count(8191, usize::MAX), count(usize::MAX, (8 << 20) - 1)), (1, 1));
    assert_eq!((count(8192, usize::MAX), count(usize::MAX, 8 << 20)), (2, 2));
}

#[test]
fn r14_usage_counts_what_each_record_takes() {
    let (store, _) = store();
    let records = [signed_in("\"ada\""), signed_in("7"), anonymous("1"), anonymous("23")];
    for (number, record) in records.iter().enumerate() {
        let _ = insert(&store, &id(number), record, HOUR);
    }
    let of = |records: &[Record]| records.iter().map(|record| 2 * 22 + record.size() + RECORD_OVERHEAD).sum::<usize>();
    assert_eq!(store.usage().bytes, of(&records) + 2 * IDENTITY_OVERHEAD);

    let _ = ask(store.destroy(&id(1), None)).unwrap();
    let _ = ask(store.destroy(&id(3), None)).unwrap();
    let usage = store.usage();
    assert_eq!((usage.signed_in, usage.anonymous, usage.tombstones, usage.evicted), (1, 1, 2, 0));
    let left = [records[0].clone(), records[2].clone()];
    assert_eq!(usage.bytes, of(&left) + IDENTITY_OVERHEAD + 2 * (2 * 22 + RECORD_OVERHEAD));
}
