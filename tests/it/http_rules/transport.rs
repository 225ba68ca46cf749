//! R19: `Secure` follows what is known of the connection, and is never lost.

use http::Method;
use http_session::{Cookie, Session, config::Transport, config::TrustedProxy, cookie_name};

use crate::support::{Answer, Browser, Request, Rig, Visit};

fn auto() -> Rig {
    Rig::with(true, |b| b.cookie(Cookie::plain(cookie_name!("sid")).secure_auto()).build())
}

fn over(browser: &Browser, transport: Option<Transport>) -> Request {
    let mut request = browser.request(Method::GET, "/");
    if let Some(transport) = transport {
        request.extensions_mut().insert(transport);
    }
    request
}

async fn visit<F>(
    rig: &Rig,
    browser: &mut Browser,
    transport: Option<Transport>,
    work: impl FnOnce(Session<Visit>) -> F + Send + 'static,
) -> Answer
where
    F: Future<Output = ()> + Send + 'static,
{
    let answer = rig.send(over(browser, transport), work).await.unwrap();
    browser.keep(&answer);
    answer
}

fn is_secure(answer: &Answer) -> bool {
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    cookies[0].split("; ").any(|attribute| attribute == "Secure")
}

#[tokio::test]
async fn r19_auto_is_secure_exactly_if_the_connection_is() {
    let rig = auto();
    let begin = async |mut s: Session<Visit>| s.views = 1;
    for (transport, secure) in [(Some(Transport::Secure), true), (Some(Transport::Insecure), false), (None, false)] {
        assert_eq!(is_secure(&visit(&rig, &mut Browser::default(), transport, begin).await), secure);
    }
    // The URI and the headers of an untrusted proxy do not count.
    let mut request = Browser::default().request(Method::GET, "https://example.com/");
    request.headers_mut().insert("x-forwarded-proto", "https".parse().unwrap());
    assert!(!is_secure(&rig.send(request, begin).await.unwrap()));
    let proxied = rig.another(|b| {
        b.cookie(Cookie::plain(cookie_name!("sid")).secure_auto())
            .trusted_proxy(TrustedProxy::x_forwarded_proto())
            .build()
    });
    for (value, secure) in [("https", true), ("https, http", true), ("http, https", false)] {
        let mut request = Browser::default().request(Method::GET, "/");
        request.headers_mut().insert("x-forwarded-proto", value.parse().unwrap());
        assert_eq!(is_secure(&proxied.send(request, begin).await.unwrap()), secure);
    }
}

#[tokio::test]
async fn r19_a_session_begun_over_http_is_rotated_on_its_first_use_over_https() {
    let rig = auto();
    let mut browser = Browser::default();
    visit(&rig, &mut browser, Some(Transport::Insecure), async |mut s| s.sign_in("ada".to_owned())).await;
    let (overheard, before) = (browser.clone(), rig.only_record().await);
    assert!(is_secure(&visit(&rig, &mut browser, Some(Transport::Secure), async |_| ()).await));
    let record = rig.only_record().await;
    assert_ne!(record.verifier, before.verifier);
    assert_eq!((record.epoch, record.identity_epoch), (before.epoch.next(), before.identity_epoch));
    assert_eq!(rig.seen(&overheard).await, "none", "a cookie that was sent in the clear no longer works");
    // The rotation happens only once.
    let again = visit(&rig, &mut browser, Some(Transport::Secure), async |_| ()).await;
    assert!(again.set_cookies().is_empty());
}

#[tokio::test]
async fn r19_secure_is_never_turned_off_for_a_session_that_had_it() {
    let rig = auto();
    let mut browser = Browser::default();
    visit(&rig, &mut browser, Some(Transport::Secure), async |mut s| s.views = 1).await;
    for transport in [Some(Transport::Insecure), None] {
        assert!(is_secure(&visit(&rig, &mut browser, transport, async |mut s| s.rotate()).await));
        let signed_in = visit(&rig, &mut browser, transport, async |mut s| s.sign_in("ada".to_owned())).await;
        assert!(is_secure(&signed_in));
        let cleared = visit(&rig, &mut browser, transport, async |mut s| s.cookie_mut().secure = false).await;
        assert!(cleared.set_cookies().iter().all(|line| line.contains("Secure")), "{cleared:?}");
    }
}

#[tokio::test]
async fn r19_a_session_regenerated_over_https_stays_secure() {
    let rig = auto();
    let mut browser = Browser::default();
    visit(&rig, &mut browser, Some(Transport::Secure), async |mut s| s.views = 1).await;
    let regenerated = visit(&rig, &mut browser, Some(Transport::Secure), async |mut s| s.regenerate()).await;
    assert!(is_secure(&regenerated));
    let again = visit(&rig, &mut browser, Some(Transport::Secure), async |_| ()).await;
    assert!(again.set_cookies().is_empty(), "the session did not begin over http");
    assert!(is_secure(&visit(&rig, &mut browser, Some(Transport::Insecure), async |mut s| s.rotate()).await));
}

#[tokio::test]
async fn r19_a_sign_in_that_found_its_session_gone_stays_secure() {
    let rig = auto();
    let mut browser = Browser::default();
    visit(&rig, &mut browser, Some(Transport::Secure), async |mut s| s.views = 1).await;
    let sessions = rig.sessions.clone();
    let sign_in = async move |mut s: Session<Visit>| {
        sessions.destroy(&s.id().unwrap()).await.unwrap();
        s.sign_in("ada".to_owned());
    };
    assert!(is_secure(&visit(&rig, &mut browser, Some(Transport::Secure), sign_in).await));
    assert!(is_secure(&visit(&rig, &mut browser, Some(Transport::Insecure), async |mut s| s.rotate()).await));
}

#[tokio::test]
async fn r19_always_and_never_ignore_the_connection() {
    let begin = async |mut s: Session<Visit>| s.views = 1;
    let always = Rig::new();
    let never = Rig::with(true, |b| b.cookie(Cookie::plain(cookie_name!("sid")).insecure()).build());
    for transport in [Some(Transport::Secure), Some(Transport::Insecure), None] {
        assert!(is_secure(&visit(&always, &mut Browser::default(), transport, begin).await));
        assert!(!is_secure(&visit(&never, &mut Browser::default(), transport, begin).await));
    }
}

#[tokio::test]
async fn r19_a_discard_neither_keeps_an_overheard_verifier_nor_loses_secure() {
    let rig = auto();
    let mut browser = Browser::default();
    visit(&rig, &mut browser, Some(Transport::Insecure), async |mut s| s.views = 1).await;
    let overheard = browser.clone();
    let discards = async |mut s: Session<Visit>| {
        s.views = 5;
        s.discard();
        s.reload().await.unwrap();
    };
    let first = visit(&rig, &mut browser, Some(Transport::Secure), discards).await;
    assert_eq!(first.set_cookies().len(), 1, "the first use over https");
    assert_eq!(rig.seen(&overheard).await, "none");
    // A new session over https that begins after a discard.
    let mut browser = Browser::default();
    let begins = async |mut s: Session<Visit>| {
        s.discard();
        s.views = 1;
    };
    assert!(is_secure(&visit(&rig, &mut browser, Some(Transport::Secure), begins).await));
    assert!(is_secure(&visit(&rig, &mut browser, Some(Transport::Insecure), async |mut s| s.rotate()).await));
}
