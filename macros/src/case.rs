//! `rename_all`: the eight styles of serde, with the results that serde gives.

/// A style of stored names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

/// How the user writes each style.
pub(crate) const CASES: [(&str, Case); 8] = [
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
    ("PascalCase", Case::Pascal),
    ("camelCase", Case::Camel),
    ("snake_case", Case::Snake),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
    ("SCREAMING-KEBAB-CASE", Case::ScreamingKebab),
];

impl Case {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        CASES.iter().find(|(name, _)| *name == text).map(|(_, case)| *case)
    }

    /// The stored name of a field. Like serde, this assumes that the field itself is in snake case.
    pub(crate) fn apply(self, field: &str) -> String {
        match self {
            Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper | Self::ScreamingSnake => field.to_ascii_uppercase(),
            Self::Pascal => join_words(field, true),
            Self::Camel => join_words(field, false),
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn join_words(field: &str, first_is_upper: bool) -> String {
    let mut joined = String::with_capacity(field.len());
    let mut upper = first_is_upper;
    for letter in field.chars() {
        if letter == '_' {
            upper = upper || !joined.is_empty();
        } else if upper {
            joined.push(letter.to_ascii_uppercase());
            upper = false;
        } else if joined.is_empty() {
            joined.push(letter.to_ascii_lowercase());
        } else {
            joined.push(letter);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_gives_what_serde_gives() {
        let expected = [
            ("lowercase", "last_seen_at"),
            ("UPPERCASE", "LAST_SEEN_AT"),
            ("PascalCase", "LastSeenAt"),
            ("camelCase", "lastSeenAt"),
            ("snake_case", "last_seen_at"),
            ("SCREAMING_SNAKE_CASE", "LAST_SEEN_AT"),
            ("kebab-case", "last-seen-at"),
            ("SCREAMING-KEBAB-CASE", "LAST-SEEN-AT"),
        ];
        for (style, name) in expected {
            assert_eq!(Case::parse(style).map(|case| case.apply("last_seen_at")).as_deref(), Some(name));
        }
        assert_eq!(Case::parse("Snake"), None);
    }

    #[test]
    fn underscores_at_either_end_are_dropped() {
        assert_eq!(Case::Camel.apply("_a_b_"), "aB");
        assert_eq!(Case::Pascal.apply("_a_b_"), "AB");
        assert_eq!(Case::Camel.apply("_"), "");
    }
}
