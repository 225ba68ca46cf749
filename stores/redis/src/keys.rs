//! The names of keys.

use http_session_store::SessionId;
use http_session_store::record::RawJson;

pub(super) struct Keys(String);

/// The keys of one identity, each asked for by itself: while a slot is being moved, a command of several keys fails unless all
/// of them are on one server, and a key that does not exist is on none. They have one hash tag, the first text in braces, and so
/// one slot: it begins with `user:`, so that it is never empty, and ends at the first brace of the identity or after it.
pub(super) struct IndexKeys {
    pub(super) sessions: Vec<u8>,
    pub(super) generation: Vec<u8>,
}

impl Keys {
    pub(super) const fn new(prefix: String) -> Self {
        Self(prefix)
    }

    pub(super) fn session(&self, id: &SessionId) -> Vec<u8> {
        [self.0.as_bytes(), b"s:", id.as_bytes()].concat()
    }

    /// The id of a key that [`session`](Self::session) gave.
    pub(super) fn id(&self, key: &[u8]) -> Option<SessionId> {
        let id = key.strip_prefix(self.0.as_bytes())?.strip_prefix(b"s:")?;
        SessionId::try_from(std::str::from_utf8(id).ok()?).ok()
    }

    /// What all keys of sessions match, for `SCAN`.
    pub(super) fn sessions(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 3);
        for letter in self.0.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "s:*"
    }

    pub(super) fn index(&self, identity: &RawJson) -> IndexKeys {
        let key = |of: &[u8]| [self.0.as_bytes(), b"{user:", identity.as_bytes(), b"}:", of].concat();
        IndexKeys { sessions: key(b"sessions"), generation: key(b"generation") }
    }
}
