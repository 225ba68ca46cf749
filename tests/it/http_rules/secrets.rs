//! R25: rotation of secrets.

use http_session::{Secret, Session, SessionConfig};

use crate::support::{Browser, Rig, Store, Visit, minutes, other_secret, secret};

fn rotated(rig: &Rig) -> Rig {
    let builder = SessionConfig::builder().secret(other_secret()).previous_secret(secret());
    let sessions: SessionConfig<Store> = builder.store(rig.store.clone()).clock(rig.clock.clone()).build();
    Rig { sessions, ..rig.clone() }
}

fn finished(rig: &Rig) -> Rig {
    let builder = SessionConfig::builder().secret(other_secret());
    let sessions: SessionConfig<Store> = builder.store(rig.store.clone()).clock(rig.clock.clone()).build();
    Rig { sessions, ..rig.clone() }
}

#[tokio::test]
async fn r25_a_cookie_of_a_previous_secret_verifies_and_is_signed_again_on_use() {
    for is_instant in [true, false] {
        let before = Rig::with(is_instant, |b| b.build());
        let mut browser = before.signed_in("ada").await;
        let record = before.only_record().await;
        let (during, after) = (rotated(&before), finished(&before));
        let old = browser.clone();
        assert_eq!(after.seen(&old).await, "none");
        let answer = during.visit(&mut browser, async |_: Session<Visit>| ()).await;
        assert_eq!(answer.set_cookies().len(), 1, "signed again");
        assert_eq!(before.store.take_names(), ["load"], "signing the cookie again needs no write");
        assert_eq!(before.only_record().await.verifier, record.verifier);
        assert_eq!(after.seen(&browser).await, "ada v1 [\"apple\"] dark");
        let again = during.visit(&mut browser, async |_: Session<Visit>| ()).await;
        assert!(again.set_cookies().is_empty(), "signed again only once");
        assert_eq!(before.seen(&browser).await, "none", "the cookie is no longer signed with the old secret");
    }
}

#[tokio::test]
async fn r25_a_superseded_or_previous_cookie_is_not_signed_again() {
    let before = Rig::with(true, |b| b.renew_after(minutes(30)).build());
    let first = before.signed_in("ada").await;
    before.clock.advance(minutes(31));
    let mut second = first.clone();
    before.visit(&mut second, async |_: Session<Visit>| ()).await;
    let during = rotated(&before);
    // A new cookie for the previous verifier would overwrite the renewed browser's current cookie.
    assert!(during.ask(&first, async |_: Session<Visit>| ()).await.set_cookies().is_empty());
    assert_eq!(during.ask(&second, async |_: Session<Visit>| ()).await.set_cookies().len(), 1);
    before.visit(&mut second, async |mut s: Session<Visit>| s.rotate()).await;
    assert!(during.ask(&first, async |_: Session<Visit>| ()).await.set_cookies().is_empty());
}

#[tokio::test]
async fn r25_new_sessions_are_signed_with_the_first_secret() {
    let before = Rig::new();
    let during = rotated(&before);
    let mut browser = Browser::default();
    during.visit(&mut browser, async |mut s: Session<Visit>| s.views = 1).await;
    assert_eq!(finished(&before).seen(&browser).await, "- v1 [] ");
    assert_eq!(before.seen(&browser).await, "none");
}

#[test]
fn r25_weak_secrets_are_refused() {
    assert!(Secret::try_from(b"0123456789012345678901234567890".as_slice()).is_err(), "31 bytes");
    assert!(Secret::try_from([7; 64].as_slice()).is_err(), "one byte");
    assert!(Secret::try_from(b"01234567890123456789012345678901".as_slice()).is_ok());
    assert!(Secret::express("keyboard cat").is_ok());
    assert_eq!(format!("{:?}", secret()), "Secret(..)");
}
