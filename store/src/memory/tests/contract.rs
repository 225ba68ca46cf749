use super::*;
use crate::record::Clear;

#[test]
fn r8_insert_never_overwrites() {
    let (store, clock) = store();
    assert_eq!(insert(&store, &id(1), &anonymous("1"), HOUR), Inserted::Inserted);
    assert_eq!(insert(&store, &id(1), &anonymous("2"), HOUR), Inserted::Taken);
    assert_eq!(load(&store, &id(1)).unwrap().fields.find("views"), Some(b"1".as_slice()));

    assert_eq!(ask(store.destroy(&id(1), None)).unwrap(), Destroyed::Destroyed);
    assert_eq!(insert(&store, &id(1), &anonymous("2"), HOUR), Inserted::Taken);
    clock.advance(MINUTE);
    assert_eq!(insert(&store, &id(1), &anonymous("2"), HOUR), Inserted::Inserted);
    clock.advance(HOUR);
    assert_eq!(insert(&store, &id(1), &anonymous("3"), HOUR), Inserted::Inserted);
    assert_eq!(load(&store, &id(1)).unwrap().fields.find("views"), Some(b"3".as_slice()));
    check(&store);
}

/// A write sweeps a few expired records only, so an insert may still find one under its id.
#[test]
fn r8_an_expired_record_that_was_not_swept_yet_is_no_obstacle() {
    let (store, clock) = store();
    let store = store.max_sessions(100).clock(clock.clone());
    for number in 0..50 {
        let _ = insert(&store, &id(number), &signed_in("7"), HOUR);
    }
    clock.advance(HOUR);
    assert_eq!(insert(&store, &id(49), &anonymous("2"), HOUR), Inserted::Inserted);
    assert_eq!(load(&store, &id(49)).unwrap().identity, None);
    assert!(store.usage().signed_in > 0, "not all were swept");
    check(&store);
}

#[test]
fn r8_nothing_creates_but_insert() {
    let (store, clock) = store();
    let record = anonymous("1");
    assert_eq!(update(&store, &id(1), &patch(&record, &[(&VIEWS, Some("2"))])), Updated::Missing);
    assert_eq!(ask(store.touch(&id(1), Epoch(0), for_(HOUR))).unwrap(), Touched::Missing);
    assert_eq!(ask(store.destroy(&id(1), None)).unwrap(), Destroyed::Missing);
    assert_eq!(load(&store, &id(1)), None);

    let _ = insert(&store, &id(1), &record, HOUR);
    clock.advance(HOUR);
    assert_eq!(update(&store, &id(1), &patch(&record, &[(&VIEWS, Some("2"))])), Updated::Missing);
    assert_eq!(ask(store.touch(&id(1), Epoch(0), for_(HOUR))).unwrap(), Touched::Missing);
    assert_eq!(ask(store.destroy(&id(1), Some(Epoch(0)))).unwrap(), Destroyed::Missing);
    assert_eq!(load(&store, &id(1)), None);
}

#[test]
fn r8_a_tombstone_stands_for_a_minute() {
    let (store, clock) = store();
    let _ = insert(&store, &id(1), &signed_in("7"), HOUR);
    let record = load(&store, &id(1)).unwrap();
    clock.advance(10 * SECOND);
    assert_eq!(ask(store.destroy(&id(1), Some(Epoch(0)))).unwrap(), Destroyed::Destroyed);
    clock.advance(59 * SECOND);

    let tombstone = load(&store, &id(1)).unwrap();
    assert!(tombstone.is_tombstone());
    assert_eq!(tombstone.epoch, Epoch(1));
    assert_eq!((tombstone.identity.as_ref(), tombstone.fields.is_empty()), (None, true));
    assert_eq!(tombstone.ages.verifier, 59 * SECOND);
    assert_eq!(tombstone.expires_in, SECOND);

    assert_eq!(update(&store, &id(1), &patch(&record, &[])), Updated::Superseded);
    assert_eq!(update(&store, &id(1), &patch(&tombstone, &[])), Updated::Superseded);
    assert_eq!(ask(store.touch(&id(1), Epoch(1), for_(HOUR))).unwrap(), Touched::Superseded);
    for epoch in [None, Some(Epoch(0)), Some(Epoch(1))] {
        assert_eq!(ask(store.destroy(&id(1), epoch)).unwrap(), Destroyed::Missing);
    }
    assert_eq!(ask(store.len()).unwrap(), 0);
    assert_eq!(ask(store.ids(None, 9)).unwrap().ids, []);
    clock.advance(SECOND);
    assert_eq!(load(&store, &id(1)), None);
    check(&store);
}

#[test]
fn r4_another_epoch_is_superseded() {
    let (store, _) = store();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let before = load(&store, &id(1)).unwrap();
    assert_eq!(update(&store, &id(1), &sign_in(&before, "7")), APPLIED);
    let after = load(&store, &id(1)).unwrap();
    assert_eq!((after.epoch, after.identity_epoch, after.verifier), (Epoch(1), Epoch(1), hash(9)));

    assert_eq!(update(&store, &id(1), &patch(&before, &[(&VIEWS, Some("2"))])), Updated::Superseded);
    assert_eq!(ask(store.touch(&id(1), Epoch(0), for_(2 * HOUR))).unwrap(), Touched::Superseded);
    assert_eq!(ask(store.destroy(&id(1), Some(Epoch(0)))).unwrap(), Destroyed::Superseded);
    assert_eq!(load(&store, &id(1)), Some(after));
    assert_eq!(ask(store.destroy(&id(1), None)).unwrap(), Destroyed::Destroyed);
}

#[test]
fn r6_a_renewal_that_lost_keeps_the_rest_of_its_patch() {
    let (store, clock) = store();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let record = load(&store, &id(1)).unwrap();
    let renew = |new, views| Patch {
        verifier: VerifierChange::Renew { current: hash(1), new: hash(new) },
        ..patch(&record, &[(&VIEWS, Some(views))])
    };
    clock.advance(MINUTE);
    assert_eq!(update(&store, &id(1), &renew(2, "2")), APPLIED);
    clock.advance(SECOND);
    assert_eq!(commit(&store, &id(1), &renew(3, "2"), for_(HOUR)), Updated::Applied { renewed: false });

    let record = load(&store, &id(1)).unwrap();
    assert_eq!((record.verifier, record.previous, record.epoch), (hash(2), Some(hash(1)), Epoch(0)));
    assert_eq!(record.fields.find("views"), Some(b"3".as_slice()));
    assert_eq!((record.ages.verifier, record.ages.created), (SECOND, MINUTE + SECOND));
}

#[test]
fn r7_ages_are_by_the_stores_clock() {
    let (store, clock) = store();
    let claimed = Record { expires_in: 9 * HOUR, revision: 9, ..anonymous("1") };
    let _ = insert(&store, &id(1), &claimed, HOUR);
    clock.advance(10 * SECOND);
    let record = load(&store, &id(1)).unwrap();
    let ages = record.ages;
    assert!([ages.created, ages.identity, ages.verifier, ages.touched].iter().all(|age| *age == 10 * SECOND));
    assert_eq!((record.expires_in, record.revision), (HOUR - 10 * SECOND, 0));

    assert_eq!(update(&store, &id(1), &sign_in(&record, "7")), APPLIED);
    clock.advance(SECOND);
    assert_eq!(ask(store.touch(&id(1), Epoch(1), for_(HOUR))).unwrap(), Touched::Applied);
    clock.advance(SECOND);
    let silent = for_(HOUR).unchanged();
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(ask(store.update(&id(1), &patch(&record, &[(&VIEWS, None)]), silent)).unwrap(), APPLIED);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(record.ages.created, 12 * SECOND);
    assert_eq!((record.ages.identity, record.ages.verifier, record.ages.touched), (2 * SECOND, 2 * SECOND, SECOND));
    assert_eq!(record.expires_in, HOUR - SECOND);
    assert_eq!(record.fields, Fields::EMPTY);
}

#[test]
fn r7_affirming_resets_the_age_of_the_identity_only() {
    let (store, clock) = store();
    let _ = insert(&store, &id(1), &signed_in("7"), HOUR);
    clock.advance(MINUTE);
    let record = load(&store, &id(1)).unwrap();
    let affirm = Patch { identity: IdentityChange::Affirmed, ..patch(&record, &[]) };
    assert_eq!(update(&store, &id(1), &affirm), APPLIED);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!((record.ages.identity, record.ages.verifier, record.ages.created), (Duration::ZERO, MINUTE, MINUTE));
    assert_eq!((record.epoch, record.identity_epoch), (Epoch(0), Epoch(0)));
}

#[test]
fn r7_a_touch_never_shortens_unless_the_end_is_set() {
    let (store, _) = store();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let left = || load(&store, &id(1)).unwrap().expires_in;
    let touch = |lifetime| assert_eq!(ask(store.touch(&id(1), Epoch(0), lifetime)).unwrap(), Touched::Applied);
    touch(for_(MINUTE));
    assert_eq!(left(), HOUR);
    touch(for_(2 * HOUR));
    assert_eq!(left(), 2 * HOUR);
    touch(set_to(MINUTE));
    assert_eq!(left(), MINUTE);
    check(&store);
}

#[test]
fn r7_nothing_passes_the_absolute_end_but_a_sign_in() {
    let (store, clock) = store();
    let lifetime = Lifetime { idle: HOUR, absolute: 90 * MINUTE, extent: Extent::Extend };
    let _ = ask(store.insert(&id(1), &anonymous("1"), lifetime)).unwrap();
    clock.advance(50 * MINUTE);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(ask(store.update(&id(1), &patch(&record, &[(&VIEWS, Some("2"))]), lifetime)).unwrap(), APPLIED);
    assert_eq!(load(&store, &id(1)).unwrap().expires_in, 40 * MINUTE);
    let rotate = Patch { verifier: VerifierChange::Rotate(hash(2)), ..patch(&record, &[]) };
    assert_eq!(ask(store.update(&id(1), &rotate, lifetime)).unwrap(), APPLIED);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!((record.expires_in, record.ages.verifier), (40 * MINUTE, Duration::ZERO));
    assert_eq!(ask(store.update(&id(1), &sign_in(&record, "7"), lifetime)).unwrap(), APPLIED);
    assert_eq!(load(&store, &id(1)).unwrap().expires_in, HOUR);
    clock.advance(HOUR);
    assert_eq!(load(&store, &id(1)), None);
}

#[test]
fn r7_a_record_at_its_end_is_gone() {
    let (store, clock) = store();
    let _ = insert(&store, &id(1), &anonymous("1"), MINUTE);
    clock.advance(MINUTE - Duration::from_nanos(1));
    assert!(load(&store, &id(1)).is_some());
    clock.advance(Duration::from_nanos(1));
    assert_eq!(load(&store, &id(1)), None);
    assert_eq!(store.usage().bytes, 0, "the load freed it");

    let endless = Lifetime { idle: Duration::MAX, absolute: Duration::MAX, extent: Extent::Extend };
    let _ = ask(store.insert(&id(2), &anonymous("1"), endless)).unwrap();
    clock.advance(HOUR);
    assert_eq!(ask(store.touch(&id(2), Epoch(0), endless)).unwrap(), Touched::Applied);
    assert!(load(&store, &id(2)).is_some());
}

/// The clock is read before the lock is taken, so a call may come with an earlier time than the one before it.
#[test]
fn r7_time_does_not_go_back() {
    struct Swaying(std::sync::atomic::AtomicU64);
    impl crate::clock::Clock for Swaying {
        fn elapsed(&self) -> Duration {
            let calls = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if calls.is_multiple_of(2) { 2 * HOUR } else { HOUR }
        }

        fn unix(&self) -> Duration {
            self.elapsed()
        }
    }
    let store = MemoryStore::new().clock(Swaying(0.into()));
    let _ = insert(&store, &id(1), &anonymous("1"), MINUTE);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!((record.expires_in, record.ages.touched), (MINUTE, Duration::ZERO));
    let _ = ask(store.len()).unwrap();
    assert_eq!(update(&store, &id(1), &sign_in(&record, "7")), APPLIED);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!((record.expires_in, record.ages.verifier, record.ages.touched), (HOUR, Duration::ZERO, Duration::ZERO));
}

#[test]
fn r9_concurrent_changes_merge_field_by_field() {
    let (store, _) = store();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let record = load(&store, &id(1)).unwrap();
    let mut other = patch(&record, &[(&VIEWS, Some("4")), (&THEME, Some("\"dark\""))]);
    other.cookie = Some(Some(RawJson::new(b"{}")));
    assert_eq!(update(&store, &id(1), &other), APPLIED);
    let late = patch(&record, &[(&VIEWS, Some("3"))]);
    assert_eq!(update(&store, &id(1), &late), Updated::Conflict(Box::new(load(&store, &id(1)).unwrap())));
    assert_eq!(commit(&store, &id(1), &late, for_(HOUR)), APPLIED);

    let joined = load(&store, &id(1)).unwrap();
    assert_eq!(joined.fields.find("views"), Some(b"6".as_slice()));
    assert_eq!(joined.fields.find("theme"), Some(b"\"dark\"".as_slice()));
    assert_eq!(joined.cookie, Some(RawJson::new(b"{}")));
    assert_eq!(update(&store, &id(1), &patch(&record, &[(&THEME, Some("\"light\""))])), APPLIED);
    assert_eq!(load(&store, &id(1)).unwrap().fields.find("theme"), Some(b"\"light\"".as_slice()));
    check(&store);
}

#[test]
fn r9_a_refusal_writes_nothing_and_shows_the_record() {
    let (store, clock) = store();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(update(&store, &id(1), &patch(&record, &[(&NONCE, Some("\"a\"")), (&VIEWS, Some("2"))])), APPLIED);
    clock.advance(MINUTE);
    let stored = load(&store, &id(1)).unwrap();

    let sign_in = sign_in(&record, "7");
    let fields = patch(&record, &[(&NONCE, Some("\"b\"")), (&VIEWS, Some("9"))]);
    let refused = Patch { identity: sign_in.identity, verifier: sign_in.verifier, ..fields };
    assert_eq!(update(&store, &id(1), &refused), Updated::Conflict(Box::new(stored.clone())));
    assert_eq!(commit(&store, &id(1), &refused, for_(HOUR)), Updated::Conflict(Box::new(stored.clone())));
    assert_eq!(load(&store, &id(1)), Some(stored));
}

#[test]
fn r13_a_gate_opens_once() {
    let (store, _) = store();
    let mut record = anonymous("1");
    record.fields = [("theme", Keep::Always, b"\"once\"".as_slice())].into_iter().collect();
    let _ = insert(&store, &id(1), &record, HOUR);
    let record = load(&store, &id(1)).unwrap();
    let take = Patch { on_conflict: OnConflict::Refuse, ..patch(&record, &[(&THEME, None)]) };
    assert_eq!(update(&store, &id(1), &take), APPLIED);
    let emptied = load(&store, &id(1)).unwrap();
    assert_eq!(update(&store, &id(1), &take), Updated::Conflict(Box::new(emptied)));
}

#[test]
fn r5_and_r17_unknown_fields_stay_until_the_identity_changes() {
    let (store, _) = store();
    let mut record = anonymous("1");
    record.fields = [("views", Keep::No, b"1".as_slice()), ("old", Keep::No, b"2"), ("kept", Keep::Always, b"3")]
        .into_iter()
        .collect();
    let _ = insert(&store, &id(1), &record, HOUR);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(update(&store, &id(1), &patch(&record, &[(&VIEWS, Some("2"))])), APPLIED);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(record.fields.find("old"), Some(b"2".as_slice()));
    assert_eq!(update(&store, &id(1), &Patch { clear: Clear::SignIn, ..sign_in(&record, "7") }), APPLIED);
    let record = load(&store, &id(1)).unwrap();
    assert_eq!(record.fields, [("kept", Keep::Always, b"3".as_slice())].into_iter().collect());
}

#[test]
fn a_patch_on_an_unchanged_record_stores_its_own_block() {
    let (store, _) = store();
    let _ = insert(&store, &id(1), &anonymous("1"), HOUR);
    let record = load(&store, &id(1)).unwrap();
    let change = patch(&record, &[(&VIEWS, Some("2"))]);
    assert_eq!(update(&store, &id(1), &change), APPLIED);
    assert!(load(&store, &id(1)).unwrap().fields.same_block(&change.result));
}

#[test]
fn enumeration_names_each_live_session_once() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    for number in 0..100 {
        let record = if number % 2 == 0 { anonymous("1") } else { signed_in("7") };
        let _ = insert(&store, &id(number), &record, if number < 20 { MINUTE } else { HOUR });
    }
    let _ = ask(store.destroy(&id(50), None)).unwrap();
    clock.advance(MINUTE - SECOND);
    assert_eq!(ask(store.len()).unwrap(), 99);
    clock.advance(SECOND);
    let mut page = ask(store.ids(None, 7)).unwrap();
    let mut all = page.ids;
    while let Some(next) = page.next {
        page = ask(store.ids(Some(&next), 7)).unwrap();
        all.extend(page.ids);
    }
    let alive: Vec<SessionId> = (20..100).filter(|number| *number != 50).map(id).collect();
    assert_eq!(all, alive);
    assert_eq!(ask(store.ids(None, 0)).unwrap().ids, []);
    assert_eq!(ask(store.ids(None, usize::MAX)).unwrap().ids.len(), ask(store.len()).unwrap());

    ask(store.clear()).unwrap();
    assert_eq!(ask(store.len()).unwrap(), 0);
    assert!(load(&store, &id(99)).unwrap().is_tombstone());
    assert_eq!(insert(&store, &id(99), &anonymous("1"), HOUR), Inserted::Taken);
    check(&store);
}

#[test]
fn r26_debug_shows_counts_only() {
    let (store, _) = store();
    let _ = insert(&store, &id(7), &signed_in("\"alice\""), HOUR);
    let shown = format!("{store:?}");
    assert!(shown.contains("signed_in: 1"), "{shown}");
    assert!(!shown.contains("alice") && !shown.contains("views") && !shown.contains(id(7).as_str()), "{shown}");
}

#[test]
fn clones_share_and_settings_start_afresh() {
    let (store, _) = store();
    let same = store.clone();
    let _ = insert(&same, &id(1), &anonymous("1"), HOUR);
    assert_eq!(ask(store.len()).unwrap(), 1);
    assert!(store.is_instant());
    assert_eq!(ask(same.max_sessions(9).len()).unwrap(), 0);
    assert_eq!(ask(store.len()).unwrap(), 1);
}
