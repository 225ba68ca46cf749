//! Runs the manual's CSRF table with real requests: each combination of method, headers, session and token.

use http::{Method, StatusCode, Version};
use http_session::{config::Transport, trusted_origin};
use proptest::prelude::*;

use super::{checked, guarded, passed, send, token};
use crate::support::{Browser, Rig};

const UNSAFE: [Method; 5] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::CONNECT];

#[tokio::test]
async fn r24_safe_methods_pass_whatever_the_headers_are() {
    let rig = Rig::new();
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
        for headers in [&[("sec-fetch-site", "cross-site"), ("origin", "https://evil.com")][..], &[]] {
            assert!(passed(&send(&rig.sessions, &Browser::default(), method.clone(), headers).await), "{method}");
        }
    }
    for method in UNSAFE.into_iter().chain([Method::from_bytes(b"get").unwrap(), Method::from_bytes(b"MKCOL").unwrap()])
    {
        let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.com")];
        assert!(!passed(&send(&rig.sessions, &Browser::default(), method.clone(), &headers).await), "{method}");
    }
    assert_eq!(rig.store.take_names(), [""; 0]);
}

#[tokio::test]
async fn r24_a_web_socket_request_is_not_safe() {
    let rig = Rig::new();
    let opens = [("connection", "Upgrade"), ("upgrade", "h2c, WebSocket"), ("sec-websocket-version", "13")];
    let own = [&opens[..], &[("origin", "https://localhost")]].concat();
    let foreign = [&opens[..], &[("origin", "https://evil.com")]].concat();
    let browser = rig.signed_in("ada").await;
    assert!(passed(&send(&rig.sessions, &browser, Method::GET, &own).await));
    assert!(!passed(&send(&rig.sessions, &browser, Method::GET, &foreign).await));
    assert!(!passed(&send(&rig.sessions, &browser, Method::GET, &opens).await));
    let other = [("upgrade", "h2c"), ("origin", "https://evil.com")];
    assert!(passed(&send(&rig.sessions, &browser, Method::GET, &other).await));
}

/// Returns what the manual's table says: whether the request passes, or `None` if the token decides.
fn expected(site: Option<&str>, origin: Option<&str>) -> Option<bool> {
    match (site, origin) {
        (Some("same-origin"), _) | (_, Some("https://pay.example.com")) => Some(true),
        (Some("none") | None, Some("https://localhost")) => Some(true),
        (Some("none") | None, None) => None,
        _ => Some(false),
    }
}

#[tokio::test]
async fn r24_every_combination_of_headers_session_and_token() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.trust_origin(trusted_origin!("https://pay.example.com")).build());
        let ada = rig.signed_in("ada").await;
        let (right, wrong) = (token(&rig, &ada).await, token(&rig, &rig.signed_in("ada").await).await);
        let sites =
            [Some("same-origin"), Some("same-site"), Some("cross-site"), Some("none"), Some("Same-Origin"), None];
        let own = Some("https://localhost");
        let origins = [own, Some("https://pay.example.com"), Some("https://evil.com"), Some("null"), Some(""), None];
        for (site, origin) in sites.into_iter().flat_map(|site| origins.map(|origin| (site, origin))) {
            for browser in [&ada, &Browser::default()] {
                for token in [None, Some(wrong.as_str()), Some(right.as_str()), Some("")] {
                    let headers: Vec<_> = [("sec-fetch-site", site), ("origin", origin), ("x-csrf-token", token)]
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, value?)))
                        .collect();
                    let by_token = browser.cookie_header("/").is_some() && token == Some(&right);
                    let pass = expected(site, origin).unwrap_or(by_token);
                    let answer = send(&rig.sessions, browser, Method::POST, &headers).await;
                    assert_eq!(passed(&answer), pass, "{headers:?}");
                    let asked = rig.store.take_names().len();
                    let needed = expected(site, origin).is_none() && browser.cookie_header("/").is_some();
                    assert_eq!(asked, usize::from(needed), "{headers:?}");

                    let mut request = browser.request(Method::POST, "/");
                    for (name, value) in &headers {
                        request.headers_mut().insert(*name, value.parse().unwrap());
                    }
                    assert_eq!(checked(&rig, request, None).await.is_ok(), pass, "{headers:?}");
                    rig.store.take_calls();
                }
            }
        }
    }
}

#[tokio::test]
async fn r24_a_handler_without_the_layer_can_check_a_forms_token() {
    let rig = Rig::new();
    let ada = rig.signed_in("ada").await;
    let right = token(&rig, &ada).await;
    let post = || ada.request(Method::POST, "/");
    assert!(checked(&rig, post(), Some(right.clone())).await.is_ok());
    assert!(checked(&rig, post(), Some("x".to_owned())).await.is_err());
    assert!(checked(&rig, post(), None).await.is_err());
    assert!(checked(&rig, Browser::default().request(Method::POST, "/"), Some(right.clone())).await.is_err());
    let mut foreign = post();
    foreign.headers_mut().insert("origin", "https://evil.com".parse().unwrap());
    assert!(checked(&rig, foreign, Some(right.clone())).await.is_err());
    // The form's token counts, even if there is a header too.
    let mut both = post();
    both.headers_mut().insert("x-csrf-token", right.parse().unwrap());
    assert!(checked(&rig, both, Some("x".to_owned())).await.is_err());
    assert!(checked(&rig, ada.request(Method::GET, "/"), None).await.is_ok());
}

#[tokio::test]
async fn r24_headers_that_are_sent_twice_prove_nothing() {
    let rig = Rig::new();
    let ada = rig.signed_in("ada").await;
    let right = token(&rig, &ada).await;
    for headers in [
        [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
        [("origin", "https://localhost"), ("origin", "https://localhost")],
        [("x-csrf-token", right.as_str()), ("x-csrf-token", right.as_str())],
        [("host", "localhost"), ("origin", "https://localhost")],
    ] {
        assert!(!passed(&send(&rig.sessions, &ada, Method::POST, &headers).await), "{headers:?}");
    }
}

#[tokio::test]
async fn r24_the_own_origin_is_the_host_of_the_target_or_header_with_the_known_scheme() {
    let rig = Rig::new();
    let ask = async |uri: &str, host: Option<&str>, origin: &str, transport: Option<Transport>| {
        let mut request = Browser::default().request(Method::POST, uri);
        request.headers_mut().remove("host");
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        } else {
            *request.version_mut() = Version::HTTP_2;
        }
        request.headers_mut().insert("origin", origin.parse().unwrap());
        if let Some(transport) = transport {
            request.extensions_mut().insert(transport);
        }
        passed(&guarded(&rig.sessions, request).await)
    };
    let (https, http) = ("https://example.com", "http://example.com");
    assert!(ask("/", Some("example.com"), https, None).await);
    assert!(ask("/", Some("example.com"), http, None).await);
    assert!(ask("/", Some("example.com"), https, Some(Transport::Secure)).await);
    assert!(!ask("/", Some("example.com"), http, Some(Transport::Secure)).await);
    assert!(!ask("/", Some("example.com"), https, Some(Transport::Insecure)).await);
    assert!(!ask("/", Some("internal:8080"), https, None).await);
    assert!(!ask("/", None, https, None).await);
    // With HTTP/2 the host is in the target, and only that counts.
    assert!(ask("https://example.com/", None, https, None).await);
    assert!(!ask("https://example.com/", None, "https://evil.com", None).await);
    assert!(!ask("https://example.com/", Some("evil.com"), "https://evil.com", None).await);
    assert!(!ask("https://ada@example.com/", None, https, None).await);
}

#[tokio::test]
async fn r24_a_trusted_origin_must_match_exactly() {
    let rig = Rig::with(true, |b| b.trust_origin(trusted_origin!("https://pay.example.com")).build());
    for (origin, trusted) in [
        ("https://pay.example.com", true),
        ("http://pay.example.com", false),
        ("https://pay.example.com:8443", false),
        ("https://pay.example.com.evil.com", false),
        ("https://x.pay.example.com", false),
        ("https://example.com", false),
    ] {
        let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
        assert_eq!(
            passed(&send(&rig.sessions, &Browser::default(), Method::POST, &headers).await),
            trusted,
            "{origin}"
        );
    }
}

#[tokio::test]
async fn r24_the_tokens_header_is_configurable() {
    let name = http::HeaderName::from_static("x-xsrf-token");
    let rig = Rig::with(true, |b| b.csrf_header(name).build());
    let ada = rig.signed_in("ada").await;
    let right = token(&rig, &ada).await;
    assert!(passed(&send(&rig.sessions, &ada, Method::POST, &[("x-xsrf-token", &right)]).await));
    assert!(!passed(&send(&rig.sessions, &ada, Method::POST, &[("x-csrf-token", &right)]).await));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn r24_random_bytes_in_the_headers_never_pass(
        values in proptest::collection::vec((0usize..6, proptest::collection::vec(0x20u8..=0xff, 0..40)), 0..6),
    ) {
        const NAMES: [&str; 6] = ["sec-fetch-site", "origin", "host", "x-csrf-token", "upgrade", "cookie"];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let mut request = rig.signed_in("ada").await.request(Method::POST, "/");
            for (name, value) in &values {
                if let Ok(value) = http::HeaderValue::from_bytes(value) {
                    request.headers_mut().append(NAMES[*name], value);
                }
            }
            // A request without any proof does not pass.
            assert_eq!(guarded(&rig.sessions, request).await.status, StatusCode::FORBIDDEN);
        });
    }
}
