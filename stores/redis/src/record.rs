//! A record as a Redis hash: the arguments of the scripts that write it, and how it is read. The README documents the layout.

use std::time::Duration;

use ::redis::{Cmd, Value, from_redis_value_ref};

use http_session_store::clock::milliseconds;
use http_session_store::error::{InvalidEntry, StoreError};
use http_session_store::record::{
    Change, Clear, Epoch, Extent, Field, Fields, FieldsWriter, IdentityChange, Keep, Lifetime, Patch, RawJson, Record,
    StoredField, VerifierChange, VerifierHash,
};

const FIELD_PREFIX: &[u8] = b"f:";

/// How many of the hash's fields every record has: see the bytes that [`parse`] counts.
const REQUIRED_FIELDS: usize = 9;

/// The first byte of a field's value.
const fn mark(keep: Keep) -> u8 {
    match keep {
        Keep::No => b'=',
        Keep::SignIn => b'+',
        Keep::Always => b'*',
    }
}

/// The marks of the fields that are not cleared.
const fn kept_marks(clear: Clear) -> &'static str {
    match clear {
        Clear::Nothing => "=+*",
        Clear::SignIn => "+*",
        Clear::Identity => "*",
    }
}

fn stored_name(name: &str) -> Vec<u8> {
    [FIELD_PREFIX, name.as_bytes()].concat()
}

fn stored_value(keep: Keep, value: &[u8]) -> Vec<u8> {
    [&[mark(keep)], value].concat()
}

/// A value that may be absent. Neither case is the empty text, which stands for "not given".
fn optional(value: Option<&[u8]>) -> Vec<u8> {
    value.map_or_else(|| b"-".to_vec(), |value| [b"=", value].concat())
}

/// The verifier of a tombstone is stored as the empty text.
fn verifier(hash: &VerifierHash) -> &[u8] {
    if *hash == VerifierHash::NONE { b"" } else { &hash.0 }
}

/// The arguments for a lifetime. Only durations: the script takes the time from the server, whose clock is the only one.
pub(crate) fn lifetime(command: &mut Cmd, lifetime: Lifetime) {
    let extent = match lifetime.extent {
        Extent::Extend => "extend",
        Extent::Set => "set",
    };
    command.arg(milliseconds(lifetime.idle)).arg(milliseconds(lifetime.absolute)).arg(extent);
}

/// The arguments of `insert.lua`.
pub(crate) fn insert(command: &mut Cmd, record: &Record, lifetime: Lifetime) {
    command.arg(milliseconds(lifetime.time_left(Duration::ZERO, Duration::ZERO)));
    command.arg("e").arg(record.epoch.0).arg("g").arg(record.identity_epoch.0).arg("v").arg(verifier(&record.verifier));
    command.arg("n").arg(record.fields.as_bytes().len());
    if let Some(previous) = &record.previous {
        command.arg("p").arg(&previous.0);
    }
    for (name, value) in [("u", &record.identity), ("k", &record.cookie)] {
        if let Some(value) = value {
            command.arg(name).arg(value.as_bytes());
        }
    }
    for field in record.fields.iter() {
        command.arg(stored_name(field.name)).arg(stored_value(field.keep, field.value));
    }
}

/// The arguments of `update.lua`.
pub(crate) fn update(command: &mut Cmd, patch: &Patch, lifetime: Lifetime) {
    let (change, new, current): (_, &[u8], &[u8]) = match &patch.verifier {
        VerifierChange::Unchanged => ("", b"", b""),
        VerifierChange::Rotate(new) => ("rotate", verifier(new), b""),
        VerifierChange::Renew { current, new } => ("renew", verifier(new), verifier(current)),
    };
    let identity = match &patch.identity {
        IdentityChange::Unchanged => Vec::new(),
        IdentityChange::Affirmed => b"~".to_vec(),
        IdentityChange::Set(identity) => optional(Some(identity.as_bytes())),
        IdentityChange::Removed => optional(None),
    };
    let cookie = patch.cookie.as_ref().map_or_else(Vec::new, |cookie| optional(cookie.as_ref().map(RawJson::as_bytes)));
    command.arg(patch.epoch.0);
    self::lifetime(command, lifetime);
    command.arg(patch.limit).arg(kept_marks(patch.clear)).arg(change).arg(new).arg(current);
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
        command.arg(names(field)).arg(if conditional { optional(base) } else { Vec::new() });
        command.arg(marked(field, value));
    }
    for field in patch.filled_fields() {
        command.arg(names(field)).arg(marked(field, patch.result.find(field.name)));
    }
}

/// How many names a field has.
fn names(field: &Field) -> usize {
    1 + field.aliases.len()
}

/// A new value, or the empty text where the field is removed.
fn marked(field: &Field, value: Option<&[u8]>) -> Vec<u8> {
    value.map_or_else(Vec::new, |value| stored_value(field.keep, value))
}

/// The reply to `TIME`, in milliseconds.
pub(crate) fn time(reply: &Value) -> Option<u64> {
    let (seconds, microseconds): (u64, u64) = from_redis_value_ref(reply).ok()?;
    Some(seconds * 1000 + microseconds / 1000)
}

/// A number in decimal digits. `u64::from_str` would accept a sign too.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

/// A number of a record. It has only one spelling, because the scripts compare epochs as text.
fn count(digits: &[u8]) -> Option<u64> {
    (digits == b"0" || digits.first() != Some(&b'0')).then(|| number(digits))?
}

/// A number that the scripts calculate with. Lua is exact up to 2^53.
fn exact(digits: &[u8]) -> Option<u64> {
    (digits.len() <= 15).then(|| count(digits))?
}

/// Reads the record of a hash at this time. There is no record if the hash is empty or the record has expired.
pub(crate) fn read(hash: &Value, now: u64) -> Result<Option<Record>, StoreError> {
    let record = match hash {
        Value::Map(pairs) if pairs.is_empty() => return Ok(None),
        Value::Array(flat) if flat.is_empty() => return Ok(None),
        Value::Map(pairs) => parse(pairs.iter().map(|(name, value)| (name, value)), now),
        // Scripts, and connections with RESP2, give a hash as a flat list.
        Value::Array(flat) => parse(flat.as_chunks::<2>().0.iter().map(|[name, value]| (name, value)), now),
        _ => None,
    };
    let record = record.ok_or(InvalidEntry::MALFORMED)?;
    Ok((!record.expires_in.is_zero()).then_some(record))
}

/// Judges a hash as `is_readable` in record.lua does: a hash that one side rejects and the other overwrites would be lost.
fn parse<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>, now: u64) -> Option<Record> {
    let mut record = Record::new(VerifierHash::NONE);
    let mut fields = FieldsWriter::new();
    let since = |moment: &[u8]| Some(Duration::from_millis(now.saturating_sub(exact(moment)?)));
    let mut required = 0;
    for (name, value) in pairs {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else { return None };
        required +=
            usize::from(matches!(name.as_slice(), b"e" | b"g" | b"v" | b"c" | b"a" | b"r" | b"t" | b"x" | b"n"));
        match name.as_slice() {
            b"e" => record.epoch = Epoch(count(value)?),
            b"g" => record.identity_epoch = Epoch(count(value)?),
            b"v" if value.is_empty() => {}
            b"v" => record.verifier = VerifierHash(value.as_slice().try_into().ok()?),
            b"c" => record.ages.created = since(value)?,
            b"a" => record.ages.identity = since(value)?,
            b"r" => record.ages.verifier = since(value)?,
            b"t" => record.ages.touched = since(value)?,
            b"x" => record.expires_in = Duration::from_millis(exact(value)?.saturating_sub(now)),
            b"n" => _ = exact(value)?,
            b"p" => record.previous = Some(VerifierHash(value.as_slice().try_into().ok()?)),
            b"u" => record.identity = Some(RawJson::new(value)),
            b"k" => record.cookie = Some(RawJson::new(value)),
            other => {
                if let Some(name) = other.strip_prefix(FIELD_PREFIX) {
                    fields.push(field(name, value)?);
                }
            }
        }
    }
    record.fields = fields.finish();
    (required == REQUIRED_FIELDS).then_some(record)
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
