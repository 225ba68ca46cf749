//! R5: what a change of identity does to the rest of the session.

use http::Method;
use http_session::Session;

use crate::support::{Browser, Request, Rig, Visit, minutes, poll_once};

#[derive(Session)]
struct Guard {
    checks: u64,
    #[session(keep)]
    device: String,
}

macro_rules! change {
    ($($name:ident: $begin:ident($($user:literal)?), |$session:ident| $work:block => $seen:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            for is_instant in [true, false] {
                let rig = Rig::with(is_instant, |b| b.build());
                let mut browser = rig.$begin($($user)?).await;
                let (old, before) = (browser.clone(), rig.only_record().await);
                rig.clock.advance(minutes(5));
                let answer = rig.visit(&mut browser, async |mut $session: Session<Visit>| { $work }).await;
                let record = rig.only_record().await;
                assert_eq!(answer.set_cookies().len(), 1, "a new cookie");
                assert_ne!(record.verifier, before.verifier, "a new verifier");
                assert_eq!(record.epoch, before.epoch.next());
                assert!(record.ages.identity.is_zero(), "the age starts at 0");
                assert_eq!(rig.seen(&browser).await, $seen);
                assert_eq!(rig.seen(&old).await, "none", "the old cookie no longer works");
            }
        }
    )*};
}

change! {
    r5_signing_in_keeps_what_is_marked_and_clears_the_rest: anonymous(), |s| { s.sign_in("ada".into()); } => "ada v0 [\"apple\"] dark";
    r5_assigning_the_identity_signs_in: anonymous(), |s| { s.user = Some("ada".into()); } => "ada v0 [\"apple\"] dark";
    r5_at_a_sign_in_what_this_request_changed_before_stays: anonymous(), |s| { s.views = 5; s.sign_in("ada".into()); } => "ada v5 [\"apple\"] dark";
    r5_at_an_assigned_sign_in_what_this_request_changed_before_stays: anonymous(), |s| { s.views = 5; s.user = Some("ada".into()); } => "ada v5 [\"apple\"] dark";
    r5_at_a_sign_in_what_follows_stays: anonymous(), |s| { s.user = Some("ada".into()); s.views = 5; } => "ada v5 [\"apple\"] dark";
    r5_a_kept_field_may_change_on_the_way: anonymous(), |s| { s.cart.push("fig".into()); s.sign_in("ada".into()); s.cart.push("pear".into()); } => "ada v0 [\"apple\", \"fig\", \"pear\"] dark";
    r5_signing_out_keeps_only_what_is_always_kept: signed_in("ada"), |s| { let _ = s.sign_out().await; } => "- v0 [] dark";
    r5_a_recorded_sign_out_does_the_same: signed_in("ada"), |s| { drop(s.sign_out()); } => "- v0 [] dark";
    r5_assigning_none_signs_out: signed_in("ada"), |s| { s.user = None; } => "- v0 [] dark";
    r5_at_a_sign_out_what_was_changed_before_goes: signed_in("ada"), |s| { s.views = 5; s.user = None; } => "- v0 [] dark";
    r5_at_an_awaited_sign_out_what_was_changed_before_goes: signed_in("ada"), |s| { s.views = 5; let _ = s.sign_out().await; } => "- v0 [] dark";
    r5_at_a_sign_out_what_follows_stays: signed_in("ada"), |s| { s.user = None; s.views = 5; } => "- v5 [] dark";
    r5_at_an_awaited_sign_out_what_follows_stays: signed_in("ada"), |s| { let _ = s.sign_out().await; s.views = 5; } => "- v5 [] dark";
    r5_switching_users_clears_like_a_sign_out: signed_in("ada"), |s| { s.sign_in("bob".into()); } => "bob v0 [] dark";
    r5_at_a_switch_what_was_changed_before_goes: signed_in("ada"), |s| { s.views = 5; s.cart.push("fig".into()); s.sign_in("bob".into()); } => "bob v0 [] dark";
    r5_at_an_assigned_switch_what_was_changed_before_goes: signed_in("ada"), |s| { s.views = 5; s.user = Some("bob".into()); } => "bob v0 [] dark";
    r5_at_a_switch_what_follows_stays: signed_in("ada"), |s| { s.user = Some("bob".into()); s.views = 5; } => "bob v5 [] dark";
    r5_signing_in_the_same_user_rotates_and_keeps_the_fields: signed_in("ada"), |s| { s.sign_in("ada".into()); } => "ada v1 [\"apple\"] dark";
    r5_signing_in_the_same_user_keeps_changes_around_it: signed_in("ada"), |s| { s.views = 2; s.sign_in("ada".into()); s.cart.push("fig".into()); } => "ada v2 [\"apple\", \"fig\"] dark";
    r5_out_and_in_again_in_one_request_starts_afresh: signed_in("ada"), |s| { s.user = None; s.user = Some("ada".into()); } => "ada v0 [] dark";
    r5_from_one_over_none_to_another_clears_like_a_switch: signed_in("ada"), |s| { s.views = 5; s.user = None; s.user = Some("bob".into()); } => "bob v0 [] dark";
}

#[tokio::test]
async fn r5_assigning_an_equal_identity_changes_nothing() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let before = rig.only_record().await;
    let answer = rig.visit(&mut browser, async |mut s: Session<Visit>| s.user = Some("ada".to_owned())).await;
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load"]);
    assert_eq!(rig.only_record().await, before);
}

#[tokio::test]
async fn r5_unknown_fields_are_cleared_unless_their_marks_keep_them() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    // A library's view of the same session. The login handler does not know its fields.
    let guard = async |mut s: Session<Guard>| {
        s.checks = 3;
        s.device = "laptop".to_owned();
    };
    rig.visit(&mut browser, guard).await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.sign_in("bob".to_owned())).await;
    let record = rig.only_record().await;
    assert_eq!((record.fields.find("checks"), record.fields.find("device")), (None, Some(b"\"laptop\"".as_slice())));
    rig.visit(&mut browser, guard).await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.sign_out().await.map(drop).is_ok().to_string()).await;
    let record = rig.only_record().await;
    assert_eq!((record.fields.find("checks"), record.fields.find("device")), (None, Some(b"\"laptop\"".as_slice())));
}

/// Another view of the same identity, which does not know the other fields.
#[derive(Session)]
struct Account {
    #[session(identity)]
    account: Option<String>,
}

#[tokio::test]
async fn r5_a_sign_out_through_another_view_clears_the_same_fields() {
    for awaited in [true, false] {
        let rig = Rig::new();
        let mut browser = rig.signed_in("ada").await;
        let leave = async move |mut s: Session<Account>| {
            assert_eq!(s.account.as_deref(), Some("ada"));
            if awaited {
                let _ = s.sign_out().await;
            } else {
                s.account = None;
            }
        };
        rig.visit(&mut browser, leave).await;
        assert_eq!(rig.seen(&browser).await, "- v0 [] dark");
        let record = rig.only_record().await;
        assert_eq!(record.fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["theme"]);
    }
}

#[tokio::test]
async fn r5_a_view_without_an_identity_cannot_change_it() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let before = rig.only_record().await;
    rig.visit(&mut browser, async |mut s: Session<Guard>| s.checks = 9).await;
    let record = rig.only_record().await;
    assert_eq!((record.identity, record.epoch, record.verifier), (before.identity, before.epoch, before.verifier));
}

#[tokio::test]
async fn r5_a_plain_field_with_the_identitys_name_is_not_the_identity() {
    #[derive(Session)]
    struct Impostor {
        user: Option<String>,
    }
    let rig = Rig::new();
    let mut browser = rig.anonymous().await;
    let before = rig.only_record().await;
    rig.visit(&mut browser, async |mut s: Session<Impostor>| s.user = Some("root".to_owned())).await;
    let record = rig.only_record().await;
    assert_eq!((record.identity, record.epoch), (None, before.epoch));
    assert_eq!(rig.seen(&browser).await, "- v1 [\"apple\"] dark");
}

#[tokio::test]
async fn r5_several_handles_see_the_new_identity_and_its_last_change_wins() {
    let rig = Rig::new();
    let mut browser = Browser::default();
    let work = async |request: Request| {
        let mut first = Session::<Visit>::extract(request.extensions()).await.unwrap();
        first.sign_in("ada".to_owned());
        let mut second = Session::<Visit>::extract(request.extensions()).await.unwrap();
        assert_eq!(second.user.as_deref(), Some("ada"));
        second.sign_in("bob".to_owned());
        second.views = 2;
        first.views = 9;
    };
    let response = rig.raw(browser.request(Method::GET, "/"), work).await.unwrap();
    browser.keep(&crate::support::Answer::read(response).await);
    assert_eq!(rig.seen(&browser).await, "bob v2 [] ");
}

#[tokio::test]
async fn r5_an_identity_is_never_merged() {
    let rig = Rig::new();
    let browser = rig.anonymous().await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let mut slow = rig.start(browser.request(Method::GET, "/"), async move |mut s: Session<Visit>| {
        s.sign_in("ada".to_owned());
        s.views = 3;
        let _ = wait.await;
    });
    assert!(poll_once(&mut slow).is_pending());
    let mut other = browser.clone();
    rig.visit(&mut other, async |mut s: Session<Visit>| s.sign_in("bob".to_owned())).await;
    go.send(()).unwrap();
    let mut mine = Browser::default();
    mine.keep(&crate::support::Answer::read(slow.await.unwrap()).await);
    // This request loaded an anonymous session, so it begins a new session. That has only the fields that this request
    // wrote.
    assert_eq!(rig.seen(&mine).await, "ada v3 [] ");
    assert_eq!(rig.seen(&other).await, "bob v0 [\"apple\"] dark");
}

#[tokio::test]
async fn r5_a_switch_of_users_that_comes_too_late_fails_with_a_conflict() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let mut slow = rig.start(browser.request(Method::GET, "/"), async move |mut s: Session<Visit>| {
        s.sign_in("eve".to_owned());
        let _ = wait.await;
    });
    assert!(poll_once(&mut slow).is_pending());
    let mut other = browser.clone();
    rig.visit(&mut other, async |mut s: Session<Visit>| s.sign_out().await.is_ok().to_string()).await;
    go.send(()).unwrap();
    let answer = crate::support::Answer::read(slow.await.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
    assert_eq!(rig.seen(&other).await, "- v0 [] dark");
    assert_eq!(rig.ids().await.len(), 1);
}
