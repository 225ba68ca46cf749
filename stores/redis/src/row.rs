//! A row as a hash.

use std::time::Duration;

use ::redis::{Cmd, Value};

use http_session_store::clock::milliseconds;
use http_session_store::error::{InvalidEntry, StoreError};
use http_session_store::record::{
    Change, Clear, Epoch, Extent, Field, Fields, FieldsWriter, IdentityChange, Keep, Lifetime, Patch, RawJson, Record,
    StoredField, VerifierChange, VerifierHash,
};

const FIELD: &[u8] = b"f:";

/// How a field's value begins.
const fn mark(keep: Keep) -> u8 {
    match keep {
        Keep::No => b'=',
        Keep::SignIn => b'+',
        Keep::Always => b'*',
    }
}

/// The marks of the fields that stay.
const fn marks(clear: Clear) -> &'static str {
    match clear {
        Clear::Nothing => "=+*",
        Clear::SignIn => "+*",
        Clear::Identity => "*",
    }
}

fn stored_name(name: &str) -> Vec<u8> {
    [FIELD, name.as_bytes()].concat()
}

fn stored_value(keep: Keep, value: &[u8]) -> Vec<u8> {
    [&[mark(keep)], value].concat()
}

/// A value, or that there is none: the empty text is left for a third case.
fn perhaps(value: Option<&[u8]>) -> Vec<u8> {
    value.map_or_else(|| b"-".to_vec(), |value| [b"=", value].concat())
}

/// The verifier of a tombstone takes no room.
fn verifier(hash: &VerifierHash) -> &[u8] {
    if *hash == VerifierHash::NONE { b"" } else { &hash.0 }
}

pub(super) fn extent(lifetime: Lifetime) -> &'static str {
    match lifetime.extent {
        Extent::Extend => "extend",
        Extent::Set => "set",
    }
}

/// The arguments of `insert.lua`.
pub(super) fn insert(command: &mut Cmd, row: &Record, lifetime: Lifetime) {
    command.arg(milliseconds(lifetime.time_left(Duration::ZERO, Duration::ZERO)));
    command.arg("e").arg(row.epoch.0).arg("g").arg(row.identity_epoch.0).arg("v").arg(verifier(&row.verifier));
    command.arg("n").arg(row.fields.as_bytes().len());
    if let Some(previous) = &row.previous {
        command.arg("p").arg(&previous.0);
    }
    for (name, value) in [("u", &row.identity), ("k", &row.cookie)] {
        if let Some(value) = value {
            command.arg(name).arg(value.as_bytes());
        }
    }
    for field in row.fields.iter() {
        command.arg(stored_name(field.name)).arg(stored_value(field.keep, field.value));
    }
}

/// The arguments of `update.lua`.
pub(super) fn update(command: &mut Cmd, patch: &Patch, lifetime: Lifetime) {
    let (change, new, current): (_, &[u8], &[u8]) = match &patch.verifier {
        VerifierChange::Unchanged => ("", b"", b""),
        VerifierChange::Rotate(new) => ("rotate", verifier(new), b""),
        VerifierChange::Renew { current, new } => ("renew", verifier(new), verifier(current)),
    };
    let identity = match &patch.identity {
        IdentityChange::Unchanged => Vec::new(),
        IdentityChange::Affirmed => b"~".to_vec(),
        IdentityChange::Set(identity) => perhaps(Some(identity.as_bytes())),
        IdentityChange::Removed => perhaps(None),
    };
    let cookie = patch.cookie.as_ref().map_or_else(Vec::new, |cookie| perhaps(cookie.as_ref().map(RawJson::as_bytes)));
    command.arg(patch.epoch.0).arg(milliseconds(lifetime.idle)).arg(milliseconds(lifetime.absolute));
    command.arg(extent(lifetime)).arg(patch.limit).arg(marks(patch.clear)).arg(change).arg(new).arg(current);
    command.arg(patch.epoch.next().0).arg(identity).arg(cookie);

    let fields = || patch.written().map(|change| change.field).chain(patch.filled_fields().iter().copied());
    command.arg(fields().map(names).sum::<usize>());
    for field in fields() {
        for name in std::iter::once(&field.name).chain(field.aliases) {
            command.arg(stored_name(name));
        }
    }
    command.arg(patch.written().count());
    for Change { field, base, value, conditional, .. } in patch.written() {
        command.arg(names(field)).arg(if conditional { perhaps(base) } else { Vec::new() });
        command.arg(marked(field, value));
    }
    for field in patch.filled_fields() {
        command.arg(names(field)).arg(marked(field, patch.result.find(field.name)));
    }
}

fn names(field: &Field) -> usize {
    1 + field.aliases.len()
}

/// A new value, or that there is none any more.
fn marked(field: &Field, value: Option<&[u8]>) -> Vec<u8> {
    value.map_or_else(Vec::new, |value| stored_value(field.keep, value))
}

/// The time in milliseconds, as `TIME` gives it.
pub(super) fn time(reply: &Value) -> Option<u64> {
    let Value::Array(parts) = reply else { return None };
    let [Value::BulkString(seconds), Value::BulkString(microseconds)] = parts.as_slice() else { return None };
    Some(number(seconds)? * 1000 + number(microseconds)? / 1000)
}

pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    };
    (!digits.is_empty()).then_some(())?;
    digits.iter().try_fold(0, add)
}

/// A number of a row, which has one spelling: scripts compare epochs as text.
fn count(digits: &[u8]) -> Option<u64> {
    (digits == b"0" || digits.first() != Some(&b'0')).then(|| number(digits))?
}

/// A number that scripts count with: as far as they count exactly.
fn exact(digits: &[u8]) -> Option<u64> {
    (digits.len() <= 15).then(|| count(digits))?
}

/// The row of a hash, as it is at a moment: none, where there is none or it has ended.
pub(super) fn read(hash: &Value, now: u64) -> Result<Option<Record>, StoreError> {
    let row = match hash {
        Value::Map(pairs) if pairs.is_empty() => return Ok(None),
        Value::Array(flat) if flat.is_empty() => return Ok(None),
        Value::Map(pairs) => parse(pairs.iter().map(|(name, value)| (name, value)), now),
        // As scripts and older protocols give it.
        Value::Array(flat) => parse(flat.as_chunks::<2>().0.iter().map(|[name, value]| (name, value)), now),
        _ => None,
    };
    let row = row.ok_or(InvalidEntry::MALFORMED)?;
    Ok((!row.expires_in.is_zero()).then_some(row))
}

fn parse<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>, now: u64) -> Option<Record> {
    let mut row = Record::new(VerifierHash::NONE);
    let mut fields = FieldsWriter::new();
    let since = |moment: &[u8]| Some(Duration::from_millis(now.saturating_sub(exact(moment)?)));
    let mut heads = 0;
    for (key, stored) in pairs {
        let (Value::BulkString(key), Value::BulkString(stored)) = (key, stored) else { return None };
        heads += 1;
        match key.as_slice() {
            b"e" => row.epoch = Epoch(count(stored)?),
            b"g" => row.identity_epoch = Epoch(count(stored)?),
            b"v" if stored.is_empty() => {}
            b"v" => row.verifier = VerifierHash(stored.as_slice().try_into().ok()?),
            b"c" => row.ages.created = since(stored)?,
            b"a" => row.ages.identity = since(stored)?,
            b"r" => row.ages.verifier = since(stored)?,
            b"t" => row.ages.touched = since(stored)?,
            b"x" => row.expires_in = Duration::from_millis(exact(stored)?.saturating_sub(now)),
            b"n" => _ = exact(stored)?,
            other => {
                heads -= 1;
                match other {
                    b"p" => row.previous = Some(VerifierHash(stored.as_slice().try_into().ok()?)),
                    b"u" => row.identity = Some(RawJson::new(stored)),
                    b"k" => row.cookie = Some(RawJson::new(stored)),
                    _ => {
                        if let Some(name) = other.strip_prefix(FIELD) {
                            fields.push(field(name, stored)?);
                        }
                    }
                }
            }
        }
    }
    row.fields = fields.finish();
    (heads == 9).then_some(row)
}

fn field<'a>(name: &'a [u8], stored: &'a [u8]) -> Option<StoredField<'a>> {
    let (mark, value) = stored.split_first()?;
    let keep = match mark {
        b'=' => Keep::No,
        b'+' => Keep::SignIn,
        b'*' => Keep::Always,
        _ => return None,
    };
    let name = std::str::from_utf8(name).ok().filter(|name| Fields::has_room(name, value))?;
    Some(StoredField::new(name, keep, value))
}
