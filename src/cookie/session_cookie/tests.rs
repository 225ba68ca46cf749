use proptest::prelude::*;

use crate::config::Cookie;
use crate::cookie::attributes::SameSiteRule;
use crate::{cookie_domain, cookie_name, cookie_path};

use super::*;

fn shop() -> Resolved {
    Cookie::secure(cookie_name!("sid"))
        .path(cookie_path!("/shop"))
        .domain(cookie_domain!("example.com"))
        .into_attributes()
        .resolve(None)
}

fn express() -> Resolved {
    Attributes::express().resolve(None)
}

fn json(cookie: &SessionCookie, configured: &SessionCookie) -> String {
    cookie.to_json(configured).map_or_else(String::new, |raw| String::from_utf8(raw.as_bytes().to_vec()).unwrap())
}

#[test]
fn only_what_differs_is_stored_in_express_names_and_order() {
    let configured = SessionCookie::configured(&express());
    assert_eq!(configured.to_json(&configured), None);
    let own = SessionCookie {
        max_age: Some(Duration::from_millis(60_000)),
        original_max_age: Some(Duration::from_millis(60_000)),
        path: cookie_path!("/admin"),
        domain: Some(cookie_domain!("example.com")),
        http_only: false,
        secure: true,
        same_site: Some(SameSite::Lax),
        partitioned: true,
        priority: Some(Priority::High),
        idle: None,
        absolute: None,
    };
    let all = r#"{"originalMaxAge":60000,"partitioned":true,"priority":"high","secure":true,"httpOnly":false,"domain":"example.com","path":"/admin","sameSite":"lax"}"#;
    assert_eq!(json(&own, &configured), all);
    assert_eq!(SessionCookie::from_json(all.as_bytes(), &configured), (own.clone(), Refused::Nothing));
    let back = r#"{"originalMaxAge":null,"partitioned":false,"priority":null,"secure":false,"httpOnly":true,"domain":null,"path":"/","sameSite":null}"#;
    assert_eq!(json(&configured, &own), back);
    assert_eq!(SessionCookie::from_json(back.as_bytes(), &own), (configured, Refused::Nothing));
}

#[test]
fn what_express_writes_is_read() {
    let configured = SessionCookie::configured(&shop());
    let read = |text: &str| SessionCookie::from_json(text.as_bytes(), &configured);
    let (cookie, refused) =
        read(r#"{"originalMaxAge":-5,"expires":"2026-11-22T03:02:19.618Z","sameSite":true,"_x":[{}]}"#);
    assert_eq!(
        (cookie.max_age, cookie.same_site, refused),
        (Some(Duration::ZERO), Some(SameSite::Strict), Refused::Nothing)
    );
    let (cookie, refused) =
        read(r#"{"originalMaxAge":false,"secure":null,"domain":false,"sameSite":"NONE","priority":false}"#);
    assert_eq!((cookie.max_age, cookie.domain, refused), (None, None, Refused::Nothing));
    assert!(!cookie.secure);
    assert_eq!(cookie.same_site, Some(SameSite::None));
    // R15: of duplicate members the last one counts.
    assert_eq!(read(r#"{"path":"/a","path":"/b"}"#).0.path, cookie_path!("/b"));
}

#[test]
fn r21_members_that_cannot_be_read_stay_as_configured() {
    let configured = SessionCookie::configured(&shop());
    for text in [
        r#"{"path":"x"}"#,
        r#"{"path":"/a; Domain=b"}"#,
        r#"{"path":null}"#,
        r#"{"domain":"a b"}"#,
        r#"{"sameSite":"auto"}"#,
        r#"{"priority":1}"#,
        r#"{"httpOnly":"false"}"#,
        r#"{"originalMaxAge":"60"}"#,
        r#"{"secure":[]}"#,
        "[]",
        "null",
        "",
        "{",
        "{}x",
        r#"{"path":"\ud800"}"#,
        "\"path\"",
    ] {
        assert_eq!(
            SessionCookie::from_json(text.as_bytes(), &configured),
            (configured.clone(), Refused::Something),
            "{text}"
        );
    }
}

#[test]
fn original_max_age_follows_an_assigned_max_age() {
    let before = SessionCookie::configured(&express());
    let mut cookie = before.clone();
    cookie.max_age = Some(Duration::from_secs(5));
    cookie.settle(&before);
    assert_eq!(cookie.original_max_age, Some(Duration::from_secs(5)));
}

#[test]
fn r19_auto_never_turns_secure_off_again() {
    let auto = Cookie::plain(cookie_name!("sid")).secure_auto().same_site_auto().into_attributes();
    assert_eq!(auto.same_site, SameSiteRule::Auto);
    let (https, http) = (Some(Transport::Secure), Some(Transport::Insecure));
    let born = |transport| {
        let cookie = SessionCookie::configured(&auto.resolve(transport));
        cookie.to_json(&SessionCookie::implied(&auto, transport))
    };
    assert_eq!(born(http), None);
    let record = born(https).unwrap();
    assert_eq!(record.as_bytes(), br#"{"secure":true}"#);
    let used = |transport| {
        let configured = auto.resolve(transport);
        let (own, _) = SessionCookie::from_json(record.as_bytes(), &SessionCookie::configured(&configured));
        let (resolved, refused) = narrow(&configured, &own);
        (resolved.secure, resolved.same_site, refused)
    };
    assert_eq!(used(http), (true, Some(SameSite::Lax), Refused::Nothing));
    assert_eq!(used(https), (true, Some(SameSite::None), Refused::Nothing));
}

#[test]
fn r21_stored_attributes_narrow() {
    let configured = Resolved { same_site: None, ..express() };
    let mut own = SessionCookie::configured(&configured);
    own.secure = true;
    own.same_site = Some(SameSite::Strict);
    own.path = cookie_path!("/app");
    own.priority = Some(Priority::Low);
    own.max_age = Some(Duration::from_secs(1));
    let (resolved, refused) = narrow(&configured, &own);
    assert_eq!(refused, Refused::Nothing);
    assert!(resolved.secure && resolved.http_only);
    assert_eq!((resolved.path, resolved.same_site), (cookie_path!("/app"), Some(SameSite::Strict)));
    assert_eq!((resolved.priority, resolved.max_age), (Some(Priority::Low), Some(Duration::from_secs(1))));

    let configured = shop();
    let mut own = SessionCookie::configured(&configured);
    own.domain = None;
    assert_eq!(narrow(&configured, &own), (Resolved { domain: None, ..configured }, Refused::Nothing));
}

#[test]
fn r21_stored_attributes_never_widen() {
    let configured = shop();
    let same = SessionCookie::configured(&configured);
    let wider = [
        SessionCookie { http_only: false, ..same.clone() },
        SessionCookie { secure: false, ..same.clone() },
        SessionCookie { same_site: None, ..same.clone() },
        SessionCookie { same_site: Some(SameSite::None), ..same.clone() },
        SessionCookie { path: cookie_path!("/"), ..same.clone() },
        SessionCookie { path: cookie_path!("/shopping"), ..same.clone() },
        SessionCookie { domain: Some(cookie_domain!("com")), ..same.clone() },
        SessionCookie { domain: Some(cookie_domain!("a.example.com")), ..same.clone() },
        SessionCookie { partitioned: true, ..same },
    ];
    for own in wider {
        assert_eq!(narrow(&configured, &own), (configured.clone(), Refused::Something), "{own:?}");
    }
    let host = Cookie::host(cookie_name!("sid")).into_attributes().resolve(None);
    let own = SessionCookie { path: cookie_path!("/app"), ..SessionCookie::configured(&host) };
    assert_eq!(narrow(&host, &own), (host.clone(), Refused::Something));
    let own = SessionCookie { domain: Some(cookie_domain!("a.b")), ..SessionCookie::configured(&host) };
    assert_eq!(narrow(&host, &own), (host.clone(), Refused::Something));
}

#[test]
fn r21_exact_keeps_what_a_browser_would_drop_as_configured() {
    let configured = express();
    let mut own = SessionCookie::configured(&configured);
    own.http_only = false;
    own.path = cookie_path!("/elsewhere");
    own.domain = Some(cookie_domain!("example.org"));
    let (resolved, refused) = exact(&configured, &own);
    assert_eq!((resolved.path, resolved.domain), (own.path.clone(), own.domain.clone()));
    assert_eq!((resolved.http_only, refused), (false, Refused::Nothing));

    own.same_site = Some(SameSite::None);
    let (resolved, refused) = exact(&configured, &own);
    assert_eq!((resolved.same_site, resolved.secure, refused), (None, false, Refused::Something));
    own.secure = true;
    assert_eq!(exact(&configured, &own).1, Refused::Nothing);

    let host = Cookie::host(cookie_name!("sid")).into_attributes().resolve(None);
    let own = SessionCookie { path: cookie_path!("/a"), secure: false, ..SessionCookie::configured(&host) };
    assert_eq!(exact(&host, &own), (host.clone(), Refused::Something));
}

fn any_cookie() -> impl Strategy<Value = SessionCookie> {
    let path = prop::sample::select(vec!["/", "/shop", "/shop/a", "/shopping", "/x"]);
    let domain = prop::option::of(prop::sample::select(vec!["example.com", "a.example.com", "com"]));
    let same_site = prop::option::of(prop::sample::select(vec![SameSite::Strict, SameSite::Lax, SameSite::None]));
    let priority = prop::option::of(prop::sample::select(vec![Priority::Low, Priority::Medium, Priority::High]));
    let millis = || (1_u64..1 << 53).prop_map(Duration::from_millis);
    let max_age = prop::option::of(millis());
    let lifetimes = prop::option::of((millis(), prop_oneof![Just(Duration::MAX), millis()]));
    (path, domain, same_site, priority, max_age, lifetimes, any::<[bool; 3]>()).prop_map(
        |(path, domain, same_site, priority, max_age, lifetimes, [http_only, secure, partitioned])| SessionCookie {
            max_age,
            original_max_age: max_age,
            path: CookiePath::try_from(path).unwrap(),
            domain: domain.map(|domain| CookieDomain::try_from(domain).unwrap()),
            http_only,
            secure,
            same_site,
            partitioned,
            priority,
            idle: lifetimes.map(|(idle, _)| idle),
            absolute: lifetimes.map(|(_, absolute)| absolute),
        },
    )
}

fn any_configured() -> impl Strategy<Value = Resolved> {
    prop::sample::select(vec![
        shop(),
        express(),
        Cookie::host(cookie_name!("sid")).same_site_none().partitioned().into_attributes().resolve(None),
        Cookie::plain(cookie_name!("sid")).readable_by_scripts().insecure().into_attributes().resolve(None),
    ])
}

proptest! {
    #[test]
    fn any_bytes_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = SessionCookie::from_json(&bytes, &SessionCookie::configured(&shop()));
    }

    #[test]
    fn any_member_reads(
        name in prop::sample::select(vec!["path", "domain", "sameSite", "originalMaxAge", "secure", "priority", "idle", "absolute", "x"]),
        value in "[-0-9eE.]{1,6}|\"[ -~]{0,8}\"|null|true|false|\\[\\]|\\{\"a\":1\\}",
    ) {
        let text = format!("{{\"{name}\":{value}}}");
        let _ = SessionCookie::from_json(text.as_bytes(), &SessionCookie::configured(&shop()));
    }

    #[test]
    fn what_is_stored_is_read_again(own in any_cookie(), configured in any_configured()) {
        let configured = SessionCookie::configured(&configured);
        let read = match own.to_json(&configured) {
            Some(raw) => SessionCookie::from_json(raw.as_bytes(), &configured),
            None => (configured, Refused::Nothing),
        };
        prop_assert_eq!(read, (own, Refused::Nothing));
    }

    #[test]
    fn r21_nothing_widens(own in any_cookie(), configured in any_configured()) {
        let (resolved, _) = narrow(&configured, &own);
        prop_assert!(resolved.http_only || !configured.http_only);
        prop_assert!(resolved.secure || !configured.secure);
        prop_assert!(strictness(resolved.same_site) >= strictness(configured.same_site));
        prop_assert!(covers(configured.path.as_str(), resolved.path.as_str()));
        prop_assert!(resolved.domain.is_none() || resolved.domain == configured.domain);
        prop_assert_eq!(resolved.partitioned, configured.partitioned);
    }

    #[test]
    fn r21_a_browser_accepts_every_result(own in any_cookie(), configured in any_configured()) {
        for (resolved, _) in [narrow(&configured, &own), exact(&configured, &own)] {
            prop_assert!(resolved.secure || resolved.same_site != Some(SameSite::None));
            prop_assert!(resolved.secure || !resolved.partitioned);
            if resolved.name.as_str().starts_with("__Host-") {
                prop_assert!(resolved.secure && resolved.domain.is_none() && resolved.path.as_str() == "/");
            }
            prop_assert!(resolved.secure || !resolved.name.as_str().starts_with("__Secure-"));
        }
    }
}
