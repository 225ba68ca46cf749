//! The names of keys.

use http_session_store::SessionId;
use http_session_store::record::RawJson;

pub(crate) struct Keys(String);

/// The keys of one identity. No command uses both: while a slot is being moved, a command with several keys fails unless one
/// server has all of them, and no server has a key that does not exist.
///
/// They share a hash tag, the first text in braces, and so a slot. The tag begins with `user:`, so it is never empty. It ends at
/// the first closing brace, which may be one of the identity.
pub(crate) struct IndexKeys {
    pub(crate) sessions: Vec<u8>,
    pub(crate) generation: Vec<u8>,
}

impl Keys {
    pub(crate) const fn new(prefix: String) -> Self {
        Self(prefix)
    }

    pub(crate) fn session(&self, id: &SessionId) -> Vec<u8> {
        [self.0.as_bytes(), b"s:", id.as_bytes()].concat()
    }

    /// The id of a key from [`session`](Self::session).
    pub(crate) fn id(&self, key: &[u8]) -> Option<SessionId> {
        let id = key.strip_prefix(self.0.as_bytes())?.strip_prefix(b"s:")?;
        SessionId::try_from(std::str::from_utf8(id).ok()?).ok()
    }

    /// The pattern of all keys of sessions, for `SCAN`.
    pub(crate) fn sessions(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 3);
        for letter in self.0.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "s:*"
    }

    pub(crate) fn index(&self, identity: &RawJson) -> IndexKeys {
        let key = |name: &[u8]| [self.0.as_bytes(), b"{user:", identity.as_bytes(), b"}:", name].concat();
        IndexKeys { sessions: key(b"sessions"), generation: key(b"generation") }
    }
}
