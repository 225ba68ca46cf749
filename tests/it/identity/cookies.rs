//! R1 to R3: which cookies are accepted.

use std::ops::Range;

use http::header::COOKIE;
use http::{HeaderMap, Method};
use http_session::clock::Clock as _;
use http_session::record::{Fields, Keep, Lifetime, RawJson, Record, VerifierHash};
use http_session::{Cookie, Secret, Session, SessionId, SessionStore as _, cookie_name};

use crate::support::{Browser, Events, Rig, Visit, minutes, other_secret, secret};

const NAME: &str = "__Host-sid";

/// Replaces a part of a browser's token.
fn tamper(browser: &mut Browser, part: Range<usize>, with: &str) {
    let mut token = browser.cookie(NAME).unwrap().to_owned();
    token.replace_range(part, with);
    browser.set_cookie(NAME, token);
}

/// Builds one request with the cookies of several browsers.
fn together(browsers: &[&Browser]) -> http::Request<String> {
    let mut request = Browser::default().request(Method::GET, "/");
    let pairs: Vec<_> = browsers.iter().map(|browser| format!("{NAME}={}", browser.cookie(NAME).unwrap())).collect();
    request.headers_mut().insert(COOKIE, pairs.join("; ").parse().unwrap());
    request
}

fn bytes_of(token: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let bits: Vec<_> = token.bytes().map(|byte| u32::from(digit(byte))).collect();
    bits.chunks(4)
        .flat_map(|chunk| {
            let word = chunk.iter().fold(0, |word, bits| word << 6 | bits);
            [(word >> 16) as u8, (word >> 8) as u8, word as u8]
        })
        .collect()
}

#[tokio::test]
async fn r1_a_dump_of_the_store_contains_no_part_of_the_cookies_secret() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let token = bytes_of(browser.cookie(NAME).unwrap());
    let id = &rig.ids().await[0];
    let record = rig.record(id).await.unwrap();
    // selector, epoch, verifier, MAC
    let (verifier, mac) = (&token[24..40], &token[40..]);
    let mut dump = [record.verifier.0.as_slice(), record.fields.as_bytes(), id.as_bytes()].concat();
    dump.extend(record.identity.unwrap().as_bytes());
    for secret in [verifier, mac] {
        assert!(!dump.windows(8).any(|window| secret.windows(8).any(|part| part == window)));
    }
    // If the selector were not the key, the test would look at the wrong bytes.
    assert_eq!(bytes_of(&format!("{}AA", id.as_str()))[..16], token[..16]);
}

#[tokio::test]
async fn r1_no_cookie_can_be_made_from_a_record() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let id = rig.ids().await[0].clone();
    let hash = rig.record(&id).await.unwrap().verifier.0;
    let mut forged = Browser::default();
    for value in [id.as_str().to_owned(), format!("{}{}", id.as_str(), "A".repeat(74)), format!("{hash:?}")] {
        forged.set_cookie(NAME, value.replace([' ', ',', '[', ']'], ""));
        assert_eq!(rig.seen(&forged).await, "none");
    }
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

#[tokio::test]
async fn r1_a_record_inserted_by_an_attacker_cannot_be_used() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let old = rig.ids().await[0].clone();
    // The best that an attacker with store access can do: a copy of the record under an id of their choice.
    let twin = SessionId::try_from("AAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let record = rig.record(&old).await.unwrap();
    let day = Lifetime::new(minutes(60), minutes(600));
    let _ = rig.store.inner.store().insert(&twin, &record, day).await.unwrap();
    let mut forged = browser.clone();
    let token = forged.cookie(NAME).unwrap().to_owned();
    forged.set_cookie(NAME, format!("{}{}", "A".repeat(21), &token[21..]));
    rig.store.take_calls();
    assert_eq!(rig.ask(&forged, async |s: Session<Visit>| s.is_new().to_string()).await.text, "true");
    assert_eq!(rig.store.take_names(), [""; 0], "a bad MAC costs no store call");
}

#[tokio::test]
async fn r1_a_tampered_verifier_hash_grants_no_access() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let id = rig.ids().await[0].clone();
    let _ = rig.store.inner.store().destroy(&id, None).await.unwrap();
    rig.clock.advance(minutes(2));
    let fields = Fields::from_iter([("views", Keep::No, b"9".as_slice())]);
    let record = Record::new(VerifierHash([9; 32])).with_fields(fields).with_identity(RawJson::new(b"\"root\""));
    let day = Lifetime::new(minutes(60), minutes(600));
    let _ = rig.store.inner.store().insert(&id, &record, day).await.unwrap();
    assert_eq!(rig.seen(&browser).await, "none");
    // No cookie matches the mark of a tombstone either.
    let _ = rig.store.inner.store().destroy(&id, None).await.unwrap();
    assert_eq!(rig.seen(&browser).await, "none");
}

#[tokio::test]
async fn r2_a_cookie_of_another_name_scope_secret_or_fingerprint_does_not_work() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let token = browser.cookie(NAME).unwrap().to_owned();
    let others = [
        ("__Host-sid2", rig.another(|b| b.cookie(Cookie::host(cookie_name!("sid2"))).build())),
        (NAME, rig.another(|b| b.scope("admin").build())),
        (NAME, rig.another(|b| b.fingerprint(|_| b"x".to_vec()).build())),
        (NAME, Rig { sessions: other_configuration(&rig), ..rig.clone() }),
    ];
    for (index, (name, other)) in others.iter().enumerate() {
        let mut thief = Browser::default();
        thief.set_cookie(name, token.clone());
        rig.store.take_calls();
        let answer = other.ask(&thief, async |s: Session<Visit>| s.is_new().to_string()).await;
        assert_eq!((answer.text.as_str(), answer.set_cookies().len()), ("true", 0), "{index}");
        assert_eq!(rig.store.take_names(), [""; 0], "{index}");
    }
    let same = rig.another(|b| b.scope("").build());
    assert_eq!(same.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

fn other_configuration(rig: &Rig) -> http_session::SessionConfig<crate::support::Store> {
    http_session::SessionConfig::builder().secret(other_secret()).store(rig.store.clone()).build()
}

#[tokio::test]
async fn r2_a_fingerprint_binds_the_cookie_to_the_request() {
    let agent =
        |headers: &HeaderMap| headers.get("user-agent").map_or_else(Vec::new, |agent| agent.as_bytes().to_vec());
    let rig = Rig::with(true, |b| b.fingerprint(move |parts| agent(&parts.headers)).build());
    let mut browser = Browser::default();
    let request = |browser: &Browser, agent: &str| {
        let mut request = browser.request(Method::GET, "/");
        request.headers_mut().insert("user-agent", agent.parse().unwrap());
        request
    };
    let answer = rig.send(request(&browser, "fox"), async |mut s: Session<Visit>| s.views = 1).await.unwrap();
    browser.keep(&answer);
    let views = async |s: Session<Visit>| s.views.to_string();
    assert_eq!(rig.send(request(&browser, "fox"), views).await.unwrap().text, "1");
    assert_eq!(rig.send(request(&browser, "wolf"), views).await.unwrap().text, "0");
}

#[tokio::test]
async fn r3_a_forged_cookie_is_treated_as_if_it_had_not_been_sent() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let mut forged = browser.clone();
    let last = if forged.cookie(NAME).unwrap().ends_with('A') { "Q" } else { "A" };
    tamper(&mut forged, 95..96, last);
    let read = rig.ask(&forged, async |s: Session<Visit>| s.is_new().to_string()).await;
    assert_eq!((read.text.as_str(), read.set_cookies().len()), ("true", 0));
    let ended = rig.ask(&forged, async |s: Session<Visit>| format!("{:?}", s.destroy().await)).await;
    assert_eq!((ended.text.as_str(), ended.set_cookies().len()), ("Ok(NotSignedIn)", 0));
    assert_eq!(rig.store.take_names(), [""; 0]);
}

#[tokio::test]
async fn r3_an_id_from_outside_is_never_adopted() {
    let rig = Rig::new();
    let mut browser = rig.anonymous().await;
    let id = rig.ids().await[0].clone();
    let _ = rig.store.inner.store().destroy(&id, None).await.unwrap();
    rig.clock.advance(minutes(2));
    // Our own cookie, but its record and its tombstone are gone: a new session gets another id.
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.views = 7).await;
    let ids = rig.ids().await;
    assert_eq!(ids.len(), 1);
    assert_ne!(ids[0], id);
    for value in ["attackerchosen", "AAAAAAAAAAAAAAAAAAAAAA"] {
        browser.set_cookie(NAME, value.to_owned());
        rig.visit(&mut browser, async |mut s: Session<Visit>| s.views = 7).await;
    }
    assert!(rig.ids().await.iter().all(|id| id.as_str() != "attackerchosen" && id.as_str() != "A".repeat(22)));
}

#[tokio::test]
async fn r3_at_most_eight_cookies_are_checked_and_four_loaded() {
    let rig = Rig::new();
    let mut browsers = Vec::new();
    for _ in 0..9 {
        browsers.push(rig.anonymous().await);
    }
    let all: Vec<_> = browsers.iter().collect();
    rig.send(together(&all), async |_: Session<Visit>| ()).await.unwrap();
    assert_eq!(rig.store.take_names(), ["load"; 4]);
    // After seven forged cookies, ours is still checked. After eight, it is not.
    let forged: Vec<_> = (0..8)
        .map(|index| {
            let mut browser = browsers[index].clone();
            tamper(&mut browser, 50..52, "__");
            browser
        })
        .collect();
    for (count, text) in [(7, "1"), (8, "0")] {
        let mut cookies: Vec<_> = forged[..count].iter().collect();
        cookies.push(&browsers[8]);
        let answer = rig.send(together(&cookies), async |s: Session<Visit>| s.views.to_string()).await.unwrap();
        assert_eq!(answer.text, text, "{count} forged");
    }
}

#[tokio::test]
async fn r3_the_limit_of_macs_counts_all_secrets() {
    let rig = Rig::new();
    let rotated = rig.another(|b| b.build());
    let browser = rig.anonymous().await;
    let sessions = http_session::SessionConfig::builder()
        .secret(other_secret())
        .previous_secret(secret())
        .previous_secret(Secret::random())
        .store(rig.store.clone())
        .clock(rig.clock.clone())
        .build();
    let rotated = Rig { sessions, ..rotated };
    // All candidates are checked with the first secret before the second one. Of eight MACs, five candidates leave
    // three for the second secret.
    for (forged, text) in [(2, "1"), (4, "0")] {
        let fakes: Vec<_> = (0..forged)
            .map(|index| {
                let mut fake = browser.clone();
                tamper(&mut fake, 50..52, &format!("{index}_"));
                fake
            })
            .collect();
        let mut cookies: Vec<_> = fakes.iter().collect();
        cookies.push(&browser);
        let answer = rotated.send(together(&cookies), async |s: Session<Visit>| s.views.to_string()).await.unwrap();
        assert_eq!(answer.text, text, "{forged} forged");
    }
}

#[tokio::test]
async fn r3_a_live_session_wins_over_a_superseded_one_in_either_order() {
    let rig = Rig::new();
    let old = rig.signed_in("ada").await;
    let mut new = old.clone();
    rig.visit(&mut new, async |mut s: Session<Visit>| s.rotate()).await;
    for order in [[&old, &new], [&new, &old]] {
        let answer = rig.send(together(&order), async |s: Session<Visit>| format!("{:?}", s.user)).await.unwrap();
        assert_eq!(answer.text, "Some(\"ada\")");
    }
}

#[tokio::test]
async fn r3_two_live_sessions_in_one_request_give_an_anonymous_one() {
    let rig = Rig::new();
    let (victim, attacker) = (rig.signed_in("ada").await, rig.signed_in("eve").await);
    let events = Events::capture();
    let answer = rig
        .send(together(&[&attacker, &victim]), async |mut s: Session<Visit>| {
            assert!(s.is_new() && s.user.is_none() && s.views == 0);
            s.views = 100;
        })
        .await
        .unwrap();
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load", "load"]);
    assert!(events.has("session.tossed"));
    assert_eq!(rig.seen(&victim).await, "ada v1 [\"apple\"] dark");
    assert_eq!(rig.seen(&attacker).await, "eve v1 [\"apple\"] dark");
}

#[tokio::test]
async fn r3_a_sign_in_with_two_live_sessions_destroys_both_and_begins_a_new_one() {
    let rig = Rig::new();
    let (victim, attacker) = (rig.signed_in("ada").await, rig.signed_in("eve").await);
    let mut browser = Browser::default();
    let answer = rig
        .send(together(&[&attacker, &victim]), async |mut s: Session<Visit>| {
            s.sign_in("ada".to_owned());
            s.views = 5;
        })
        .await
        .unwrap();
    browser.keep(&answer);
    assert_eq!(rig.store.take_names(), ["load", "load", "insert", "destroy", "destroy"]);
    assert_eq!(rig.seen(&browser).await, "ada v5 [] ");
    assert_eq!((rig.seen(&victim).await, rig.seen(&attacker).await), ("none".into(), "none".into()));
    assert_eq!(rig.ids().await.len(), 1);
    assert!(rig.clock.elapsed() > minutes(1));
}

#[tokio::test]
async fn r3_a_refused_sign_in_with_two_live_sessions_destroys_nothing() {
    let rig = Rig::new();
    let (victim, attacker) = (rig.signed_in("ada").await, rig.signed_in("eve").await);
    let refused = async |mut s: Session<Visit>| {
        s.sign_in("ada".to_owned());
        http::StatusCode::UNAUTHORIZED
    };
    let answer = rig.send(together(&[&attacker, &victim]), refused).await.unwrap();
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load", "load"]);
}
