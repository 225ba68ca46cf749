//! Bytes as text that a person can read, for stores whose columns hold text.
//!
//! Ids, identities and values are bytes, and almost always UTF-8. Such bytes are their own text. Other bytes, and those that begin
//! with a backslash (which no JSON does), become `\x` and hexadecimal digits, as PostgreSQL shows a `bytea`.
//!
//! ```
//! use http_session_store::record::{Fields, Keep};
//! use http_session_store::text;
//!
//! let record = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
//! let (fields, marks) = (text::fields(record.iter()), text::marks(record.iter()));
//! assert_eq!(fields, r#"{"views":"3","theme":"\"dark\""}"#);
//! assert_eq!(marks, r#"{"theme":"always"}"#);
//! assert_eq!(text::parse(&fields, &marks)?, record);
//! # Ok::<_, http_session_store::error::InvalidEntry>(())
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde::ser::Serializer as _;

use crate::error::InvalidEntry;
use crate::record::{Fields, Keep, StoredField};

/// The text of these bytes. It has no NUL, which some databases cannot keep.
///
/// ```
/// use http_session_store::text::encode;
///
/// assert_eq!(encode(br#"{"a": 1}"#), r#"{"a": 1}"#);
/// assert_eq!(encode(b"\xff\x0a"), r"\xff0a");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with('\\') && !text.contains('\0') => Cow::Borrowed(text),
        _ => {
            let mut text = String::with_capacity(2 + 2 * bytes.len());
            text.push_str("\\x");
            for byte in bytes {
                for nibble in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
                }
            }
            Cow::Owned(text)
        }
    }
}

/// The bytes of this text; `None` if [`encode`] cannot have given it.
#[must_use]
pub fn decode(text: &str) -> Option<Cow<'_, [u8]>> {
    let Some(digits) = text.strip_prefix("\\x") else {
        return (!text.starts_with('\\')).then_some(Cow::Borrowed(text.as_bytes()));
    };
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<u8>>>().map(Cow::Owned)
}

/// Fields as a JSON object: each name, with the text of its value as a string.
#[must_use]
pub fn fields<'a>(fields: impl IntoIterator<Item = StoredField<'a>>) -> String {
    object(fields.into_iter().map(|field| (field.name, encode(field.value))))
}

/// The marks of the fields that have one, as a JSON object: each name with `"sign_in"` or `"always"`.
#[must_use]
pub fn marks<'a>(fields: impl IntoIterator<Item = StoredField<'a>>) -> String {
    object(fields.into_iter().filter_map(|field| Some((field.name, Cow::Borrowed(mark(field.keep)?)))))
}

/// The word for a mark in [`marks`].
#[must_use]
pub const fn mark(keep: Keep) -> Option<&'static str> {
    match keep {
        Keep::No => None,
        Keep::SignIn => Some("sign_in"),
        Keep::Always => Some("always"),
    }
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, Cow<'a, str>)>) -> String {
    let mut json = Vec::with_capacity(256);
    let entries = entries.map(|(name, value)| (encode(name.as_bytes()), value));
    // Strings, written to memory: there is no error that this could give.
    let written = serde_json::Serializer::new(&mut json).collect_map(entries);
    debug_assert!(written.is_ok());
    String::from_utf8(json).unwrap_or_default()
}

/// Reads what [`fields`] and [`marks`] gave, after a database has kept it. If a name comes twice, the last one counts.
///
/// # Errors
/// One of the texts is not such a JSON object.
pub fn parse(fields: &str, marks: &str) -> Result<Fields, InvalidEntry> {
    // Looked up by hash, so that a record with any number of fields, which somebody else may have written, takes linear time.
    let (fields, marks) = (entries(fields)?, entries(marks)?.into_iter().collect::<HashMap<_, _>>());
    let mut stored = Vec::with_capacity(fields.len());
    for (name, value) in &fields {
        let keep = match marks.get(name).map(AsRef::as_ref) {
            None => Keep::No,
            Some("sign_in") => Keep::SignIn,
            Some("always") => Keep::Always,
            Some(_) => return Err(InvalidEntry::MALFORMED),
        };
        let (Some(name), Some(value)) = (decode_name(name), decode(value)) else { return Err(InvalidEntry::MALFORMED) };
        if !Fields::has_room(&name, &value) {
            return Err(InvalidEntry::MALFORMED);
        }
        stored.push((name, keep, value));
    }
    Ok(stored.iter().map(|(name, keep, value)| (name.as_ref(), *keep, value.as_ref())).collect())
}

fn decode_name(text: &str) -> Option<Cow<'_, str>> {
    if !text.starts_with('\\') {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(decode(text)?.into_owned()).ok().map(Cow::Owned)
}

type Entries<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The entries of an object in their order. By hand: for serde a list of pairs is no object, and a map loses the order.
fn entries(json: &str) -> Result<Entries<'_>, InvalidEntry> {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Entries<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of strings")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
            let mut entries = Vec::new();
            while let Some((Text(name), Text(value))) = map.next_entry()? {
                entries.push((name, value));
            }
            Ok(entries)
        }
    }

    let mut json = serde_json::Deserializer::from_str(json);
    let entries = json.deserialize_map(Object).map_err(|_| InvalidEntry::MALFORMED)?;
    json.end().map_err(|_| InvalidEntry::MALFORMED)?;
    Ok(entries)
}

/// A string, borrowed if nothing in it is escaped: serde alone would copy every `Cow`.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r16_utf8_is_its_own_text() {
        assert_eq!(encode(br#"{"a": 1}"#), r#"{"a": 1}"#);
        assert_eq!(encode(b"\0"), "\\x00");
        assert_eq!(encode(b"\\x"), "\\x5c78");
        assert_eq!(encode(b"\xff\x0a"), "\\xff0a");
        for text in ["\\", "\\x0", "\\xzz", "\\y", "\\x+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn r16_what_is_not_an_object_of_strings_is_malformed() {
        for fields in [
            "",
            "{",
            "[]",
            "null",
            r#"{"a":1}"#,
            r#"{"a":"1"} x"#,
            r#"{"a":"\\"}"#,
            r#"{"\\x0":"1"}"#,
            r#"{"\\xff":"1"}"#,
        ] {
            assert!(parse(fields, "{}").is_err(), "{fields}");
        }
        assert!(parse(r#"{"a":"1"}"#, r#"{"a":"never"}"#).is_err());
        assert!(parse(r#"{"a":"1"}"#, r#"{"b":"always"}"#).is_ok());
        assert_eq!(parse(r#"{"a":"1","b":"2","a":"3"}"#, "{}").unwrap().find("a"), Some(b"3".as_slice()));
        let name = "n".repeat(1 << 16);
        assert!(parse(&format!(r#"{{"{name}":"1"}}"#), "{}").is_err(), "it would be lost in memory");
    }

    proptest! {
        #[test]
        fn r16_any_bytes_come_back(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert!(!text.contains('\0'));
            let back = decode(&text);
            prop_assert_eq!(back.as_deref(), Some(bytes.as_slice()));
        }

        #[test]
        fn r16_any_fields_come_back(stored: Vec<(String, u8, Vec<u8>)>) {
            let stored = stored.iter().map(|(name, keep, value)| (name.as_str(), Keep::from_byte(*keep % 3), value.as_slice()));
            let block: Fields = stored.collect();
            let (json, kept) = (fields(block.iter()), marks(block.iter()));
            prop_assert!(serde_json::from_str::<HashMap<String, String>>(&json).is_ok());
            prop_assert_eq!(parse(&json, &kept).unwrap(), block);
        }

        #[test]
        fn r16_no_text_panics(fields: String, marks: String) {
            let _ = parse(&fields, &marks);
        }
    }
}
