use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

#[test]
fn r9_additions_of_eight_threads_add_up() {
    const EACH: i64 = 2_000;
    let store = MemoryStore::new();
    let _ = insert(&store, &id(1), &anonymous("0"), HOUR);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let record = load(&store, &id(1)).unwrap();
                    let views = number(record.fields.find("views").unwrap()) + 1;
                    let change = patch(&record, &[(&VIEWS, Some(&views.to_string()))]);
                    assert_eq!(commit(&store, &id(1), &change, for_(HOUR)), APPLIED);
                }
            });
        }
    });
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(record.fields.find("views").map(number), Some(8 * EACH));
    check(&store);
}

#[test]
fn r8_slow_writers_never_bring_a_destroyed_session_back() {
    let store = MemoryStore::new();
    for round in 0..300 {
        let id = id(round);
        let _ = insert(&store, &id, &anonymous("0"), HOUR);
        let record = load(&store, &id).unwrap();
        let started = AtomicBool::new(false);
        thread::scope(|scope| {
            for views in 1..=3 {
                let (store, id, record, started) = (&store, &id, &record, &started);
                scope.spawn(move || {
                    let change = patch(record, &[(&VIEWS, Some(&views.to_string()))]);
                    for _ in 0..20 {
                        started.store(true, Ordering::Release);
                        let _ = commit(store, id, &change, for_(HOUR));
                        let _ = ask(store.touch(id, record.epoch, for_(2 * HOUR))).unwrap();
                        let _ = insert(store, id, record, HOUR);
                    }
                });
            }
            while !started.load(Ordering::Acquire) {
                thread::yield_now();
            }
            assert_eq!(ask(store.destroy(&id, None)).unwrap(), Destroyed::Destroyed);
            assert!(load(&store, &id).unwrap().is_tombstone());
        });
        assert!(load(&store, &id).unwrap().is_tombstone());
    }
    check(&store);
}

#[test]
fn r13_of_many_threads_one_passes_the_gate() {
    let store = MemoryStore::new();
    for round in 0..200 {
        let _ = insert(&store, &id(round), &anonymous("1"), HOUR);
        let record = load(&store, &id(round)).unwrap();
        let take = Patch { on_conflict: OnConflict::Refuse, ..patch(&record, &[(&VIEWS, None)]) };
        let pass = || {
            thread::spawn({
                let (store, take) = (store.clone(), take.clone());
                move || update(&store, &id(round), &take) == APPLIED
            })
        };
        let threads: Vec<_> = (0..4).map(|_| pass()).collect();
        assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count(), 1);
    }
}

thread_local! {
    static DURING_MERGE: std::cell::RefCell<Option<Box<dyn FnOnce()>>> = const { std::cell::RefCell::new(None) };
}

static HOOKED: Field = Field::new("views").merge(hooked);

/// Adds, after whatever the test wants to happen meanwhile.
fn hooked(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    if let Some(hook) = DURING_MERGE.take() {
        hook();
    }
    add(base, theirs, ours)
}

/// A store whose record was changed since it was loaded, so that a patch to what was loaded has to merge.
fn moved_on() -> (MemoryStore, Patch) {
    let store = MemoryStore::new();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(update(&store, &id(1), &patch(&record, &[(&VIEWS, Some("11"))])), APPLIED);
    (store, patch(&record, &[(&HOOKED, Some("2"))]))
}

fn while_merging(hook: impl FnOnce() + 'static) {
    DURING_MERGE.set(Some(Box::new(hook)));
}

#[test]
fn r9_a_write_during_the_merge_is_merged_too() {
    let (store, change) = moved_on();
    let same = store.clone();
    while_merging(move || {
        let record = load(&same, &id(1)).unwrap();
        assert_eq!(update(&same, &id(1), &patch(&record, &[(&VIEWS, Some("111")), (&THEME, Some("1"))])), APPLIED);
    });
    assert_eq!(commit(&store, &id(1), &change, for_(HOUR)), APPLIED);
    let fields = load(&store, &id(1)).unwrap().fields;
    assert_eq!((fields.find("views"), fields.find("theme")), (Some(b"112".as_slice()), Some(b"1".as_slice())));
}

#[test]
fn r4_and_r8_a_rotation_or_destruction_during_the_merge_wins() {
    let (store, change) = moved_on();
    let same = store.clone();
    while_merging(move || {
        let record = load(&same, &id(1)).unwrap();
        assert_eq!(update(&same, &id(1), &sign_in(&record, "7")), APPLIED);
    });
    assert_eq!(commit(&store, &id(1), &change, for_(HOUR)), Updated::Superseded);
    assert_eq!(load(&store, &id(1)).unwrap().fields.find("views"), Some(b"11".as_slice()));

    let (store, change) = moved_on();
    let same = store.clone();
    while_merging(move || assert_eq!(ask(same.destroy(&id(1), None)).unwrap(), Destroyed::Destroyed));
    assert_eq!(commit(&store, &id(1), &change, for_(HOUR)), Updated::Superseded);

    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(update(&store, &id(1), &patch(&record, &[(&VIEWS, Some("11"))])), APPLIED);
    while_merging(move || clock.advance(HOUR));
    let change = patch(&record, &[(&HOOKED, Some("2"))]);
    assert_eq!(commit(&store, &id(1), &change, for_(HOUR)), Updated::Missing);
}

#[test]
fn a_merge_that_panics_leaves_the_store_as_it_was() {
    let (store, change) = moved_on();
    let before = load(&store, &id(1)).unwrap().fields;
    while_merging(|| std::panic::resume_unwind(Box::new(())));
    assert!(catch_unwind(AssertUnwindSafe(|| commit(&store, &id(1), &change, for_(HOUR)))).is_err());
    assert_eq!(load(&store, &id(1)).unwrap().fields, before);
    assert_eq!(commit(&store, &id(1), &change, for_(HOUR)), APPLIED);
    check(&store);
}

#[test]
fn a_poisoned_lock_still_serves() {
    let store = MemoryStore::new();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let same = store.clone();
    let poison = move || {
        let _guards: Vec<_> = same.shards.all().map(lock).collect();
        std::panic::resume_unwind(Box::new(()));
    };
    assert!(thread::spawn(poison).join().is_err());
    assert!(load(&store, &id(1)).is_some());
    assert_eq!(insert(&store, &id(2), &anonymous("1"), HOUR), Inserted::Inserted);
}
