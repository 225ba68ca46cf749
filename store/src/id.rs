//! Session ids.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use smallvec::SmallVec;

use crate::error::InvalidSessionId;

/// The stable name of a session: the key under which a store keeps its record.
///
/// In the native format this is the *selector*, 128 random bits as 22 characters of base64url. It is not a secret: the cookie
/// carries a verifier beside it, of which the record keeps only a hash. In the express format it is express-session's
/// `sessionID`, which is a credential. Therefore `Debug` never shows an id, and there is no `Display`. A store or a background
/// job that needs the text calls [`as_str`](Self::as_str).
///
/// ```
/// use http_session_store::SessionId;
///
/// let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?;
/// assert_eq!(format!("{id:?}"), "SessionId(..)");
/// assert_eq!(format!("session:{}", id.as_str()), "session:kUeB2YVgRXuVqz1nXbW3oA");
/// # Ok::<_, http_session_store::error::InvalidSessionId>(())
/// ```
#[doc(alias = "sessionID")]
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(SmallVec<[u8; 32]>);

/// Bytes of entropy in a selector. Hidden, like what follows: only the middleware makes ids and writes them into cookies.
#[doc(hidden)]
pub const SELECTOR_BYTES: usize = 16;

impl SessionId {
    /// Comes before every id. It is not an id itself.
    #[cfg(feature = "memory")]
    pub(crate) fn before_all() -> Self {
        Self(SmallVec::new())
    }

    /// The id of a native session.
    #[doc(hidden)]
    #[must_use]
    pub fn from_selector(selector: &[u8; SELECTOR_BYTES]) -> Self {
        let mut text = SmallVec::from_elem(0, 22);
        let written = URL_SAFE_NO_PAD.encode_slice(selector, &mut text);
        debug_assert_eq!(written, Ok(22));
        Self(text)
    }

    /// The selector that this id stands for, if it has the native shape.
    #[doc(hidden)]
    #[must_use]
    pub fn selector(&self) -> Option<[u8; SELECTOR_BYTES]> {
        let mut selector = [0; SELECTOR_BYTES];
        match URL_SAFE_NO_PAD.decode_slice(&self.0, &mut selector) {
            Ok(SELECTOR_BYTES) => Some(selector),
            _ => None,
        }
    }

    /// The id as text, for a store's key or a background job's note. In the express format, treat it like a password.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes of the text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Copies the bytes as a whole, which a derived `Clone` would do one by one.
impl Clone for SessionId {
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

/// Takes any text of 1 to 1,024 bytes. Whether a session of that name exists, only the store knows.
impl TryFrom<&str> for SessionId {
    type Error = InvalidSessionId;

    fn try_from(text: &str) -> Result<Self, InvalidSessionId> {
        match text.len() {
            1..=1024 => Ok(Self(SmallVec::from_slice(text.as_bytes()))),
            _ => Err(InvalidSessionId::new()),
        }
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}
