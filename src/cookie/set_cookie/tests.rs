use proptest::prelude::*;

use crate::config::Cookie as Rules;
use crate::cookie::attributes::Attributes;
use crate::{cookie_domain, cookie_name, cookie_path};

use super::*;

fn host() -> Resolved {
    Rules::host(cookie_name!("sid")).into_attributes().resolve(None)
}

fn everything() -> Resolved {
    Rules::secure(cookie_name!("sid"))
        .path(cookie_path!("/app"))
        .domain(cookie_domain!("example.com"))
        .same_site_none()
        .partitioned()
        .priority(Priority::High)
        .into_attributes()
        .resolve(None)
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap()
}

#[test]
fn golden_cookies() {
    let golden = |resolved: &Resolved, expiry| text(&render(resolved, "v", expiry).unwrap()).to_owned();
    assert_eq!(golden(&host(), Expiry::BrowserSession), "__Host-sid=v; HttpOnly; SameSite=Lax; Secure; Path=/");
    assert_eq!(
        golden(&everything(), Expiry::MaxAge(Duration::from_millis(60_999))),
        "__Secure-sid=v; HttpOnly; SameSite=None; Partitioned; Secure; Path=/app; Domain=example.com; Max-Age=60; Priority=High"
    );
    assert_eq!(
        golden(&Attributes::express().resolve(None), Expiry::Expires(Duration::from_millis(1_795_316_539_999))),
        "connect.sid=v; HttpOnly; Path=/; Expires=Sun, 22 Nov 2026 03:02:19 GMT"
    );
    let bare = Resolved { http_only: false, same_site: Some(SameSite::None), ..Attributes::express().resolve(None) };
    assert_eq!(golden(&bare, Expiry::BrowserSession), "connect.sid=v; SameSite=None; Path=/");
}

#[test]
fn r21_max_age_is_at_most_400_days() {
    for length in [LONGEST_MAX_AGE, LONGEST_MAX_AGE + Duration::from_secs(1), Duration::MAX] {
        let value = render(&host(), "v", Expiry::MaxAge(length)).unwrap();
        assert!(text(&value).ends_with("; Max-Age=34560000"));
    }
    let value = render(&host(), "v", Expiry::Expires(Duration::MAX)).unwrap();
    assert!(text(&value).ends_with("; Expires=Fri, 31 Dec 9999 23:59:59 GMT"));
}

#[test]
fn r21_a_removal_repeats_the_attributes() {
    assert_eq!(
        text(&removal(&everything())),
        "__Secure-sid=; HttpOnly; SameSite=None; Partitioned; Secure; Path=/app; Domain=example.com; Max-Age=0; \
         Expires=Thu, 01 Jan 1970 00:00:00 GMT; Priority=High"
    );
}

#[test]
fn a_value_that_cannot_be_in_a_cookie_is_refused() {
    for value in ["a b", "a;b", "a,b", "\"a\"", "a\\b", "a\r\nb", "\u{e9}", "a\0"] {
        assert_eq!(render(&host(), value, Expiry::BrowserSession), Err(InvalidCookieValue), "{value}");
    }
}

#[test]
fn r26_the_value_is_sensitive() {
    assert!(render(&host(), "v", Expiry::BrowserSession).unwrap().is_sensitive());
    let mut headers = HeaderMap::new();
    append(&mut headers, HeaderValue::from_static("a=b")).unwrap();
    assert!(headers[SET_COOKIE].is_sensitive());
}

#[test]
fn r20_the_handlers_cookies_stay() {
    let mut headers = HeaderMap::new();
    headers.append(SET_COOKIE, HeaderValue::from_static("x=1"));
    headers.append(SET_COOKIE, HeaderValue::from_static("y=2"));
    append(&mut headers, HeaderValue::from_static("sid=3")).unwrap();
    let all: Vec<_> = headers.get_all(SET_COOKIE).iter().map(text).collect();
    assert_eq!(all, ["x=1", "y=2", "sid=3"]);
}

fn with(name: &'static str, lines: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_static(line));
    }
    headers
}

#[test]
fn r20_vary_lists_cookie_once() {
    let vary = |lines: &[&'static str]| {
        let mut headers = with("vary", lines);
        vary_cookie(&mut headers).unwrap();
        headers.get_all(VARY).iter().map(|line| text(line).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(vary(&[]), ["Cookie"]);
    assert_eq!(vary(&["Accept"]), ["Accept", "Cookie"]);
    assert_eq!(vary(&["Accept", "origin , COOKIE"]), ["Accept", "origin , COOKIE"]);
    assert_eq!(vary(&["*"]), ["*"]);
    assert_eq!(vary(&["x-cookie, cookie2"]), ["x-cookie, cookie2", "Cookie"]);
}

#[test]
fn r20_shared_caches_are_kept_out() {
    let private = |lines: &[&'static str]| {
        let mut headers = with("cache-control", lines);
        mark_private(&mut headers).unwrap();
        headers.get_all(CACHE_CONTROL).iter().map(|line| text(line).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(private(&[]), ["private"]);
    assert_eq!(private(&[""]), ["private"]);
    assert_eq!(private(&["public"]), ["private"]);
    assert_eq!(private(&["Public, max-age=60", "S-MaxAge=9"]), ["private, max-age=60"]);
    assert_eq!(private(&["max-age=0", "no-cache=\"a, public\""]), ["private, max-age=0, no-cache=\"a, public\""]);
    assert_eq!(private(&["Private, max-age=5"]), ["Private, max-age=5"]);
    assert_eq!(private(&["no-store", "max-age=5"]), ["no-store", "max-age=5"]);
    assert_eq!(private(&["no-store, public"]), ["no-store"]);
    assert_eq!(private(&["private=\"x-a, x-b\", max-age=1"]), ["private, max-age=1"]);
    assert_eq!(private(&["max-age=1, foo=\"bar, public"]), ["private, max-age=1"]);
    assert_eq!(private(&["no-publicity"]), ["private, no-publicity"]);
}

#[test]
fn r20_directives_for_cdns_are_dropped() {
    let mut headers = HeaderMap::new();
    for name in
        ["cdn-cache-control", "surrogate-control", "cloudflare-cdn-cache-control", "edge-control", "x-accel-expires"]
    {
        headers.append(name, HeaderValue::from_static("max-age=9"));
        headers.append(name, HeaderValue::from_static("max-age=8"));
    }
    headers.append("x-cdn", HeaderValue::from_static("kept"));
    mark_private(&mut headers).unwrap();
    assert_eq!(headers, {
        let mut expected = with("x-cdn", &["kept"]);
        expected.append(CACHE_CONTROL, HeaderValue::from_static("private"));
        expected
    });
}

fn header_line() -> impl Strategy<Value = HeaderValue> {
    let piece = prop::sample::select(vec![
        "public",
        "PUBLIC",
        "private",
        "no-store",
        "s-maxage=1",
        "max-age=2",
        ",",
        ", ",
        "=",
        "\"",
        "\\",
        " ",
        "\t",
        "Cookie",
        "*",
    ]);
    let known = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![known, prop::collection::vec(any::<u8>(), 0..40)]
        .prop_filter_map("not a header value", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

proptest! {
    #[test]
    fn any_value_is_rendered_or_refused(value in ".{0,40}") {
        if let Ok(header) = render(&everything(), &value, Expiry::MaxAge(Duration::MAX)) {
            let expected = format!("__Secure-sid={value};");
            prop_assert!(text(&header).starts_with(&expected));
        }
    }

    #[test]
    fn r20_any_cache_control_ends_up_private(lines in prop::collection::vec(header_line(), 0..4)) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, line);
        }
        mark_private(&mut headers).unwrap();
        let directives: Vec<Vec<u8>> = headers
            .get_all(CACHE_CONTROL)
            .iter()
            .flat_map(|line| elements(line.as_bytes(), b',').map(<[u8]>::to_ascii_lowercase).collect::<Vec<_>>())
            .collect();
        prop_assert!(directives.iter().any(|directive| directive == b"private" || directive == b"no-store"));
        prop_assert!(!directives.iter().any(|directive| directive == b"public" || directive.starts_with(b"s-maxage=")));
        let once = headers.clone();
        mark_private(&mut headers).unwrap();
        prop_assert_eq!(once, headers);
    }

    #[test]
    fn r20_any_vary_ends_up_with_cookie(lines in prop::collection::vec(header_line(), 0..4)) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(VARY, line);
        }
        vary_cookie(&mut headers).unwrap();
        let once = headers.clone();
        vary_cookie(&mut headers).unwrap();
        prop_assert_eq!(once, headers);
    }
}
