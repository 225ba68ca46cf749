//! Records and patches for the checks.

use std::time::Duration;

use rand::RngExt as _;

use crate::error::MergeConflict;
use crate::record::{
    Clear, Field, Fields, IdentityChange, Keep, Lifetime, OnConflict, Patch, RawJson, Record, VerifierChange,
    VerifierHash,
};

/// Joined by adding.
pub(super) static COUNT: Field = Field::new("count").merge(add);
/// Joined by writing down the arguments of the merge rule.
pub(super) static WITNESS: Field = Field::new("witness").merge(write_down);
/// Never joined.
pub(super) static ONCE: Field = Field::new("once").merge(refuse);
/// Replaced.
pub(super) static NOTE: Field = Field::new("note");
pub(super) static CART: Field = Field::new("cart").keep(Keep::SignIn);
pub(super) static THEME: Field = Field::new("theme").keep(Keep::Always);
/// Has older names.
pub(super) static TITLE: Field = Field::new("title").aliases(&["heading", "caption"]);

fn add(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    let sum = number(theirs).saturating_add(number(ours)).saturating_sub(number(base));
    Ok(sum.to_string().into_bytes())
}

fn write_down(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Ok([base, theirs, ours].join(&b'|'))
}

fn refuse(_: &[u8], _: &[u8], _: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Err(MergeConflict::refuse())
}

pub(super) fn number(raw: &[u8]) -> i64 {
    std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The number in a field, zero when it is not there.
pub(super) fn count(record: &Record, field: &Field) -> i64 {
    record.fields.find(field.name).map_or(0, number)
}

/// A hash that no other record has.
pub(super) fn hash() -> VerifierHash {
    let mut bytes: [u8; 32] = rand::random();
    bytes[0] |= 1;
    VerifierHash(bytes)
}

pub(super) fn anonymous() -> Record {
    let fields = [
        ("count", Keep::No, b"10".as_slice()),
        ("note", Keep::No, b"\"of a visitor\""),
        ("cart", Keep::SignIn, b"[\"apple\"]"),
        ("theme", Keep::Always, b"\"dark\""),
        ("unknown", Keep::No, b"{ \"of\" : \"another program\" }"),
        ("unknown cart", Keep::SignIn, b"[1,2]"),
        ("unknown theme", Keep::Always, b"0.10"),
    ];
    Record { fields: fields.into_iter().collect(), ..Record::new(hash()) }
}

pub(super) fn signed_in() -> Record {
    Record { identity: Some(RawJson::new(br#"{ "id": 7 }"#)), ..anonymous() }
}

pub(super) fn with_fields<'a>(record: &Record, fields: impl IntoIterator<Item = (&'a str, Keep, &'a [u8])>) -> Record {
    Record { fields: fields.into_iter().collect(), ..record.clone() }
}

/// Random bytes of a random length.
pub(super) fn noise(longest: usize) -> Vec<u8> {
    let mut rng = rand::rng();
    let length = rng.random_range(0..=longest);
    (0..length).map(|_| rng.random()).collect()
}

/// A change of fields of a record as loaded; `None` removes.
pub(super) fn change(loaded: &Record, changes: &[(&'static Field, Option<&[u8]>)]) -> Patch {
    change_and_clear(loaded, Clear::Nothing, changes)
}

/// A change of fields after clearing those that do not outlive a change of identity.
pub(super) fn change_and_clear(loaded: &Record, clear: Clear, changes: &[(&'static Field, Option<&[u8]>)]) -> Patch {
    let kept = loaded.fields.iter().filter(|field| clear.keeps(field.keep));
    let mut patch = Patch { result: kept.collect(), clear, ..Patch::unchanged(loaded) };
    for (field, value) in changes {
        patch.set(field, *value);
    }
    patch
}

pub(super) fn add_one(loaded: &Record) -> Patch {
    change(loaded, &[(&COUNT, Some(count(loaded, &COUNT).saturating_add(1).to_string().as_bytes()))])
}

pub(super) fn gate(loaded: &Record, changes: &[(&'static Field, Option<&[u8]>)]) -> Patch {
    Patch { on_conflict: OnConflict::Refuse, ..change(loaded, changes) }
}

pub(super) fn rotate(loaded: &Record) -> Patch {
    Patch { verifier: VerifierChange::Rotate(hash()), ..Patch::unchanged(loaded) }
}

pub(super) fn renew(loaded: &Record, current: VerifierHash) -> Patch {
    Patch { verifier: VerifierChange::Renew { current, new: hash() }, ..Patch::unchanged(loaded) }
}

/// A sign-in as the middleware writes it: all of it in one patch.
pub(super) fn sign_in(loaded: &Record, user: &[u8]) -> Patch {
    let clear = if loaded.identity.is_none() { Clear::SignIn } else { Clear::Identity };
    Patch {
        identity: IdentityChange::Set(RawJson::new(user)),
        verifier: VerifierChange::Rotate(hash()),
        ..change_and_clear(loaded, clear, &[(&NOTE, Some(user))])
    }
}

pub(super) fn sign_out(loaded: &Record) -> Patch {
    Patch {
        identity: IdentityChange::Removed,
        verifier: VerifierChange::Rotate(hash()),
        ..change_and_clear(loaded, Clear::Identity, &[])
    }
}

/// Longer than any run of the suite.
pub(super) const LONG: Lifetime = Lifetime::new(Duration::from_secs(3600), Duration::from_secs(24 * 3600));

/// The first part of two records that is not the same, of all that a store keeps except ages and time left.
pub(super) fn difference(found: &Record, expected: &Record) -> Option<String> {
    let parts = [
        ("the epoch", found.epoch == expected.epoch),
        ("the epoch of the identity", found.identity_epoch == expected.identity_epoch),
        ("the verifier's hash", found.verifier == expected.verifier),
        ("the previous verifier's hash", found.previous == expected.previous),
        ("the identity", found.identity == expected.identity),
        ("the cookie attributes", found.cookie == expected.cookie),
    ];
    let part = parts.into_iter().find_map(|(part, same)| (!same).then(|| part.to_owned()));
    part.or_else(|| different_field(&found.fields, &expected.fields))
}

fn different_field(found: &Fields, expected: &Fields) -> Option<String> {
    for field in expected.iter() {
        match found.field(field.name) {
            None => return Some(format!("the field {:?}, which is gone,", field.name)),
            Some(other) if other.keep != field.keep => return Some(format!("the keep mark of {:?}", field.name)),
            Some(other) if other.value != field.value => return Some(format!("the value of {:?}", field.name)),
            Some(_) => {}
        }
    }
    let extra = found.iter().find(|field| expected.field(field.name).is_none());
    extra.map(|field| format!("the field {:?}, which should not be there,", field.name))
}
