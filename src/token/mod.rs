//! Stage 2: verifies a cookie before anything in it is used.
//!
//! A native token has 72 bytes, written as 96 characters of base64url:
//!
//! | bytes | content |
//! |---|---|
//! | 16 | selector: the key of the record, not secret (R1) |
//! | 8 | epoch, big endian (R4) |
//! | 16 | verifier: secret, the record keeps its hash (R1) |
//! | 32 | HMAC-SHA256 |
//!
//! The MAC covers the fingerprint, preceded by its length, and the first 40 bytes. Its key is derived from the secret
//! for this purpose, format version, cookie name and scope (R2). So a cookie of one configuration is not valid in
//! another.

pub(crate) mod express;
mod secret;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use http_session_store::SELECTOR_BYTES;
use http_session_store::record::{Epoch, VerifierHash};

use self::express::ExpressKeys;
pub use self::secret::{ExpressSecret, Secret};

pub(crate) type HmacSha256 = Hmac<Sha256>;

pub(crate) const VERIFIER_BYTES: usize = 16;
pub(crate) const MAC_BYTES: usize = 32;
const SIGNED_BYTES: usize = SELECTOR_BYTES + 8 + VERIFIER_BYTES;
const TOKEN_BYTES: usize = SIGNED_BYTES + MAC_BYTES;
pub(crate) const TEXT_BYTES: usize = TOKEN_BYTES / 3 * 4;

/// The version of the format and the purpose of the key. A format whose tokens mean something else needs another text:
/// otherwise its code would accept old tokens, and misread them.
const COOKIE: &[u8] = b"http-session 1 cookie";

/// How many MACs are computed for a request with several cookies of our name, and how many verified cookies are used
/// (R3). Without a limit, a header with a hundred forged cookies would cost a MAC for each cookie and secret.
const MAX_MACS: usize = 8;
const MAX_VERIFIED: usize = 4;

/// A verifier before it is hashed, for a cookie.
pub(crate) type Verifier = [u8; VERIFIER_BYTES];

/// The format of cookies and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Native,
    Express,
}

impl Format {
    /// The hash of a verifier that the record keeps. Express records have no verifier, because the id is the
    /// credential. They share one constant, which is not the hash of a tombstone.
    pub(crate) fn verifier_hash(self, verifier: &Verifier) -> VerifierHash {
        match self {
            Self::Native => verifier_hash(verifier),
            Self::Express => VerifierHash([1; 32]),
        }
    }

    /// Whether a rotation inserts a new record and leaves the old one. In the express format it must, because the id is
    /// the credential.
    pub(crate) const fn rotates_into_new_record(self) -> bool {
        matches!(self, Self::Express)
    }
}

/// The keys of the configured format.
pub(crate) enum CookieKeys {
    Native(Keys),
    Express(ExpressKeys),
}

/// The content of a verified cookie.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) selector: [u8; SELECTOR_BYTES],
    pub(crate) epoch: Epoch,
    pub(crate) verifier: [u8; VERIFIER_BYTES],
}

impl Token {
    fn to_bytes(&self) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        let (selector, rest) = bytes.split_at_mut(SELECTOR_BYTES);
        let (epoch, verifier) = rest.split_at_mut(8);
        selector.copy_from_slice(&self.selector);
        epoch.copy_from_slice(&self.epoch.0.to_be_bytes());
        verifier.copy_from_slice(&self.verifier);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (selector, rest) = bytes.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        Some(Self {
            selector: *selector,
            epoch: Epoch(u64::from_be_bytes(*epoch)),
            verifier: *rest.first_chunk::<VERIFIER_BYTES>()?,
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A signed token, as the value of a cookie.
pub(crate) struct TokenText([u8; TEXT_BYTES]);

impl TokenText {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(..)")
    }
}

/// Which secret a cookie was signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedBy {
    Current,
    /// The cookie is signed again when the session is used (R25).
    Previous,
}

/// A cookie whose MAC is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified<T> {
    pub(crate) value: T,
    pub(crate) signed_by: SignedBy,
    /// The cookie's position among the cookies of our name.
    pub(crate) candidate: usize,
}

/// The keys of the native format. The first secret signs, all secrets verify (R25).
///
/// A key is stored as the HMAC state after reading it, which saves about half of the work for each MAC. The hmac crate
/// wipes this state when it is dropped.
pub(crate) struct Keys {
    current: HmacSha256,
    previous: Vec<HmacSha256>,
}

impl Keys {
    /// Derives the keys for a cookie's full name and an application's scope (R2).
    pub(crate) fn new(current: &Secret, previous: &[Secret], cookie_name: &str, scope: &str) -> Self {
        let key = |secret| derived(secret, [COOKIE, cookie_name.as_bytes(), scope.as_bytes()]);
        Self { current: key(current), previous: previous.iter().map(key).collect() }
    }

    /// The value of the cookie. Does not allocate.
    pub(crate) fn sign(&self, token: &Token, fingerprint: &[u8]) -> TokenText {
        let signed = token.to_bytes();
        let mut bytes = [0; TOKEN_BYTES];
        let (start, mac) = bytes.split_at_mut(SIGNED_BYTES);
        start.copy_from_slice(&signed);
        mac.copy_from_slice(&cookie_mac(&self.current, fingerprint, &signed).finalize().into_bytes());
        let mut text = [0; TEXT_BYTES];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written, Ok(TEXT_BYTES));
        TokenText(text)
    }

    /// The tokens among the values of all cookies of our name, within the limits of R3. Each comparison takes constant
    /// time: `Mac::verify` must not be replaced by `==`, whose time tells how many bytes of a forged MAC are right.
    pub(crate) fn verify_all<'h>(
        &self,
        candidates: impl Iterator<Item = &'h [u8]>,
        fingerprint: &[u8],
    ) -> SmallVec<[Verified<Token>; 1]> {
        let decoded = candidates.enumerate().filter_map(|(index, text)| Some((index, decode(text)?)));
        within_budget(decoded, std::iter::once(&self.current).chain(&self.previous), |bytes, key| {
            let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>()?;
            cookie_mac(key, fingerprint, signed).verify(mac.into()).ok()?;
            Token::from_bytes(signed)
        })
    }
}

fn cookie_mac(key: &HmacSha256, fingerprint: &[u8], signed: &[u8]) -> HmacSha256 {
    with_length(key.clone(), fingerprint).chain_update(signed)
}

fn decode(text: &[u8]) -> Option<[u8; TOKEN_BYTES]> {
    if text.len() != TEXT_BYTES {
        return None;
    }
    let mut bytes = [0; TOKEN_BYTES];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (written == TOKEN_BYTES).then_some(bytes)
}

/// Tries candidates with secrets until the limits of R3 are reached.
///
/// A single candidate is tried with every secret. If there are several, duplicates are dropped. All of them are tried
/// with the current secret first, so that old secrets cannot use up the limit before a current cookie is found.
fn within_budget<C: PartialEq, K, T>(
    candidates: impl Iterator<Item = (usize, C)>,
    secrets: impl Iterator<Item = K>,
    verify: impl Fn(&C, &K) -> Option<T>,
) -> SmallVec<[Verified<T>; 1]> {
    let mut unverified: SmallVec<[(usize, C); 1]> = SmallVec::new();
    for (index, candidate) in candidates {
        if unverified.len() == MAX_MACS {
            break;
        }
        if !unverified.iter().any(|(_, known)| *known == candidate) {
            unverified.push((index, candidate));
        }
    }
    let mut macs_left = if unverified.len() > 1 { MAX_MACS } else { usize::MAX };
    let mut verified = SmallVec::new();
    let mut signed_by = SignedBy::Current;
    for secret in secrets {
        unverified.retain(|(candidate, value)| {
            if macs_left == 0 || verified.len() == MAX_VERIFIED {
                return true;
            }
            macs_left -= 1;
            let Some(value) = verify(value, &secret) else { return true };
            verified.push(Verified { value, signed_by, candidate: *candidate });
            false
        });
        signed_by = SignedBy::Previous;
    }
    verified
}

/// HMAC-SHA256 with a key for one purpose: the HMAC-SHA256 of the purpose under the secret.
///
/// Everything that is signed uses a key from here, never the secret itself. Otherwise a MAC made for one purpose, such
/// as a CSRF token in a page, could be presented for another, such as a cookie (R2). The express format is the
/// exception: Node signs with the secret itself.
pub(crate) fn derived(secret: &Secret, purpose: [&[u8]; 3]) -> HmacSha256 {
    let mac = purpose.into_iter().fold(keyed(secret.as_bytes()), with_length);
    let key: Zeroizing<[u8; MAC_BYTES]> = Zeroizing::new(mac.finalize().into_bytes().into());
    keyed(key.as_slice())
}

fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC accepts a key of any length")
}

/// Adds a part preceded by its length. Without the length, ("ab", "c") and ("a", "bc") would have the same MAC.
pub(crate) fn with_length(mac: HmacSha256, part: &[u8]) -> HmacSha256 {
    mac.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
}

/// The hash of a verifier, for the record. A plain hash is enough, because 128 random bits cannot be guessed: the slow
/// hash that a password needs would only slow down each request.
pub(crate) fn verifier_hash(verifier: &[u8; VERIFIER_BYTES]) -> VerifierHash {
    VerifierHash(Sha256::digest(verifier).into())
}

/// Compares two hashes in constant time.
///
/// The hash of a tombstone, [`VerifierHash::NONE`], matches nothing. The check for it may take variable time, because
/// it is not secret whether a record is a tombstone.
pub(crate) fn hashes_match(stored: &VerifierHash, presented: &VerifierHash) -> bool {
    let (stored_words, presented_words) = (stored.0.as_chunks().0.iter(), presented.0.as_chunks().0);
    let words = stored_words.zip(presented_words);
    let equal = words.fold(Choice::from(1), |all, (stored, presented)| {
        all & u64::from_ne_bytes(*stored).ct_eq(&u64::from_ne_bytes(*presented))
    });
    *stored != VerifierHash::NONE && bool::from(equal)
}

#[cfg(test)]
mod tests;
