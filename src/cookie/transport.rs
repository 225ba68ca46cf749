//! Whether a request came in over https (R19).
//!
//! This is known from the server, or from one header of one trusted proxy. The request's URI is never used, because the
//! client writes its scheme.

use http::header::{FORWARDED, HeaderName};
use http::{Extensions, HeaderMap};

use crate::cookie::list::{elements, is_closed};

/// How a request reached the server.
///
/// Insert it as a request extension where your program accepts connections, since only that code knows. A request
/// without it counts as [`Insecure`](Self::Insecure), unless a [`TrustedProxy`] says otherwise.
///
/// ```
/// use http_session::config::Transport;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(Transport::Secure);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Over TLS.
    Secure,
    /// Without encryption.
    Insecure,
}

/// The header in which a trusted proxy says whether the client used https (express: `proxy`). Set with
/// [`Builder::trusted_proxy`](crate::config::builder::Builder::trusted_proxy).
///
/// Use it only if every request passes through that proxy and the proxy *overwrites* the header. Otherwise clients can
/// write it themselves. Only the value `https`, in upper or lower case, means secure. If the server itself says
/// [`Transport::Secure`], the header does not matter, as in express.
///
/// ```
/// use http_session::config::TrustedProxy;
///
/// let nginx = TrustedProxy::x_forwarded_proto();
/// let cloud_front = TrustedProxy::header(http::HeaderName::from_static("cloudfront-forwarded-proto"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxy {
    header: HeaderName,
    syntax: Syntax,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    /// A scheme, or a list of schemes of which the first counts.
    Schemes,
    /// The syntax of RFC 7239.
    Forwarded,
}

impl TrustedProxy {
    /// Reads `X-Forwarded-Proto`, up to its first comma (express: `proxy: true`).
    #[must_use]
    pub const fn x_forwarded_proto() -> Self {
        Self::header(HeaderName::from_static("x-forwarded-proto"))
    }

    /// Reads the `proto` in the first element of `Forwarded` (RFC 7239).
    #[must_use]
    pub const fn forwarded() -> Self {
        Self { header: FORWARDED, syntax: Syntax::Forwarded }
    }

    /// Reads another header, in the syntax of `X-Forwarded-Proto`.
    #[must_use]
    pub const fn header(header: HeaderName) -> Self {
        Self { header, syntax: Syntax::Schemes }
    }

    /// `None` if the proxy did not set the header.
    fn transport(&self, headers: &HeaderMap) -> Option<Transport> {
        // If the header comes several times, the first one counts, as if they were joined with commas.
        let line = headers.get(&self.header)?.as_bytes();
        let first = elements(line, b',').next()?;
        match self.syntax {
            Syntax::Schemes => Some(transport_of(first)),
            Syntax::Forwarded => forwarded_proto(first),
        }
    }
}

fn transport_of(scheme: &[u8]) -> Transport {
    if scheme.eq_ignore_ascii_case(b"https") { Transport::Secure } else { Transport::Insecure }
}

fn forwarded_proto(element: &[u8]) -> Option<Transport> {
    let mut protos = elements(element, b';').filter_map(|pair| {
        let (name, value) = pair.split_at_checked(pair.iter().position(|&byte| byte == b'=')?)?;
        name.eq_ignore_ascii_case(b"proto").then(|| match value {
            [b'=', b'"', value @ .., b'"'] => transport_of(value),
            [b'=', value @ ..] => transport_of(value),
            _ => Transport::Insecure,
        })
    });
    let proto = protos.next()?;
    // An element with two `proto` or an unclosed quote is not valid, so it counts as insecure.
    let is_clear = protos.next().is_none() && is_closed(element);
    Some(if is_clear { proto } else { Transport::Insecure })
}

/// What is known about a request's transport. `None` if neither the server nor the proxy says.
pub(crate) fn transport(
    extensions: &Extensions,
    headers: &HeaderMap,
    proxy: Option<&TrustedProxy>,
) -> Option<Transport> {
    let connection = extensions.get::<Transport>().copied();
    match (connection, proxy) {
        (Some(Transport::Secure), _) | (_, None) => connection,
        (Some(Transport::Insecure) | None, Some(proxy)) => proxy.transport(headers).or(connection),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::Transport::{Insecure, Secure};
    use super::*;

    fn known(
        connection: Option<Transport>,
        proxy: Option<&TrustedProxy>,
        lines: &[(&'static str, &[u8])],
    ) -> Option<Transport> {
        let mut extensions = Extensions::new();
        if let Some(connection) = connection {
            extensions.insert(connection);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        transport(&extensions, &headers, proxy)
    }

    #[test]
    fn r19_without_a_trusted_proxy_no_header_counts() {
        let https: &[(_, &[u8])] = &[("x-forwarded-proto", b"https"), ("forwarded", b"proto=https")];
        assert_eq!(known(None, None, https), None);
        assert_eq!(known(Some(Insecure), None, https), Some(Insecure));
        assert_eq!(known(Some(Secure), None, &[]), Some(Secure));
        assert_eq!(known(Some(Insecure), Some(&TrustedProxy::forwarded()), &https[..1]), Some(Insecure));
        assert_eq!(known(None, Some(&TrustedProxy::x_forwarded_proto()), &https[1..]), None);
    }

    #[test]
    fn r19_x_forwarded_proto_as_express_reads_it() {
        let read = |lines: &[&'static [u8]]| {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-proto", *line)).collect();
            known(Some(Insecure), Some(&TrustedProxy::x_forwarded_proto()), &lines)
        };
        assert_eq!(read(&[b"https"]), Some(Secure));
        assert_eq!(read(&[b"HTTPS , http"]), Some(Secure));
        assert_eq!(read(&[b"http,https"]), Some(Insecure));
        assert_eq!(read(&[b"http", b"https"]), Some(Insecure));
        assert_eq!(read(&[b"httpsx"]), Some(Insecure));
        assert_eq!(read(&[b""]), Some(Insecure));
        assert_eq!(
            known(Some(Secure), Some(&TrustedProxy::x_forwarded_proto()), &[("x-forwarded-proto", b"http")]),
            Some(Secure)
        );
    }

    #[test]
    fn r19_forwarded_of_rfc_7239() {
        let read = |line: &'static [u8]| known(None, Some(&TrustedProxy::forwarded()), &[("forwarded", line)]);
        assert_eq!(read(b"for=192.0.2.60;Proto=https;by=203.0.113.43"), Some(Secure));
        assert_eq!(read(b"for=\"[2001:db8::1]:80, x\"; proto=\"HTTPS\", proto=http"), Some(Secure));
        assert_eq!(read(b"proto=http, proto=https"), Some(Insecure));
        assert_eq!(read(b"for=1.2.3.4, proto=https"), None);
        assert_eq!(read(b"host=\"a;proto=https\";proto=http"), Some(Insecure));
        assert_eq!(read(b"proto=https;proto=http"), Some(Insecure));
        assert_eq!(read(b"proto=https;host=\"x"), Some(Insecure));
        assert_eq!(read(b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                let mut headers = HeaderMap::new();
                headers.insert(FORWARDED, value);
                let _ = transport(&Extensions::new(), &headers, Some(&TrustedProxy::forwarded()));
            }
        }
    }
}
