//! R28: the records are the index.

use super::*;
use crate::{GENERATION_LIFETIME, Generation, IndexSessions as _};

const ADA: &str = "7";
const BOB: &str = "70";

fn identity(user: &str) -> RawJson {
    RawJson::new(user.as_bytes())
}

fn linked(store: &MemoryStore, user: &str, after: Option<usize>, limit: usize) -> Vec<SessionId> {
    ask(store.linked(&identity(user), after.map(id).as_ref(), limit)).unwrap()
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<SessionId> {
    numbers.into_iter().map(id).collect()
}

#[test]
fn r28_pages_have_the_live_sessions_of_one_identity() {
    let (store, clock) = store();
    for number in 0..60 {
        let record = [anonymous("1"), signed_in(ADA), signed_in(BOB)][number % 3].clone();
        let _ = insert(&store, &id(number), &record, if number < 9 { MINUTE } else { HOUR });
    }
    assert_eq!(linked(&store, ADA, None, 99), ids((1..60).step_by(3)));
    assert_eq!(linked(&store, BOB, None, 99), ids((2..60).step_by(3)));
    assert_eq!(linked(&store, "6", None, 99), []);

    assert_eq!(linked(&store, ADA, None, 3), ids([1, 4, 7]));
    assert_eq!(linked(&store, ADA, Some(7), 3), ids([10, 13, 16]));
    assert_eq!(linked(&store, ADA, Some(8), 2), ids([10, 13]));
    assert_eq!(linked(&store, ADA, Some(55), 3), ids([58]));
    assert_eq!(linked(&store, ADA, Some(58), 3), []);
    assert_eq!(linked(&store, ADA, None, 0), []);

    clock.advance(MINUTE);
    assert_eq!(linked(&store, ADA, None, 2), ids([10, 13]), "no place of a page is lost to one that expired");
    let _ = ask(store.destroy(&id(10), None)).unwrap();
    assert_eq!(update(&store, &id(13), &sign_in(&load(&store, &id(13)).unwrap(), BOB)), APPLIED);
    assert_eq!(update(&store, &id(12), &sign_in(&load(&store, &id(12)).unwrap(), ADA)), APPLIED);
    assert_eq!(linked(&store, ADA, None, 3), ids([12, 16, 19]));
    assert_eq!(linked(&store, BOB, None, 3), ids([11, 13, 14]));
    check(&store);
}

#[test]
fn r28_a_generation_is_kept_for_its_lifetime_since_it_was_raised_last() {
    let (store, clock) = store();
    let generation = |user: &str| ask(store.generation(&identity(user))).unwrap();
    let raise = |user: &str, to: u64| ask(store.raise_generation(&identity(user), Generation(to))).unwrap();
    assert_eq!(generation(ADA), Generation::NONE);
    raise(ADA, 3);
    raise(BOB, 4);
    assert_eq!((generation(ADA), generation(BOB)), (Generation(3), Generation(4)));
    clock.advance(HOUR);
    raise(ADA, 5);
    clock.advance(GENERATION_LIFETIME - HOUR);
    raise("8", 1);
    assert_eq!((generation(ADA), generation(BOB)), (Generation(5), Generation(4)));
    clock.advance(SECOND);
    raise("8", 2);
    assert_eq!((generation(ADA), generation(BOB)), (Generation(5), Generation::NONE));
    clock.advance(HOUR);
    raise("8", 3);
    assert_eq!((generation(ADA), generation("8")), (Generation::NONE, Generation(3)));
}
