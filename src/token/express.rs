//! The signed cookie of express-session: `s:<session id>.<signature>`, as express-session and its
//! `cookie-signature` write it.
//!
//! The signature is HMAC-SHA256 of the id alone under the secret itself, so R2's separation does not hold here: it is valid
//! under every cookie name that shares the secret.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::Mac as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use smallvec::SmallVec;
use subtle::ConstantTimeEq as _;

use http_session_store::SessionId;

use super::{HmacSha256, Secret, Verified, keyed, within_budget};

/// What JavaScript's encodeURIComponent encodes.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

const SIGNATURE_BYTES: usize = 43;

/// Which session ids are taken, once their signature is verified (R2).
///
/// Given to [`Builder::id_shape`](crate::config::builder::Builder::id_shape).
///
/// ```
/// # use http_session::{config::express::IdShape, MemoryStore, Secret, SessionConfig};
/// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.id_shape(IdShape::Any).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdShape {
    /// 1 to 128 of `A-Z a-z 0-9 _ -`: what express's own generator makes.
    #[default]
    Strict,
    /// 1 to 1024 bytes of UTF-8, for an own `genid`.
    Any,
}

impl IdShape {
    pub(crate) fn session_id(self, id: &str) -> Option<SessionId> {
        let fits = match self {
            Self::Strict => {
                id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            }
            Self::Any => true,
        };
        if fits { SessionId::try_from(id).ok() } else { None }
    }
}

/// The keys of the express format: the first secret signs, all verify.
pub(crate) struct ExpressKeys {
    current: HmacSha256,
    previous: Vec<HmacSha256>,
    shape: IdShape,
}

impl ExpressKeys {
    /// Keys that take ids of a shape.
    pub(crate) fn new(current: &Secret, previous: &[Secret], shape: IdShape) -> Self {
        Self {
            current: keyed(current.as_bytes()),
            previous: previous.iter().map(|secret| keyed(secret.as_bytes())).collect(),
            shape,
        }
    }

    /// The cookie's value, percent-encoded.
    pub(crate) fn sign(&self, id: &SessionId) -> String {
        let signature = signature(&self.current, id.as_bytes());
        let mut value = String::with_capacity(128);
        value.push_str("s%3A");
        value.extend(utf8_percent_encode(id.as_str(), COMPONENT));
        value.push('.');
        value.extend(utf8_percent_encode(std::str::from_utf8(&signature).unwrap_or_default(), COMPONENT));
        value
    }

    /// The ids among the values of all cookies of our name, in constant time for each, within R3's budget.
    pub(crate) fn verify_all<'h>(
        &self,
        candidates: impl Iterator<Item = &'h [u8]>,
    ) -> SmallVec<[Verified<SessionId>; 1]> {
        let decoded = candidates.enumerate().filter_map(|(index, value)| Some((index, Candidate::decode(value)?)));
        within_budget(decoded, std::iter::once(&self.current).chain(&self.previous), |candidate, key| {
            let (id, presented) = candidate.parts()?;
            let is_ours = bool::from(signature(key, id.as_bytes()).as_slice().ct_eq(presented.as_bytes()));
            if is_ours { self.shape.session_id(id) } else { None }
        })
    }
}

/// Standard base64 without padding; compared as text, so no other spelling of the same bytes passes.
fn signature(key: &HmacSha256, id: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let mut text = [0; SIGNATURE_BYTES];
    let mac = key.clone().chain_update(id).finalize().into_bytes();
    let written = STANDARD_NO_PAD.encode_slice(mac, &mut text);
    debug_assert_eq!(written, Ok(SIGNATURE_BYTES));
    text
}

/// A cookie's value after percent-decoding that is formed like a signed one.
#[derive(PartialEq)]
struct Candidate<'h>(Cow<'h, str>);

impl<'h> Candidate<'h> {
    fn decode(value: &'h [u8]) -> Option<Self> {
        // express writes ASCII alone; Node would read other bytes as Latin-1, which nobody has signed.
        let value = std::str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
        let candidate = Self(decode_component(value));
        let (_, signature) = candidate.parts()?;
        (signature.len() == SIGNATURE_BYTES).then_some(candidate)
    }

    /// The id and the signature, parted at the last dot.
    fn parts(&self) -> Option<(&str, &str)> {
        self.0.strip_prefix("s:")?.rsplit_once('.')
    }
}

/// JavaScript's decodeURIComponent; what it refuses stays as it is (cookie 0.7.2).
fn decode_component(text: &str) -> Cow<'_, str> {
    let is_escape =
        |tail: &str| matches!(tail.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if text.split('%').skip(1).all(is_escape) {
        percent_decode(text.as_bytes()).decode_utf8().unwrap_or(Cow::Borrowed(text))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests;
