//! Checks of a request's path and host.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a browser sends a cookie of this path with a request to that path (RFC 6265, section 5.1.4). Paths are
/// compared byte by byte and by whole segments: `/app` covers `/app/x` but not `/apple` (R22).
pub(crate) fn covers(cookie_path: &str, request_path: &str) -> bool {
    match request_path.strip_prefix(cookie_path) {
        None => false,
        Some(rest) => rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'),
    }
}

/// Whether the `Host` of a request names this machine (R23): `localhost` and names below it, 127.0.0.0/8, and `[::1]`,
/// each with or without a port.
///
/// An attacker's host name that resolves to 127.0.0.1 is refused, because only the name is compared.
pub(crate) fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.split_once(']') {
        Some((address, rest)) => {
            return is_loopback_v6(address) && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    is_port(port) && (is_localhost(name) || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback()))
}

/// An empty port is allowed (RFC 9110, section 4.2.3).
fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_loopback_v6(text: &str) -> bool {
    text.strip_prefix('[').and_then(|text| text.parse().ok()).is_some_and(|address: Ipv6Addr| address.is_loopback())
}

/// `localhost` and the names below it (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let (above, last) = name.rsplit_once('.').unwrap_or(("", name));
    let is_plain = above.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    is_plain && last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r22_the_gate_matches_whole_segments() {
        for (cookie, request) in
            [("/", "/"), ("/", "/a"), ("/a", "/a"), ("/a", "/a/b"), ("/a/", "/a/b"), ("/a/", "/a/")]
        {
            assert!(covers(cookie, request), "{cookie} {request}");
        }
        for (cookie, request) in
            [("/a", "/ab"), ("/a", "/"), ("/a", "/A"), ("/a/", "/a"), ("/a", ""), ("/a", "*"), ("/a", "/b/a")]
        {
            assert!(!covers(cookie, request), "{cookie} {request}");
        }
    }

    #[test]
    fn r23_loopback_hosts() {
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "app.localhost",
            "localhost.:80",
            "localhost:",
            "127.0.0.1",
            "127.255.0.9:8080",
            "[::1]",
            "[::1]:3000",
            "[0:0:0:0:0:0:0:1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "127.0.0.1.example.com",
            "127.1",
            "128.0.0.1",
            "0.0.0.0",
            "::1",
            "[::2]",
            "[::1]x",
            "[::1]:x",
            "localhost:80@example.com",
            "x[::1]",
            "[::ffff:127.0.0.1]",
            " localhost",
            "example.com/.localhost",
            "localhost:123456",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_refused(cookie in ".{0,20}", request in ".{0,20}") {
            let _ = (covers(&cookie, &request), is_loopback(&cookie));
        }

        #[test]
        fn r22_a_path_covers_what_is_below(path in "(/[a-z]{1,4}){1,3}", below in "(/[a-z]{0,4}){0,3}", more in "[a-z]{1,3}") {
            let (under, beside) = (format!("{path}{below}"), format!("{path}{more}{below}"));
            prop_assert!(covers(&path, &under));
            prop_assert!(!covers(&path, &beside));
        }
    }
}
