//! How a session is named in a log.

use std::fmt;

use hmac::Mac as _;

use crate::token::Secret;
use crate::token::{HmacSha256, derived};
use http_session_store::SessionId;

/// Names the purpose of the key (R2).
const LOG: &[u8] = b"http-session 1 log";

/// The key of the tags. Another secret, cookie name or scope gives different tags.
pub(crate) struct TagKey(HmacSha256);

impl TagKey {
    pub(crate) fn new(secret: &Secret, cookie_name: &str, scope: &str) -> Self {
        Self(derived(secret, [LOG, cookie_name.as_bytes(), scope.as_bytes()]))
    }

    /// The tag of a session. It joins the events of one session in a log, and reveals nothing of the id (R26).
    pub(super) fn tag(&self, id: &SessionId) -> Tag {
        let mac = self.0.clone().chain_update(id.as_bytes()).finalize().into_bytes();
        Tag(mac.first_chunk().copied().unwrap_or_default())
    }
}

/// The first 32 bits of a keyed hash, as hexadecimal digits.
pub(super) struct Tag([u8; 4]);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(secret: &'static str, name: &str, scope: &str, id: &str) -> String {
        let key = TagKey::new(&Secret::try_from(secret).unwrap(), name, scope);
        key.tag(&SessionId::try_from(id).unwrap()).to_string()
    }

    const ONE: &str = "a secret for tests, of more than 32 bytes";
    const OTHER: &str = "another secret for tests, as long as that";

    #[test]
    fn r26_a_tag_depends_only_on_secret_name_scope_and_session() {
        let first = tag(ONE, "sid", "", "a");
        assert_eq!(first, tag(ONE, "sid", "", "a"));
        assert!(first.len() == 8 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
        for other in
            [tag(OTHER, "sid", "", "a"), tag(ONE, "id", "", "a"), tag(ONE, "sid", "x", "a"), tag(ONE, "sid", "", "b")]
        {
            assert_ne!(first, other);
        }
    }
}
