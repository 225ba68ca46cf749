//! CSRF tokens: what they are bound to, and their MAC.
//!
//! A token has 48 bytes, written as 64 characters of base64url: a nonce of 16 bytes and an HMAC-SHA256. The HMAC covers
//! the session's id, the epoch, the identity and the nonce. Id and identity are preceded by their lengths.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;

use crate::token::{Format, HmacSha256, MAC_BYTES, Secret, derived, with_length};
use http_session_store::SessionId;
use http_session_store::record::{Epoch, RawJson, Record};

pub(crate) const NONCE_BYTES: usize = 16;
const TOKEN_BYTES: usize = NONCE_BYTES + MAC_BYTES;
pub(crate) const TEXT_BYTES: usize = TOKEN_BYTES / 3 * 4;

/// The version of the format and the purpose of the key. Cookies use another constant. With the same one, tokens and
/// cookies would share a key, and a token that is visible in a page could be tried as a cookie.
const CSRF: &[u8] = b"http-session 1 csrf";

/// What a token is bound to: a session, its epoch, and the identity that is signed in.
///
/// A token can be made in a request whose sign-in is not committed yet. It then carries the next epoch, and without the
/// identity it would be valid for any other user who gets that epoch.
#[derive(Clone)]
pub(crate) struct Subject {
    id: SessionId,
    epoch: Epoch,
    identity: Option<RawJson>,
}

impl Subject {
    /// The session whose cookie the request presented.
    pub(crate) fn presented(format: Format, id: SessionId, record: &Record) -> Self {
        Self::new(format, id, record.epoch, record.identity.clone())
    }

    /// The session that the response's cookie will name, if the changes made so far are committed.
    pub(crate) fn new(format: Format, id: SessionId, epoch: Epoch, identity: Option<RawJson>) -> Self {
        if format.rotates_into_new_record() {
            // Each rotation has its own id, which is enough. Epoch and identity are left out: not all readers of a
            // record in this format, Node among them, agree on their bytes.
            Self { id, epoch: Epoch::default(), identity: None }
        } else {
            Self { id, epoch, identity }
        }
    }

    fn mac(&self, key: &HmacSha256, nonce: &[u8]) -> HmacSha256 {
        let identity = self.identity.as_ref().map_or(&[][..], RawJson::as_bytes);
        let mac = with_length(key.clone(), self.id.as_bytes()).chain_update(self.epoch.0.to_be_bytes());
        with_length(mac, identity).chain_update(nonce)
    }
}

/// The keys for tokens. The first secret signs, all secrets verify (R25).
///
/// A key is stored as the HMAC state after reading it. The hmac crate wipes this state when it is dropped.
pub(crate) struct CsrfKeys {
    current: HmacSha256,
    previous: Vec<HmacSha256>,
}

impl CsrfKeys {
    /// Derives the keys for a cookie's full name and an application's scope (R2).
    pub(crate) fn new(current: &Secret, previous: &[Secret], cookie_name: &str, scope: &str) -> Self {
        let key = |secret| derived(secret, [CSRF, cookie_name.as_bytes(), scope.as_bytes()]);
        Self { current: key(current), previous: previous.iter().map(key).collect() }
    }

    /// Creates a token with this nonce.
    pub(crate) fn sign(&self, subject: &Subject, nonce: [u8; NONCE_BYTES]) -> [u8; TEXT_BYTES] {
        let mut bytes = [0; TOKEN_BYTES];
        let (start, mac) = bytes.split_at_mut(NONCE_BYTES);
        start.copy_from_slice(&nonce);
        mac.copy_from_slice(&subject.mac(&self.current, &nonce).finalize().into_bytes());
        let mut text = [0; TEXT_BYTES];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written, Ok(TEXT_BYTES));
        text
    }

    /// Whether a text is a token of this session. Takes constant time for each secret: `Mac::verify` must not be
    /// replaced by `==`, whose time tells how many bytes of a guess are right.
    pub(crate) fn verify(&self, subject: &Subject, text: &[u8]) -> bool {
        let mut bytes = [0; TOKEN_BYTES];
        if text.len() != TEXT_BYTES || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(TOKEN_BYTES) {
            return false;
        }
        let Some((nonce, mac)) = bytes.split_last_chunk::<MAC_BYTES>() else {
            return false;
        };
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        keys.any(|key| subject.mac(key, nonce).verify(mac.into()).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(id: &str, epoch: u64, identity: Option<&[u8]>) -> Subject {
        Subject { id: SessionId::try_from(id).unwrap(), epoch: Epoch(epoch), identity: identity.map(RawJson::new) }
    }

    fn secret(byte: u8) -> Secret {
        let mut bytes = vec![byte; 32];
        bytes[0] = !byte;
        Secret::try_from(bytes).unwrap()
    }

    fn keys(byte: u8) -> CsrfKeys {
        CsrfKeys::new(&secret(byte), &[], "__Host-sid", "")
    }

    #[test]
    fn r2_r24_a_token_is_of_one_session_epoch_identity_and_configuration() {
        let ada = subject("a", 1, Some(b"\"ada\""));
        let token = keys(1).sign(&ada, [7; NONCE_BYTES]);
        assert!(keys(1).verify(&ada, &token));
        for other in [
            subject("b", 1, Some(b"\"ada\"")),
            subject("a", 2, Some(b"\"ada\"")),
            subject("a", 0, Some(b"\"ada\"")),
            subject("a", 1, Some(b"\"bob\"")),
            subject("a", 1, None),
        ] {
            assert!(!keys(1).verify(&other, &token));
        }
        for other in [
            keys(2),
            CsrfKeys::new(&secret(1), &[], "__Host-admin", ""),
            CsrfKeys::new(&secret(1), &[], "__Host-sid", "admin"),
            CsrfKeys::new(&secret(2), &[secret(3)], "__Host-sid", ""),
        ] {
            assert!(!other.verify(&ada, &token));
        }
        assert!(CsrfKeys::new(&secret(2), &[secret(3), secret(1)], "__Host-sid", "").verify(&ada, &token));
    }

    proptest! {
        #[test]
        fn r24_a_changed_token_is_invalid(place in 0..TEXT_BYTES, byte: u8, nonce: [u8; NONCE_BYTES]) {
            let ada = subject("a", 1, None);
            let mut token = keys(1).sign(&ada, nonce);
            let changed = token[place] != byte;
            token[place] = byte;
            prop_assert_eq!(keys(1).verify(&ada, &token), !changed);
        }

        #[test]
        fn r24_random_bytes_are_not_a_token(text in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(!keys(1).verify(&subject("a", 1, None), &text));
        }

        #[test]
        fn r24_the_parts_of_a_token_do_not_run_into_each_other(
            (a, b) in ("[0-9a-z]{1,12}", "[0-9a-z]{1,12}"),
            (x, y) in (any::<u64>(), any::<u64>()),
            (i, j) in (".{0,12}", ".{0,12}"),
        ) {
            let (one, two) = (subject(&a, x, Some(i.as_bytes())), subject(&b, y, Some(j.as_bytes())));
            let token = keys(1).sign(&one, [0; NONCE_BYTES]);
            prop_assert_eq!(keys(1).verify(&two, &token), (a, x, i) == (b, y, j));
        }
    }
}
