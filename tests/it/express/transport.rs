//! Cases G to K: the connections and paths for which the cookie is sent.

use std::future::Future;

use http::Method;
use http_session::config::builder::Builder;
use http_session::config::builder::{Express, WithSecret};
use http_session::error::SaveError;
use http_session::{
    Cookie, CookieName, CookiePath, Session, config::Priority, config::Transport, config::TrustedProxy, cookie_name,
    cookie_path,
};
use tower::ServiceExt as _;

use super::{Hits, Request, Store, express, hit, ok, store};
use crate::support::{Answer, Browser};

const NAME: CookieName = cookie_name!("connect.sid");

/// The cookie's `Secure` and `SameSite` attributes, or `None` without a cookie.
type Said = Option<(bool, Option<String>)>;

async fn ask(builder: Builder<WithSecret, Store, Express>, proto: Option<&str>, transport: Option<Transport>) -> Said {
    let mut request = Browser::default().request(Method::GET, "/");
    if let Some(proto) = proto {
        request.headers_mut().insert("x-forwarded-proto", proto.parse().unwrap());
    }
    if let Some(transport) = transport {
        request.extensions_mut().insert(transport);
    }
    let answer = Answer::read(builder.build().service(hit).oneshot(request).await.unwrap()).await;
    assert_eq!(answer.status, 200);
    let line = answer.set_cookies().first()?.to_string();
    let same_site = line.split("; ").find_map(|part| part.strip_prefix("SameSite=")).map(str::to_owned);
    Some((line.contains("; Secure"), same_site))
}

fn secure() -> Builder<WithSecret, Store, Express> {
    express(&store()).cookie(Cookie::plain(NAME).without_same_site())
}

fn proxied(builder: Builder<WithSecret, Store, Express>) -> Builder<WithSecret, Store, Express> {
    builder.trusted_proxy(TrustedProxy::x_forwarded_proto())
}

// 30 to 36, 125, 126
#[tokio::test]
async fn r19_a_secure_cookie_is_sent_over_https_only() {
    let yes = Some((true, None));
    assert_eq!(ask(proxied(secure()), Some("https"), None).await, yes);
    assert_eq!(ask(proxied(secure()), Some("https,http"), None).await, yes);
    assert_eq!(ask(proxied(secure()), None, None).await, None);
    // 33, 34, 35: the header of a proxy counts only if the proxy is trusted.
    assert_eq!(ask(secure(), Some("https"), None).await, None);
    assert_eq!(ask(secure(), Some("https"), Some(Transport::Insecure)).await, None);
    // 36, 125: the code that accepts the connection knows its transport.
    assert_eq!(ask(secure(), None, Some(Transport::Secure)).await, yes);
    assert_eq!(ask(secure(), None, Some(Transport::Insecure)).await, None);
}

// "not secured; session is still saved". DIFFERENCE: no client could ever return to the session, so it is not stored.
#[tokio::test]
async fn r12_a_session_whose_cookie_may_not_travel_is_not_stored_and_never_sent_in_the_clear() {
    let store = store();
    let cookie = Cookie::plain(NAME).without_same_site();
    let sessions = express(&store).cookie(cookie).build();
    assert!(Browser::default().get(&sessions.service(hit), "/").await.set_cookies().is_empty());
    assert!(store.take_names().is_empty());
    let save = sessions.service(|_: Request, mut session: Session<Hits>| async move {
        session.hits += 1;
        assert!(matches!(session.save().await, Err(SaveError::Unsendable)));
        ok("")
    });
    assert!(Browser::default().get(&save, "/").await.set_cookies().is_empty());
    assert!(store.take_names().is_empty());
}

// 37 to 42
#[tokio::test]
async fn r22_outside_the_cookies_path_there_is_no_session() {
    let builder = || {
        let cookie = Cookie::plain(NAME).insecure().without_same_site().path(cookie_path!("/foo/bar"));
        express(&store()).cookie(cookie)
    };
    let service = builder().build().service(|_: Request, session: Option<Session<Hits>>| async move {
        if let Some(mut session) = session {
            session.hits += 1;
        }
        ok("")
    });
    for (path, inside) in [
        ("/", false),
        ("http://foo/bar", false),
        ("/foo/bar", true),
        ("/foo/bar/baz", true),
        ("/foo/foo/bar", false),
        // DIFFERENCE: a path matches whole segments only.
        ("/foo/barbaz", false),
    ] {
        let answer = Browser::default().get(&service, path).await;
        assert_eq!(answer.set_cookies().len(), usize::from(inside), "{path}");
    }
}

// 43 to 46
#[tokio::test]
async fn r19_secure_auto_follows_the_transport() {
    let auto = || express(&store()).cookie(Cookie::plain(NAME).secure_auto().without_same_site());
    assert_eq!(ask(proxied(auto()), Some("https"), None).await, Some((true, None)));
    assert_eq!(ask(auto(), Some("https"), None).await, Some((false, None)));
    assert_eq!(ask(auto(), None, Some(Transport::Secure)).await, Some((true, None)));
    assert_eq!(ask(auto(), None, Some(Transport::Insecure)).await, Some((false, None)));
}

// 47, 48
#[tokio::test]
async fn cookie_rules_see_the_request() {
    let builder = express(&store()).cookie_for(|parts, cookie| {
        cookie.path = CookiePath::try_from(parts.uri.path().to_owned()).unwrap();
        cookie.priority = Some(Priority::Low);
    });
    let answer = Browser::default().get(&builder.build().service(hit), "/test").await;
    let line = answer.set_cookies()[0].to_owned();
    assert!(line.contains("; Path=/test") && line.contains("; HttpOnly") && !line.contains("; Secure"), "{line}");
    assert!(line.contains("; Priority=Low"));
}

async fn over_both<F: Future<Output = Said>>(ask: impl Fn(Transport) -> F) -> [Said; 2] {
    [ask(Transport::Secure).await, ask(Transport::Insecure).await]
}

fn said(secure: bool, same_site: &str) -> Said {
    Some((secure, Some(same_site.to_owned())))
}

// 49 to 59
#[tokio::test]
async fn same_site_auto_is_none_if_the_cookie_is_secure() {
    // 58, 59: always Secure.
    let always = |transport| ask(express(&store()).cookie(Cookie::plain(NAME).same_site_auto()), None, Some(transport));
    assert_eq!(over_both(always).await, [said(true, "None"), None]);
    // 54, 55: Secure if the connection is.
    let auto = |transport| {
        let cookie = Cookie::plain(NAME).secure_auto().same_site_auto();
        ask(express(&store()).cookie(cookie), None, Some(transport))
    };
    assert_eq!(over_both(auto).await, [said(true, "None"), said(false, "Lax")]);
    // 52, 53: the proxy's header decides, if the proxy is trusted.
    let cookie = || express(&store()).cookie(Cookie::plain(NAME).secure_auto().same_site_auto());
    assert_eq!(ask(proxied(cookie()), Some("https"), None).await, said(true, "None"));
    assert_eq!(ask(proxied(cookie()), Some("http"), None).await, said(false, "Lax"));
    assert_eq!(ask(cookie(), Some("https"), None).await, said(false, "Lax"));
    // 50, 57; 49, 51, 56. DIFFERENCE: `SameSite=None` is never sent without Secure, since browsers drop such a cookie.
    let never = |transport| {
        let cookie = Cookie::plain(NAME).insecure().same_site_auto();
        ask(express(&store()).cookie(cookie), None, Some(transport))
    };
    assert_eq!(over_both(never).await, [said(false, "Lax"), said(false, "Lax")]);
}
