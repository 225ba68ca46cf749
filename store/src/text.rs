//! Bytes as text that a person can read: for stores whose columns hold text.
//!
//! Ids, identities and values are bytes, and almost always UTF-8. Those are their own text. Others (and such as begin with a
//! backslash, which no JSON does) become `\x` and their bytes in hexadecimal, as PostgreSQL shows a `bytea`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};

use crate::error::InvalidEntry;
use crate::record::{Fields, Keep, StoredField};

/// The text of these bytes. Without NUL, which some databases cannot keep.
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

/// The bytes of this text, if [`encode`] may have given it.
pub fn decode(text: &str) -> Option<Cow<'_, [u8]>> {
    let Some(digits) = text.strip_prefix("\\x") else {
        return (!text.starts_with('\\')).then_some(Cow::Borrowed(text.as_bytes()));
    };
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<u8>>>().map(Cow::Owned)
}

/// Fields as a JSON object: of each the name, and the text of its value as a string.
pub fn fields<'a>(fields: impl IntoIterator<Item = StoredField<'a>>) -> String {
    object(fields.into_iter().map(|field| (field.name, encode(field.value))))
}

/// The marks of the fields that have one, as a JSON object: `"sign_in"` or `"always"`.
pub fn marks<'a>(fields: impl IntoIterator<Item = StoredField<'a>>) -> String {
    object(fields.into_iter().filter_map(|field| Some((field.name, Cow::Borrowed(mark(field.keep)?)))))
}

/// What [`marks`] says of a mark.
pub const fn mark(keep: Keep) -> Option<&'static str> {
    match keep {
        Keep::No => None,
        Keep::SignIn => Some("sign_in"),
        Keep::Always => Some("always"),
    }
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, Cow<'a, str>)>) -> String {
    // Room for most.
    let mut text = String::with_capacity(256);
    text.push('{');
    for (name, value) in entries {
        if text.len() > 1 {
            text.push(',');
        }
        push_string(&mut text, &encode(name.as_bytes()));
        text.push(':');
        push_string(&mut text, &value);
    }
    text.push('}');
    text
}

/// As JSON: quotes, backslashes and control characters are escaped.
fn push_string(text: &mut String, value: &str) {
    text.push('"');
    let mut rest = value;
    // All of these are one byte, so no letter is cut in two.
    while let Some(place) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\') || byte < b' ') {
        let (plain, special) = rest.split_at(place);
        text.push_str(plain);
        let mut letters = special.chars();
        match letters.next() {
            Some('\n') => text.push_str("\\n"),
            Some(letter @ ('"' | '\\')) => text.extend(['\\', letter]),
            Some(control) => text.push_str(&format!("\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = letters.as_str();
    }
    text.push_str(rest);
    text.push('"');
}

/// Reads what [`fields`] and [`marks`] gave, after the database had it.
pub fn parse(fields: &str, marks: &str) -> Result<Fields, InvalidEntry> {
    let (fields, mut marks) = (entries(fields)?, entries(marks)?);
    // So that a record which somebody else wrote, with any number of them, takes no time either.
    marks.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mark_of = |name| marks.binary_search_by(|(of, _)| of.cmp(name)).ok().and_then(|place| marks.get(place));
    let mut stored = Vec::with_capacity(fields.len());
    for (name, value) in &fields {
        let keep = match mark_of(name).map(|(_, mark)| mark.as_ref()) {
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

/// A string, borrowed where nothing in it is escaped.
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
    fn r16_what_is_no_object_of_strings_is_malformed() {
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
            prop_assert!(serde_json::from_str::<std::collections::HashMap<String, String>>(&json).is_ok());
            prop_assert_eq!(parse(&json, &kept).unwrap(), block);
        }

        #[test]
        fn r16_no_text_panics(fields: String, marks: String) {
            let _ = parse(&fields, &marks);
        }
    }
}
