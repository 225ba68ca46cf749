//! What is configured of the protection against cross-site request forgery.

use http::HeaderName;

use super::Builder;
use crate::forgery::TrustedOrigin;

impl<K, S, L> Builder<K, S, L> {
    /// Takes requests that change something from pages of another origin too, whatever `Sec-Fetch-Site` says and without a
    /// token (R24). May be called several times. Also for this site's own public origin, where a proxy in front of it
    /// replaces the `Host`.
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig, trusted_origin};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.trust_origin(trusted_origin!("https://pay.example.com")).build();
    /// ```
    pub fn trust_origin(mut self, origin: TrustedOrigin) -> Self {
        self.settings.trusted_origins.push(origin);
        self
    }

    /// The request header in which scripts send a token: `x-csrf-token` (R24).
    ///
    /// ```
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    /// let sessions = builder.csrf_header(http::HeaderName::from_static("x-xsrf-token")).build();
    /// ```
    pub fn csrf_header(mut self, header: HeaderName) -> Self {
        self.settings.csrf_header = header;
        self
    }
}
