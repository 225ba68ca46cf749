//! What a CSRF token is bound to, and how long it is valid.

use http::{HeaderValue, Method};
use http_session::{Cookie, Csrf, CsrfToken, Session, cookie_name};
use proptest::prelude::*;

use super::{express, fits, token};
use crate::support::{Browser, Rig, Visit, minutes, other_secret, seconds, secret};

#[tokio::test]
async fn r24_a_token_differs_each_time_and_verifies_until_the_identity_changes() {
    for rig in [Rig::new(), Rig::with(false, |b| b.build()), express(&Rig::new())] {
        for browser in [rig.signed_in("ada").await, rig.anonymous().await] {
            let (first, second) = (token(&rig, &browser).await, token(&rig, &browser).await);
            assert_ne!(first[..32], second[..32]);
            assert_ne!(first[32..], second[32..]);
            assert!(fits(&rig, &browser, &first).await && fits(&rig, &browser, &second).await);
            rig.ask(&browser, async |mut s: Session<Visit>| s.views += 1).await;
            assert!(fits(&rig, &browser, &first).await);
        }
    }
}

#[tokio::test]
async fn r24_making_and_verifying_tokens_writes_nothing() {
    let rig = Rig::new();
    let work = async |s: Session<Visit>| (s.csrf().token().is_some() && s.csrf().verify("x").is_err()).to_string();
    let answer = rig.ask(&Browser::default(), work).await;
    assert_eq!((answer.text.as_str(), answer.set_cookies().len()), ("true", 0));
    assert_eq!(rig.store.take_names(), [""; 0]);
    let browser = rig.signed_in("ada").await;
    assert_eq!(rig.ask(&browser, work).await.set_cookies().len(), 0);
    assert_eq!(rig.store.take_names(), ["load"]);
}

type Change = fn(&Rig, &Browser) -> std::pin::Pin<Box<dyn Future<Output = (Browser, String)>>>;

/// A request that changes the session's secret. Returns the browser afterwards, and the token in that request's page.
macro_rules! change {
    ($session:ident, $work:block) => {
        |rig, browser| {
            let (rig, mut browser) = (rig.clone(), browser.clone());
            Box::pin(async move {
                let work = async |mut $session: Session<Visit>| {
                    $work
                    $session.csrf().token().unwrap().to_string()
                };
                let answer = rig.visit(&mut browser, work).await;
                assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
                rig.store.take_calls();
                (browser, answer.text)
            })
        }
    };
}

#[tokio::test]
async fn r24_a_new_secret_ends_old_tokens_and_the_page_of_the_change_has_a_valid_one() {
    let changes: [(&str, Change); 9] = [
        ("sign_in", change!(s, { s.sign_in("bob".to_owned()) })),
        ("sign_in again", change!(s, { s.sign_in("ada".to_owned()) })),
        ("assigned", change!(s, { s.user = Some("bob".to_owned()) })),
        ("assigned none", change!(s, { s.user = None })),
        ("sign_out", change!(s, { drop(s.sign_out()) })),
        (
            "sign_out awaited",
            change!(s, {
                s.sign_out().await.unwrap();
                s.theme = "kept".to_owned()
            }),
        ),
        ("rotate", change!(s, { s.rotate() })),
        (
            "regenerate",
            change!(s, {
                s.regenerate();
                s.views = 1
            }),
        ),
        (
            "out and in",
            change!(s, {
                s.sign_out().await.unwrap();
                s.sign_in("bob".to_owned())
            }),
        ),
    ];
    for rig in [Rig::new(), Rig::with(false, |b| b.build()), express(&Rig::new())] {
        for (name, change) in changes {
            let browser = rig.signed_in("ada").await;
            let before = token(&rig, &browser).await;
            let (after, page) = change(&rig, &browser).await;
            assert!(!fits(&rig, &after, &before).await, "{name}");
            assert!(fits(&rig, &after, &page).await, "{name}");
            assert!(!fits(&rig, &browser, &before).await, "{name}: a token never verifies with a late cookie");
            assert!(!fits(&rig, &browser, &page).await, "{name}");
            rig.clock.advance(minutes(2));
            assert!(!fits(&rig, &browser, &before).await, "{name}: nor with a superseded cookie");
        }
    }
}

#[tokio::test]
async fn r24_the_page_that_first_stores_a_session_has_a_valid_token() {
    let first: [(&str, Change); 4] = [
        ("changed", change!(s, { s.views = 1 })),
        ("signed in", change!(s, { s.sign_in("ada".to_owned()) })),
        (
            "saved",
            change!(s, {
                s.views = 1;
                s.save().await.unwrap()
            }),
        ),
        (
            "saved, then signed in",
            change!(s, {
                s.views = 1;
                s.save().await.unwrap();
                s.sign_in("ada".to_owned())
            }),
        ),
    ];
    for rig in [Rig::new(), express(&Rig::new())] {
        for (name, change) in first {
            let (browser, page) = change(&rig, &Browser::default()).await;
            assert!(fits(&rig, &browser, &page).await, "{name}");
            assert!(!fits(&rig, &Browser::default(), &page).await, "{name}: no session, no token");
        }
    }
}

#[tokio::test]
async fn r24_the_request_that_signs_in_is_verified_against_the_cookie_it_came_with() {
    for rig in [Rig::new(), express(&Rig::new())] {
        let browser = rig.anonymous().await;
        let came_with = token(&rig, &browser).await;
        let work = async move |mut s: Session<Visit>| {
            s.sign_in("ada".to_owned());
            let pending = s.csrf().verify(&came_with).is_ok();
            s.sign_out().await.unwrap();
            let signed_out = s.csrf().verify(&came_with).is_ok();
            let csrf = s.csrf();
            s.destroy().await.unwrap();
            format!("{pending} {signed_out} {}", csrf.verify(&came_with).is_ok())
        };
        assert_eq!(rig.ask(&browser, work).await.text, "true true true");
    }
}

#[tokio::test]
async fn r24_a_periodic_renewal_ends_no_token() {
    let rig = Rig::with(true, |b| b.renew_after(minutes(5)).build());
    let browser = rig.signed_in("ada").await;
    let before = token(&rig, &browser).await;
    rig.clock.advance(minutes(6));
    let mut renewed = browser.clone();
    let answer = rig.visit(&mut renewed, async |s: Session<Visit>| s.csrf().token().unwrap().to_string()).await;
    assert_eq!(answer.set_cookies().len(), 1);
    for cookie in [&browser, &renewed] {
        assert!(fits(&rig, cookie, &before).await && fits(&rig, cookie, &answer.text).await);
    }
}

/// Otherwise an attacker could fetch a token for a later epoch, and plant their cookie in a browser that then signs in.
#[tokio::test]
async fn r24_the_token_of_an_uncommitted_sign_in_is_not_valid_after_the_next_sign_in() {
    let rig = Rig::new();
    let mut planted = rig.anonymous().await;
    let failed = async |mut s: Session<Visit>| {
        s.sign_in("mallory".to_owned());
        let mut response = http::Response::new(s.csrf().token().unwrap().to_string());
        *response.status_mut() = http::StatusCode::UNAUTHORIZED;
        response
    };
    let signed = rig.ask(&planted, failed).await;
    let rotated = rig
        .ask(&planted, async |mut s: Session<Visit>| {
            s.rotate();
            let mut response = http::Response::new(s.csrf().token().unwrap().to_string());
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
        .await;
    assert!(signed.set_cookies().is_empty() && rotated.set_cookies().is_empty());
    rig.visit(&mut planted, async |mut s: Session<Visit>| s.sign_in("ada".to_owned())).await;
    assert!(!fits(&rig, &planted, &signed.text).await);
    assert!(!fits(&rig, &planted, &rotated.text).await);
}

#[tokio::test]
async fn r24_a_token_of_another_session_name_scope_or_secret_is_refused() {
    let rig = Rig::new();
    let (ada, too) = (rig.signed_in("ada").await, rig.signed_in("ada").await);
    let of_ada = token(&rig, &ada).await;
    assert!(!fits(&rig, &too, &of_ada).await);

    let named = rig.another(|b| b.cookie(Cookie::host(cookie_name!("admin"))).build());
    let scoped = rig.another(|b| b.scope("admin").build());
    for other in [named, scoped, express(&rig)] {
        let browser = other.signed_in("ada").await;
        assert!(!fits(&other, &browser, &of_ada).await);
        let foreign = token(&other, &browser).await;
        assert!(fits(&other, &browser, &foreign).await && !fits(&rig, &ada, &foreign).await);
    }
}

#[tokio::test]
async fn r24_r25_a_token_of_a_previous_secret_verifies_until_that_is_removed() {
    let old = Rig::new();
    let browser = old.signed_in("ada").await;
    let before = token(&old, &browser).await;
    let builder = || {
        let builder = http_session::SessionConfig::builder().secret(other_secret()).store(old.store.clone());
        builder.clock(old.clock.clone())
    };
    let rotated = Rig { sessions: builder().previous_secret(secret()).build(), ..old.clone() };
    assert!(fits(&rotated, &browser, &before).await);
    let mut resigned = browser.clone();
    assert_eq!(rotated.visit(&mut resigned, async |_: Session<Visit>| ()).await.set_cookies().len(), 1);
    assert!(fits(&rotated, &resigned, &before).await);
    let removed = Rig { sessions: builder().build(), ..old.clone() };
    assert!(!fits(&removed, &resigned, &before).await);
    let fresh = token(&removed, &resigned).await;
    assert!(fits(&removed, &resigned, &fresh).await && !fits(&old, &browser, &fresh).await);
}

#[tokio::test]
async fn r24_no_token_verifies_if_a_request_presents_two_sessions() {
    let rig = Rig::new();
    let (ada, bob) = (rig.signed_in("ada").await, rig.signed_in("bob").await);
    let both = format!("{}; {}", ada.cookie_header("/").unwrap(), bob.cookie_header("/").unwrap());
    for browser in [&ada, &bob] {
        let token = token(&rig, browser).await;
        let mut request = browser.request(Method::GET, "/");
        request.headers_mut().insert("cookie", both.parse().unwrap());
        let verify = async move |s: Session<Visit>| s.csrf().verify(&token).is_ok().to_string();
        assert_eq!(rig.send(request, verify).await.unwrap().text, "false");
    }
}

#[tokio::test]
async fn r24_a_token_outlives_neither_its_session_nor_its_response() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let before = token(&rig, &browser).await;
    let kept = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keep = std::sync::Arc::clone(&kept);
    rig.ask(&browser, async move |s: Session<Visit>| *keep.lock().unwrap() = Some(s.csrf())).await;
    let csrf: Csrf = kept.lock().unwrap().take().unwrap();
    assert!(csrf.token().is_none() && csrf.verify(&before).is_err());
    rig.clock.advance(seconds(25 * 3600));
    assert!(!fits(&rig, &browser, &before).await);
}

#[tokio::test]
async fn r24_r26_a_token_shows_where_it_is_meant_to_be() {
    let rig = Rig::new();
    let work = async |s: Session<Visit>| {
        let token: CsrfToken = s.csrf().token().unwrap();
        let text = token.to_string();
        assert!(text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(token.as_str(), text);
        assert_eq!(serde_json::to_string(&token).unwrap(), format!("\"{text}\""));
        let input = s.csrf().hidden_input();
        let value = input.strip_prefix(r#"<input type="hidden" name="csrf_token" value=""#).unwrap();
        assert!(value.strip_suffix(r#"">"#).unwrap().len() == 64 && value != text && Csrf::FIELD == "csrf_token");
        let header = HeaderValue::from(&token);
        assert!(header.is_sensitive() && header == text.as_str());
        assert_eq!(format!("{token:?} {:?}", s.csrf()), "CsrfToken(..) Csrf(..)");
    };
    rig.ask(&Browser::default(), work).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn r24_any_bytes_as_token_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..130), cut in 0usize..64) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let browser = rig.signed_in("ada").await;
            let mut mixed = token(&rig, &browser).await.into_bytes();
            mixed.splice(cut.., bytes.iter().copied());
            let work = async move |s: Session<Visit>| {
                assert!(s.csrf().verify(&bytes).is_err());
                assert!(s.csrf().verify(&mixed).is_err());
            };
            assert_eq!(rig.ask(&browser, work).await.status, 200);
        });
    }
}
