//! The signed cookie of express-session: `s:<session id>.<signature>`, as its package `cookie-signature` writes it.
//!
//! The signature is the HMAC-SHA256 of only the id, and its key is the secret itself. So the separation of R2 does not
//! hold here: a signature is valid under every cookie name that shares the secret.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::Mac as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use smallvec::SmallVec;
use subtle::ConstantTimeEq as _;

use http_session_store::SessionId;

use super::{HmacSha256, Secret, Verified, keyed, within_budget};

/// The characters that JavaScript's `encodeURIComponent` encodes.
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

/// Which session ids are accepted, after their signature is verified. Set with
/// [`Builder::id_shape`](crate::config::builder::Builder::id_shape).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdShape {
    /// 1 to 128 characters of `A-Z a-z 0-9 _ -`. The default generator of express-session makes ids of this shape.
    #[default]
    Strict,
    /// 1 to 1024 bytes of UTF-8, for applications with a `genid` of their own.
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

/// The keys of the express format. The first secret signs, all secrets verify.
pub(crate) struct ExpressKeys {
    current: HmacSha256,
    previous: Vec<HmacSha256>,
    shape: IdShape,
}

impl ExpressKeys {
    /// Creates the keys. Ids of another shape are not accepted.
    pub(crate) fn new(current: &Secret, previous: &[Secret], shape: IdShape) -> Self {
        Self {
            current: keyed(current.as_bytes()),
            previous: previous.iter().map(|secret| keyed(secret.as_bytes())).collect(),
            shape,
        }
    }

    /// The value of the cookie, percent-encoded.
    pub(crate) fn sign(&self, id: &SessionId) -> String {
        let signature = signature(&self.current, id.as_bytes());
        let mut value = String::with_capacity(128);
        value.push_str("s%3A");
        value.extend(utf8_percent_encode(id.as_str(), COMPONENT));
        value.push('.');
        value.extend(utf8_percent_encode(std::str::from_utf8(&signature).unwrap_or_default(), COMPONENT));
        value
    }

    /// The ids among the values of all cookies of our name, within the limits of R3. Each comparison takes constant
    /// time.
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

/// The signature as standard base64 without padding. It is compared as text, because base64 can write the same bytes in
/// several ways, and express-session accepts only this one.
fn signature(key: &HmacSha256, id: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let mut text = [0; SIGNATURE_BYTES];
    let mac = key.clone().chain_update(id).finalize().into_bytes();
    let written = STANDARD_NO_PAD.encode_slice(mac, &mut text);
    debug_assert_eq!(written, Ok(SIGNATURE_BYTES));
    text
}

/// A cookie's value after percent-decoding, in the form of a signed value.
#[derive(PartialEq)]
struct Candidate<'h>(Cow<'h, str>);

impl<'h> Candidate<'h> {
    fn decode(value: &'h [u8]) -> Option<Self> {
        // express writes only ASCII. Node would read other bytes as Latin-1, and no signature covers those.
        let value = std::str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
        let candidate = Self(decode_component(value));
        let (_, signature) = candidate.parts()?;
        (signature.len() == SIGNATURE_BYTES).then_some(candidate)
    }

    /// The id and the signature, split at the last dot.
    fn parts(&self) -> Option<(&str, &str)> {
        self.0.strip_prefix("s:")?.rsplit_once('.')
    }
}

/// JavaScript's `decodeURIComponent`. A text that it rejects stays as it is, as in the npm package `cookie` 0.7.2.
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
