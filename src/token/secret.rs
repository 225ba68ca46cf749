//! The secret behind every MAC.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{EmptySecret, InvalidSecret, SecretFromEnvError};

/// The fewest bytes of a secret, as many as HMAC-SHA256 gives out (RFC 2104, section 3).
const SHORTEST: usize = 32;

/// A secret that signs session cookies (R25): at least 32 bytes, not one byte over and over.
///
/// Only randomness makes a secret: generate it (`openssl rand -hex 32`) and keep it out of the source. It has no `Clone`, no
/// `Display` and no `PartialEq`, its `Debug` is redacted, and its memory is wiped when it is dropped.
///
/// ```
/// use http_session::Secret;
///
/// let secret = Secret::try_from("b1f0c3d9a6e84f7792c5d0e13a4b6f88")?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert!(Secret::try_from("keyboard cat").is_err());
/// assert!(Secret::try_from([b'x'; 64].as_slice()).is_err());
/// # Ok::<_, http_session::error::InvalidSecret>(())
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The secret in an environment variable, its bytes as they are (nothing is decoded or trimmed).
    ///
    /// # Errors
    /// The variable is not set, or what it holds breaks the rule; the messages tell which, and the variable's name.
    ///
    /// ```
    /// use http_session::Secret;
    ///
    /// let error = Secret::from_env("SURELY_NOT_SET").unwrap_err();
    /// assert_eq!(error.to_string(), "the environment variable `SURELY_NOT_SET` is not set");
    /// ```
    pub fn from_env(variable: &str) -> Result<Self, SecretFromEnvError> {
        match std::env::var_os(variable) {
            None => Err(SecretFromEnvError::not_set(variable)),
            Some(value) => {
                Self::try_from(value.into_encoded_bytes()).map_err(|rule| SecretFromEnvError::weak(variable, rule))
            }
        }
    }

    /// A secret of any length but zero, for cookies shared with an express-session that has a weak one.
    ///
    /// express takes every string; a short one can be guessed from a single cookie. Replace it as soon as you can. Only
    /// [`SessionConfig::express`](crate::SessionConfig::express) accepts it.
    ///
    /// # Errors
    /// There are no bytes.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let shared_with_node = Secret::express("keyboard cat")?;
    /// let sessions = SessionConfig::express().secret(shared_with_node).store(MemoryStore::new()).build();
    /// # Ok::<_, http_session::error::EmptySecret>(())
    /// ```
    ///
    /// ```compile_fail,E0277
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let shared_with_node = Secret::express("keyboard cat")?;
    /// let sessions = SessionConfig::builder().secret(shared_with_node).store(MemoryStore::new()).build();
    /// # Ok::<_, http_session::error::EmptySecret>(())
    /// ```
    pub fn express(bytes: impl AsRef<[u8]>) -> Result<ExpressSecret, EmptySecret> {
        match bytes.as_ref() {
            [] => Err(EmptySecret::new()),
            bytes => Ok(ExpressSecret(Self(Zeroizing::new(bytes.to_vec())))),
        }
    }

    /// A new secret of 32 bytes from the thread's cryptographic generator, which the operating system seeds: for tests and
    /// development.
    ///
    /// Nobody else knows it: sessions do not survive a restart of the process, and a second process does not accept them.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// let sessions = SessionConfig::development().secret(Secret::random()).store(MemoryStore::new()).build();
    /// ```
    #[must_use]
    pub fn random() -> Self {
        let bytes = Zeroizing::new(rand::random::<[u8; SHORTEST]>());
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What [`secret!`](crate::secret) calls in a constant.
    ///
    /// # Panics
    /// The text breaks the rule: the program does not compile.
    #[doc(hidden)]
    #[track_caller] // so that the compiler points at the literal alone
    pub const fn assert_strong(text: &str) {
        assert!(text.len() >= SHORTEST, "a secret has at least 32 bytes: `openssl rand -hex 32` makes one");
        assert!(
            !is_one_byte(text.as_bytes()),
            "a secret is not one byte over and over: `openssl rand -hex 32` makes one"
        );
    }
}

/// A secret that may be weak, as an express-session has it. Made by [`Secret::express`]; only
/// [`SessionConfig::express`](crate::SessionConfig::express) accepts it.
///
/// ```
/// # use http_session::Secret;
/// let shared_with_node = Secret::express("keyboard cat")?;
/// assert_eq!(format!("{shared_with_node:?}"), "ExpressSecret(..)");
/// # Ok::<_, http_session::error::EmptySecret>(())
/// ```
pub struct ExpressSecret(Secret);

impl ExpressSecret {
    /// The bytes, weak or not: for the keys of the express format alone.
    pub(crate) fn into_inner(self) -> Secret {
        self.0
    }
}

impl fmt::Debug for ExpressSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpressSecret(..)")
    }
}

/// Whether all bytes are the same; true without any.
const fn is_one_byte(mut bytes: &[u8]) -> bool {
    while let [first, rest @ ..] = bytes {
        match rest {
            [second, ..] if *first != *second => return false,
            _ => bytes = rest,
        }
    }
    true
}

impl TryFrom<Vec<u8>> for Secret {
    type Error = InvalidSecret;

    /// Takes the bytes; they are wiped also when they are refused.
    fn try_from(bytes: Vec<u8>) -> Result<Self, InvalidSecret> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() < SHORTEST || is_one_byte(&bytes) {
            return Err(InvalidSecret::new());
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<&[u8]> for Secret {
    type Error = InvalidSecret;

    /// Copies the bytes; wiping the original is the caller's.
    fn try_from(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        Self::try_from(bytes.to_vec())
    }
}

impl TryFrom<&str> for Secret {
    type Error = InvalidSecret;

    /// Copies the text's bytes as they are: hexadecimal digits are not decoded.
    fn try_from(text: &str) -> Result<Self, InvalidSecret> {
        Self::try_from(text.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A [`Secret`] from text that is known at compile time; `cargo check` refuses a weak one.
///
/// For tests and examples: whoever reads the source or the binary knows this secret.
/// In production read it from outside with [`Secret::from_env`](crate::Secret::from_env).
///
/// ```
/// let secret = http_session::secret!("b1f0c3d9a6e84f7792c5d0e13a4b6f88");
/// ```
///
/// ```compile_fail
/// let secret = http_session::secret!("keyboard cat"); // a secret has at least 32 bytes
/// ```
#[macro_export]
macro_rules! secret {
    ($text:expr) => {{
        // Items, not an inline const: that one would pass `cargo check` inside a generic function.
        const SECRET_TEXT: &str = $text;
        const _: () = $crate::Secret::assert_strong(SECRET_TEXT);
        $crate::Secret::try_from(SECRET_TEXT).expect("the compiler has checked this secret")
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: &str = "b1f0c3d9a6e84f7792c5d0e13a4b6f88";

    #[test]
    fn r25_a_secret_has_32_bytes_that_are_not_all_the_same() {
        assert!(Secret::try_from(STRONG).is_ok());
        assert!(Secret::try_from(&STRONG.as_bytes()[1..]).is_err());
        assert!(Secret::try_from(vec![7; 32]).is_err());
        assert!(Secret::try_from(Vec::new()).is_err());
        let mut nearly = vec![7; 32];
        nearly[31] = 8;
        assert!(Secret::try_from(nearly).is_ok());
        assert_eq!(secret!("b1f0c3d9a6e84f7792c5d0e13a4b6f88").as_bytes(), STRONG.as_bytes());
    }

    #[test]
    fn r25_only_express_takes_shorter_ones() {
        assert_eq!(Secret::express("x").unwrap().into_inner().as_bytes(), b"x");
        assert!(Secret::express(b"").is_err());
    }

    #[test]
    fn random_secrets_differ() {
        let (first, second) = (Secret::random(), Secret::random());
        assert_eq!(first.as_bytes().len(), 32);
        assert_ne!(first.as_bytes(), second.as_bytes());
    }

    #[test]
    fn r26_neither_debug_nor_errors_tell_the_value() {
        assert_eq!(format!("{:?}", Secret::try_from(STRONG).unwrap()), "Secret(..)");
        assert_eq!(format!("{:?}", Secret::express(STRONG).unwrap()), "ExpressSecret(..)");
        // Set for every test process by cargo, and shorter than a secret.
        let error = Secret::from_env("CARGO_PKG_VERSION_MAJOR").unwrap_err();
        assert!(!error.is_not_set());
        assert_eq!(
            error.to_string(),
            "the environment variable `CARGO_PKG_VERSION_MAJOR` holds no secret: \
             a secret has at least 32 bytes, and they are not all the same; `openssl rand -hex 32` makes one"
        );
        assert!(Secret::from_env("SURELY_NOT_SET").unwrap_err().is_not_set());
    }
}
