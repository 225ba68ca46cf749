use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::*;
use crate::error::{InvalidEntry, MergeConflict, StoreError, StoreErrorKind};
use crate::record::{Extent, Field, IdentityChange, Keep, OnConflict};

static VIEWS: Field = Field::new("views").merge(join);
static NONCE: Field = Field::new("nonce").merge(refuse);
static THEME: Field = Field::new("theme").aliases(&["colour"]).keep(Keep::Always);
static PLAN: Field = Field::new("plan").required();

fn join(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Ok([base, theirs, ours].concat())
}

fn refuse(_: &[u8], _: &[u8], _: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Err(MergeConflict::refuse())
}

/// Moments that lie close together, far apart, and at the end of time.
fn moment() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0..9_u64).prop_map(Duration::from_secs),
        2 => (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        1 => Just(Duration::MAX),
    ]
}

fn raw() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => "[0-9\"{}é]{0,6}".prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..9)]
}

fn fields() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![3 => "views|nonce|theme|colour|plan", 1 => ".{0,4}"];
    let mark = prop_oneof![Just(Keep::No), Just(Keep::SignIn), Just(Keep::Always)];
    vec((name, mark, raw()), 0..5)
        .prop_map(|fields| fields.iter().map(|(name, keep, raw)| (name.as_str(), *keep, raw.as_slice())).collect())
}

fn hash() -> impl Strategy<Value = VerifierHash> {
    (0..4_u8).prop_map(|byte| VerifierHash([byte; 32]))
}

prop_compose! {
    fn entry()(
        (epoch, identity_epoch) in prop_oneof![3 => (0..2_u64, 0..2_u64), 1 => any::<(u64, u64)>()],
        (verifier, previous) in (hash(), option::of(hash())),
        (identity, cookie) in (option::of(raw()), option::of(raw())),
        fields in fields(),
        (created, identified, verified, touched, end) in (moment(), moment(), moment(), moment(), moment()),
    ) -> Entry {
        Entry {
            epoch: Epoch(epoch),
            identity_epoch: Epoch(identity_epoch),
            verifier,
            previous,
            identity: identity.map(|raw| RawJson::new(&raw)),
            cookie: cookie.map(|raw| RawJson::new(&raw)),
            fields,
            moments: Moments { created, identity: identified, verifier: verified, touched },
            end,
        }
    }
}

prop_compose! {
    fn patch()(
        (epoch, base, result) in (0..2_u64, fields(), fields()),
        written in subsequence(vec![&VIEWS, &NONCE, &THEME], 0..=3),
        (gate, fills) in (proptest::bool::weighted(0.2), any::<bool>()),
        identity in prop_oneof![
            4 => Just(IdentityChange::Unchanged),
            1 => Just(IdentityChange::Affirmed),
            1 => Just(IdentityChange::Set(RawJson::new(b"7"))),
            1 => Just(IdentityChange::Removed),
        ],
        verifier in prop_oneof![
            2 => Just(VerifierChange::Unchanged),
            1 => hash().prop_map(VerifierChange::Rotate),
            1 => (hash(), hash()).prop_map(|(current, new)| VerifierChange::Renew { current, new }),
        ],
    ) -> Patch {
        let on_conflict = if gate { OnConflict::Refuse } else { OnConflict::Merge };
        let filled = if fills { vec![&PLAN] } else { Vec::new() };
        let mut patch = Patch { epoch: Epoch(epoch), base, result, on_conflict, identity, verifier, ..Patch::default() };
        written.into_iter().for_each(|field| patch.write(field));
        filled.into_iter().for_each(|field| patch.fill(field));
        patch
    }
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    let extent = prop_oneof![Just(Extent::Extend), Just(Extent::Set)];
    (moment(), moment(), extent).prop_map(|(idle, absolute, extent)| Lifetime { idle, absolute, extent })
}

/// As the middleware writes; before each attempt but the first another request may have written.
fn update_in_steps(entry: &mut Entry, patch: &Patch, lifetime: Lifetime, now: Duration, others: &[Fields]) -> Updated {
    let (mut attempt, mut others) = (patch.clone(), others.iter());
    loop {
        let record = match entry.update(&attempt, lifetime, now) {
            Updated::Conflict(record) => record,
            updated => return updated,
        };
        match patch.rebase(&record.fields) {
            Ok(rebased) => attempt = rebased,
            Err(_) => return Updated::Conflict(record),
        }
        if let Some(fields) = others.next() {
            entry.fields = fields.clone();
        }
    }
}

/// The same in one step, for a record that nobody else writes.
fn update_at_once(entry: &mut Entry, patch: &Patch, lifetime: Lifetime, now: Duration) -> Updated {
    match patch.merge_into(&entry.fields) {
        Ok(result) => entry.update(&Patch { base: entry.fields.clone(), result, ..patch.clone() }, lifetime, now),
        // Merged or not, it is refused if it comes too late.
        Err(_) => entry.update(patch, lifetime, now),
    }
}

fn is_applied(updated: &Updated) -> bool {
    matches!(updated, Updated::Applied { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r9_what_is_not_applied_changes_nothing(
        before in entry(), patch in patch(), (lifetime, now) in (lifetime(), moment()), epoch in option::of(0..2_u64),
    ) {
        let mut entry = before.clone();
        let updated = entry.update(&patch, lifetime, now);
        prop_assert!(is_applied(&updated) || entry == before);
        if let Updated::Conflict(record) = updated {
            prop_assert_eq!(*record, before.record(now));
        }

        let mut entry = before.clone();
        let touched = entry.touch(patch.epoch, lifetime, now);
        prop_assert!(touched == Touched::Applied || entry == before);
        prop_assert_eq!(&entry.record(now).fields, &before.fields);

        let mut entry = before.clone();
        let destroyed = entry.destroy(epoch.map(Epoch), now);
        prop_assert!(destroyed == Destroyed::Destroyed || entry == before);
        prop_assert_eq!(destroyed == Destroyed::Destroyed, entry.is_tombstone() && !before.is_tombstone());
    }

    #[test]
    fn r9_merging_after_a_conflict_comes_to_the_same_as_merging_at_once(
        entry in entry(), patch in patch(), (lifetime, now) in (lifetime(), moment()), others in vec(fields(), 0..2),
    ) {
        let mut in_steps = entry.clone();
        let answer = update_in_steps(&mut in_steps, &patch, lifetime, now, &others);
        // The fields on which the last attempt was made: as they were, or what one of the others wrote.
        let bases = std::iter::once(&entry.fields).chain(&others);
        let same = bases.cloned().any(|fields| {
            let mut at_once = Entry { fields, ..entry.clone() };
            let merged = patch.merge_into(&at_once.fields);
            let same = update_at_once(&mut at_once, &patch, lifetime, now) == answer && at_once == in_steps;
            same && (!is_applied(&answer) || merged.is_ok_and(|merged| at_once.fields == merged))
        });
        prop_assert!(same);
    }

    #[test]
    fn r7_a_write_never_passes_the_absolute_end(
        mut entry in entry(), patch in patch(), (lifetime, now) in (lifetime(), moment()),
    ) {
        let before = entry.end;
        if is_applied(&entry.update(&patch, lifetime, now)) {
            // Where the clock has gone back, the age is zero.
            let age = now.saturating_sub(entry.moments.identity);
            let absolute_end = now.saturating_add(lifetime.absolute.saturating_sub(age));
            prop_assert!(entry.end <= absolute_end);
            prop_assert!(lifetime.extent == Extent::Set || entry.end >= before.min(absolute_end));
        }
    }

    #[test]
    fn an_entry_is_its_bytes(entry in entry()) {
        let bytes = entry.to_bytes();
        prop_assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
    }

    #[test]
    fn bytes_that_are_cut_off_or_too_long_are_not_an_entry(entry in entry(), more in vec(any::<u8>(), 1..9)) {
        let bytes = entry.to_bytes();
        for length in 0..bytes.len() {
            prop_assert_eq!(Entry::from_bytes(&bytes[..length]), Err(InvalidEntry::MALFORMED));
        }
        prop_assert_eq!(Entry::from_bytes(&[bytes, more].concat()), Err(InvalidEntry::MALFORMED));
    }

    #[test]
    fn damaged_bytes_are_an_entry_or_an_error(
        entry in entry(), damage in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = entry.to_bytes();
        for (position, byte) in damage {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        if let Ok(entry) = Entry::from_bytes(&bytes) {
            prop_assert_eq!(Entry::from_bytes(&entry.to_bytes()), Ok(entry));
        }
    }

    #[test]
    fn any_bytes_are_an_entry_or_an_error(bytes in vec(any::<u8>(), 0..300), named in any::<bool>()) {
        let bytes = if named { [b"hsr\x01".as_slice(), &bytes].concat() } else { bytes };
        if let Ok(entry) = Entry::from_bytes(&bytes) {
            prop_assert_eq!(Entry::from_bytes(&entry.to_bytes()), Ok(entry));
        }
    }
}

#[test]
fn a_later_version_is_told_from_damage() {
    let record = Record::new(VerifierHash([7; 32]));
    let lifetime = Lifetime::new(Duration::MAX, Duration::MAX);
    let mut bytes = Entry::new(&record, lifetime, Duration::ZERO).to_bytes();
    for version in (0..=u8::MAX).filter(|version| *version != 1) {
        bytes[3] = version;
        assert!(Entry::from_bytes(&bytes).unwrap_err().is_unknown_version());
    }
    assert!(!Entry::from_bytes(b"{\"cookie\":{}}").unwrap_err().is_unknown_version());

    let error = StoreError::from(InvalidEntry::UNKNOWN_VERSION);
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the stored record has a version that this program does not know");
}

#[test]
fn marks_and_moments_that_nobody_wrote_are_damage() {
    let record = Record::new(VerifierHash([7; 32]));
    let lifetime = Lifetime::new(Duration::MAX, Duration::MAX);
    let bytes = Entry::new(&record, lifetime, Duration::ZERO).to_bytes();
    let with = |position: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[position] = byte;
        Entry::from_bytes(&bytes)
    };
    assert_eq!(with(4, 8), Err(InvalidEntry::MALFORMED));
    let first_nanos = 3 + 1 + 1 + 8 + 8 + 32 + 8;
    assert_eq!(with(first_nanos + 3, 0xff), Err(InvalidEntry::MALFORMED));
}

/// R26: no value, hash or identity shows.
#[test]
fn r26_debug_shows_no_value() {
    let mut record = Record::new(VerifierHash([7; 32]));
    record.identity = Some(RawJson::new(b"\"hunter2\""));
    record.fields = [("theme", Keep::No, b"\"hunter2\"".as_slice())].into_iter().collect();
    let lifetime = Lifetime::new(Duration::MAX, Duration::MAX);
    let shown = format!("{:?}", Entry::new(&record, lifetime, Duration::ZERO));
    assert!(shown.contains("theme") && !shown.contains("hunter2") && !shown.contains("[7, 7"));
}

#[test]
fn r9_a_conflict_is_answered_only_where_a_change_depends_on_what_others_changed() {
    let fields = |views: &str, theme: &str| {
        Fields::from_iter([("views", Keep::No, views.as_bytes()), ("theme", Keep::Always, theme.as_bytes())])
    };
    let lifetime = Lifetime::new(Duration::MAX, Duration::MAX);
    let base = Record { fields: fields("1", "0"), ..Record::new(VerifierHash([7; 32])) };
    let update = |theirs: Fields, on_conflict: OnConflict| {
        let mut entry = Entry::new(&Record { fields: theirs, ..base.clone() }, lifetime, Duration::ZERO);
        let mut patch = Patch { on_conflict, ..Patch::unchanged(&base) };
        patch.set(&VIEWS, Some(b"2"));
        patch.set(&THEME, Some(b"9"));
        (entry.update(&patch, lifetime, Duration::ZERO), entry.fields)
    };
    let applied = Updated::Applied { renewed: true };
    // The same bytes, in a block of their own.
    for theirs in [base.fields.clone(), fields("1", "0"), fields("1", "5")] {
        assert_eq!(update(theirs, OnConflict::Merge), (applied.clone(), fields("2", "9")));
    }
    for (theirs, on_conflict) in [(fields("3", "0"), OnConflict::Merge), (fields("1", "5"), OnConflict::Refuse)] {
        let (updated, after) = update(theirs.clone(), on_conflict);
        assert!(matches!(updated, Updated::Conflict(record) if record.fields == theirs));
        assert_eq!(after, theirs);
    }
}
