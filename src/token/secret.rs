//! The secret from which all keys are made.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{EmptySecret, InvalidSecret, SecretFromEnvError};

/// The minimum length of a secret: the output length of HMAC-SHA256 (RFC 2104, section 3).
const MIN_BYTES: usize = 32;

/// The secret that signs session cookies: at least 32 bytes that are not all the same.
///
/// Generate it randomly, for example with `openssl rand -hex 32`, and keep it out of the source. It has no `Clone`, no
/// `Display` and no `PartialEq`. Its `Debug` output is redacted, and its memory is wiped when it is dropped.
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
    /// Reads the secret from an environment variable. Its bytes are used as they are: nothing is decoded or trimmed.
    ///
    /// # Errors
    /// If the variable is not set, or its value is too weak. The message contains the variable's name.
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

    /// Creates a secret of any length except zero, to share cookies with an express-session that has a weak secret.
    ///
    /// express-session accepts any string. An attacker can guess a short secret from a single cookie, so replace it as
    /// soon as you can. Only [`SessionConfig::express`](crate::SessionConfig::express) accepts this secret.
    ///
    /// # Errors
    /// If there are no bytes.
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

    /// Generates a secret of 32 random bytes, for tests and development.
    ///
    /// The secret exists only in this process. So sessions do not survive a restart, and another process does not
    /// accept them. The bytes come from the thread's cryptographic generator, which the operating system seeds.
    #[must_use]
    pub fn random() -> Self {
        let bytes = Zeroizing::new(rand::random::<[u8; MIN_BYTES]>());
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Checks a literal. [`secret!`](crate::secret) calls this in a constant, so a panic is a compile error.
    ///
    /// # Panics
    /// If the text is too weak.
    #[doc(hidden)]
    #[track_caller] // so that the compiler points at the literal only
    pub const fn assert_strong(text: &str) {
        assert!(text.len() >= MIN_BYTES, "a secret must have at least 32 bytes: `openssl rand -hex 32` generates one");
        assert!(
            !is_one_byte(text.as_bytes()),
            "a secret must not repeat a single byte: `openssl rand -hex 32` generates one"
        );
    }
}

/// A secret that may be weak, shared with an express-session. Created by [`Secret::express`]. Only
/// [`SessionConfig::express`](crate::SessionConfig::express) accepts it.
pub struct ExpressSecret(Secret);

impl ExpressSecret {
    /// Returns the secret, which may be weak. Only for the keys of the express format.
    pub(crate) fn into_inner(self) -> Secret {
        self.0
    }
}

impl fmt::Debug for ExpressSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpressSecret(..)")
    }
}

/// Whether all bytes are the same. True for no bytes.
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

    /// Takes ownership of the bytes. They are wiped even if they are refused.
    fn try_from(bytes: Vec<u8>) -> Result<Self, InvalidSecret> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() < MIN_BYTES || is_one_byte(&bytes) {
            return Err(InvalidSecret::new());
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<&[u8]> for Secret {
    type Error = InvalidSecret;

    /// Copies the bytes. Wiping the original is up to the caller.
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

/// Creates a [`Secret`] from a literal. A weak one does not compile.
///
/// For tests and examples: everyone who can read the source or the binary knows this secret. In production, use
/// [`Secret::from_env`](crate::Secret::from_env).
///
/// ```compile_fail
/// let secret = http_session::secret!("keyboard cat"); // a secret has at least 32 bytes
/// ```
#[macro_export]
macro_rules! secret {
    ($text:expr) => {{
        // Constant items, not an inline `const {}` block: inside a generic function, `cargo check` does not evaluate
        // that.
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
    fn r25_only_express_takes_shorter_secrets() {
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
    fn r26_neither_debug_nor_errors_show_the_value() {
        assert_eq!(format!("{:?}", Secret::try_from(STRONG).unwrap()), "Secret(..)");
        assert_eq!(format!("{:?}", Secret::express(STRONG).unwrap()), "ExpressSecret(..)");
        // Set for every test process by cargo, and shorter than a secret.
        let error = Secret::from_env("CARGO_PKG_VERSION_MAJOR").unwrap_err();
        assert!(!error.is_not_set());
        assert_eq!(
            error.to_string(),
            "the environment variable `CARGO_PKG_VERSION_MAJOR` does not hold a valid secret: \
             a secret must have at least 32 bytes that are not all the same; `openssl rand -hex 32` generates one"
        );
        assert!(Secret::from_env("SURELY_NOT_SET").unwrap_err().is_not_set());
    }
}
