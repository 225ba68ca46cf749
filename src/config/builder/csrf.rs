//! The options for protection against cross-site request forgery (CSRF).

use http::HeaderName;

use super::Builder;
use crate::forgery::TrustedOrigin;

impl<K, S, L> Builder<K, S, L> {
    /// Trusts another origin: its pages may send requests that change something, without a token and whatever
    /// `Sec-Fetch-Site` says. Each call adds one origin.
    ///
    /// If a proxy in front of the service replaces the `Host` header, add the site's own public origin too.
    pub fn trust_origin(mut self, origin: TrustedOrigin) -> Self {
        self.settings.trusted_origins.push(origin);
        self
    }

    /// Sets the request header in which scripts send a CSRF token. The default is `x-csrf-token`.
    pub fn csrf_header(mut self, header: HeaderName) -> Self {
        self.settings.csrf_header = header;
        self
    }
}
