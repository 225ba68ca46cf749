use proptest::prelude::*;

use super::*;

#[test]
fn names() {
    for name in ["sid", "connect.sid", "a!#$%&'*+-.^_`|~9", "_", "__Hos", "__Hostess-sid"] {
        assert!(CookieName::try_from(name).is_ok(), "{name}");
    }
    let long = "n".repeat(257);
    for name in ["", "s id", "sid=", "sid;", "\"sid\"", "s\u{e9}", "__Host-x", "__hOsT-x", "__SECURE-", "a,b", &long] {
        assert!(CookieName::try_from(name).is_err(), "{name}");
    }
}

#[test]
fn paths() {
    for path in ["/", "/app", "/app/", "/a%20b", "/a,b=c\"<"] {
        assert!(CookiePath::try_from(path).is_ok(), "{path}");
    }
    let long = "/".repeat(1025);
    for path in ["", "app", "/a;b", "/a b", "/a\n", "/\u{7f}", "/\u{e9}", &long] {
        assert!(CookiePath::try_from(path).is_err(), "{path}");
    }
}

#[test]
fn domains() {
    let label = "a".repeat(63);
    for domain in ["example.com", ".example.com", "xn--bcher-kva.example", "a", "localhost", "1a.b-c.d", &label] {
        assert!(CookieDomain::try_from(domain).is_ok(), "{domain}");
    }
    let long_label = "a".repeat(64);
    let long = "a.".repeat(127);
    let refused =
        ["", ".", "..a", "a..b", "a.", "-a.b", "a-.b", "a.b-", "a_b.c", "a b", "a;b", "b\u{fc}.de", &long, &long_label];
    for domain in refused {
        assert!(CookieDomain::try_from(domain).is_err(), "{domain}");
    }
    assert_eq!(cookie_domain!(".Example.com"), CookieDomain::try_from("example.COM".to_owned()).unwrap());
}

proptest! {
    #[test]
    fn any_text_is_accepted_or_refused(text in ".{0,80}") {
        if let Ok(name) = CookieName::try_from(text.as_str()) {
            let is_token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
            prop_assert!(name.as_str().bytes().all(is_token));
        }
        if let Ok(path) = CookiePath::try_from(text.as_str()) {
            prop_assert!(path.as_str().starts_with('/') && !path.as_str().contains([';', ' ', '\r', '\n']));
        }
        let _ = CookieDomain::try_from(text.as_str());
    }

    #[test]
    fn domains_match_their_grammar(text in "[-.a-cA0_]{0,12}") {
        let stripped = text.strip_prefix('.').unwrap_or(&text);
        let legal = !stripped.is_empty() && stripped.split('.').all(|label| {
            !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && !label.contains('_')
        });
        prop_assert_eq!(CookieDomain::try_from(text.as_str()).is_ok(), legal);
    }
}
