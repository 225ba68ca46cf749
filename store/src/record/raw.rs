//! A value as JSON text that nobody has parsed.

use std::fmt;
use std::sync::Arc;

/// JSON text as it stands in the store. Cloning shares it.
///
/// `Debug` shows the length only:
///
/// ```
/// use http_session_store::record::RawJson;
///
/// let identity = RawJson::new(br#"{"id":42}"#);
/// assert_eq!(identity.as_bytes(), br#"{"id":42}"#);
/// assert_eq!(format!("{identity:?}"), "RawJson(9 bytes)");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RawJson(Arc<[u8]>);

impl RawJson {
    /// Takes the bytes as they are. They need not be valid JSON: whoever reads the value decides what to do if it does not
    /// decode.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}
