use super::*;
use crate::request::change_list::{ChangeList, ChangeSink as _};
use http_session_store::record::Keep;

static VIEWS: Field = Field::new("views");
static CART: Field = Field::new("cart").keep(Keep::SignIn);
static THEME: Field = Field::new("theme").keep(Keep::Always);

const COOKIE: &[u8] = b"{\"originalMaxAge\":1000}";

fn fields(fields: &[(&'static Field, &str)]) -> Fields {
    fields.iter().map(|(field, value)| (field.name, field.keep, value.as_bytes())).collect()
}

fn json(raw: &[u8]) -> Option<RawJson> {
    Some(RawJson::new(raw))
}

/// A session that was found in the store, of somebody or of a visitor.
fn found(identity: Option<&str>) -> RequestSession {
    let record = Record {
        epoch: Epoch(5),
        identity: identity.map(|user| RawJson::new(user.as_bytes())),
        fields: fields(&[(&VIEWS, "1"), (&CART, "[]"), (&THEME, "0")]),
        ..Record::new(VerifierHash([1; 32]))
    };
    let mut session = RequestSession::new(Origin::Found, record);
    session.id = SessionId::try_from("0123456789abcdefghijkl").ok();
    session
}

/// A handle changes a field.
fn change(session: &mut RequestSession, field: &'static Field, value: &str) {
    let mut changes = ChangeList::default();
    changes.field(field, value.as_bytes());
    session.take_fields(changes.apply_to(&session.fields), &changes.changed());
}

fn sign_in(session: &mut RequestSession, user: &str) {
    session.change_identity(json(user.as_bytes()));
}

#[test]
fn r9_what_is_changed_back_is_no_change() {
    let mut session = found(None);
    change(&mut session, &VIEWS, "2");
    assert!(session.modified && session.is_pending());
    assert_eq!(session.patch().touched.len(), 1);
    change(&mut session, &VIEWS, "1");
    assert!(!session.modified && !session.is_pending());
    assert!(session.patch().touched.is_empty());
}

#[test]
fn what_was_saved_or_signed_out_stays_modified_when_a_field_is_changed_back() {
    let mut session = found(None);
    (session.saved, session.modified) = (true, true);
    change(&mut session, &VIEWS, "2");
    change(&mut session, &VIEWS, "1");
    assert!(session.modified);

    let mut session = found(Some("1"));
    session.change_identity(None);
    change(&mut session, &THEME, "1");
    change(&mut session, &THEME, "0");
    assert!(session.modified && session.fields == session.base);
}

#[test]
fn r5_a_change_of_identity_is_a_modification() {
    let mut session = found(None);
    session.fields = Fields::EMPTY;
    session.base = Fields::EMPTY;
    sign_in(&mut session, "1");
    assert!(session.modified && session.fields == session.base);

    // The sign-in is taken back, a field that was changed meanwhile is not.
    change(&mut session, &THEME, "1");
    session.change_identity(None);
    assert!(session.sign == Sign::Unchanged && session.modified);

    let mut session = found(None);
    sign_in(&mut session, "1");
    session.change_identity(None);
    assert!(session.sign == Sign::Unchanged && !session.modified);
}

#[test]
fn r5_another_identity_does_not_inherit_the_cookies_attributes() {
    let mut session = found(Some("1"));
    sign_in(&mut session, "2");
    assert!(!session.cookie_changed && !session.cookie_unsent, "nothing to inherit");

    let mut session = found(Some("1"));
    session.record.cookie = json(COOKIE);
    session.cookie = json(COOKIE);
    sign_in(&mut session, "2");
    assert!(session.cookie_changed && session.cookie_unsent);
    assert_eq!(session.cookie, None);
    // The browser does not know it yet, whoever signs in after that.
    sign_in(&mut session, "3");
    assert!(session.cookie_changed && session.cookie_unsent);

    // A visitor's own attributes stay when he signs in.
    let mut session = found(None);
    session.cookie = json(COOKIE);
    sign_in(&mut session, "1");
    assert_eq!(session.cookie, json(COOKIE));
}

#[test]
fn r5_signing_in_again_is_a_sign_in() {
    let mut session = found(Some("1"));
    assert_eq!(session.entering(), None);
    session.affirm_identity();
    assert!(session.sign == Sign::In && session.intent == Intent::Rotate);
    assert_eq!(session.identity_change, IdentityChange::Affirmed);
    assert_eq!(session.entering(), json(b"1").as_ref());
    assert_eq!(session.fields, session.record.fields);
}

#[test]
fn r11_affirming_does_not_take_a_sign_out_back() {
    let mut session = found(Some("1"));
    session.change_identity(None);
    assert_eq!(session.entering(), None);
    sign_in(&mut session, "2");
    session.affirm_identity();
    assert!(session.sign == Sign::OutIn);
    assert_eq!(session.identity_change, IdentityChange::Set(RawJson::new(b"2")));
    assert_eq!(session.entering(), json(b"2").as_ref());
}

#[test]
fn r16_required_fields_go_along_with_a_sign_in_and_as_marked_with_a_sign_out() {
    let filled = |identity: Option<&str>, then: Option<&str>| {
        let mut session = found(identity);
        (session.record.fields, session.base, session.fields) = (Fields::EMPTY, Fields::EMPTY, Fields::EMPTY);
        session.fillers = [&VIEWS, &CART, &THEME].map(|field| (field, b"7".to_vec())).into();
        session.change_identity(then.and_then(|user| json(user.as_bytes())));
        session.with_fillers().iter().map(|field| field.name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(filled(None, Some("1")), ["views", "cart", "theme"]);
    assert_eq!(filled(Some("1"), None), ["theme"]);
    assert_eq!(filled(Some("1"), Some("2")), ["theme"]);
}

#[test]
fn r5_the_patch_of_a_sign_out_has_what_is_kept_and_nothing_of_the_request() {
    let mut session = found(Some("1"));
    session.record.cookie = json(COOKIE);
    change(&mut session, &THEME, "1");
    change(&mut session, &VIEWS, "2");
    let patch = session.sign_out_patch();
    assert_eq!((patch.epoch, patch.clear), (Epoch(5), Clear::Identity));
    assert_eq!(patch.identity, IdentityChange::Removed);
    assert_eq!(patch.base, fields(&[(&THEME, "0")]));
    assert_eq!(patch.result, fields(&[(&THEME, "0")]));
    assert!(patch.touched.is_empty());
    assert_eq!(patch.cookie, Some(None));
    session.record.cookie = None;
    assert_eq!(session.sign_out_patch().cookie, None);
}

#[test]
fn r11_what_follows_an_end_begins_with_the_first_cookie() {
    let mut session = found(Some("1"));
    session.end(json(COOKIE));
    assert_eq!(session.cookie, json(COOKIE));
    assert!(session.origin == Origin::New && session.id.is_none() && session.fields.is_empty());
    assert_eq!(session.endings.len(), 1);
}

#[test]
fn r11_what_an_awaited_sign_out_keeps_goes_on_in_a_new_record() {
    let after = |ended: Ended, kept: Fields| {
        let mut session = found(Some("1"));
        session.change_identity(None);
        session.fields = kept;
        session.ended(session.view, ended, None);
        assert!(session.origin == Origin::New && session.id.is_none() && session.sign == Sign::Unchanged);
        assert_eq!(session.endings.iter().map(|ending| ending.done).collect::<Vec<_>>(), [Some(ended)]);
        session
    };
    let kept = || fields(&[(&THEME, "0")]);
    let session = after(Ended::Destroyed, kept());
    assert!(session.fields == kept() && session.modified && session.intent == Intent::Keep);

    let session = after(Ended::Destroyed, Fields::EMPTY);
    assert!(session.fields.is_empty() && !session.modified && session.intent == Intent::Destroy);
    // Somebody else ended it, or has it now: nothing of it is this request's.
    for ended in [Ended::Already, Ended::Superseded] {
        let session = after(ended, kept());
        assert!(session.fields.is_empty() && !session.modified && session.intent == Intent::Destroy);
    }
}

#[test]
fn r4_what_began_while_a_sign_out_was_awaited_goes_on() {
    let mut session = found(Some("1"));
    session.change_identity(None);
    let before = session.view;
    sign_in(&mut session, "2");
    assert!(session.sign == Sign::OutIn);
    change(&mut session, &VIEWS, "9");
    session.ended(before, Ended::Destroyed, None);
    assert!(session.sign == Sign::In && session.origin == Origin::New && session.id.is_none());
    assert_eq!(session.identity, json(b"2"));
    assert_eq!(session.fields.find("views"), Some(b"9".as_slice()));
    assert!(session.base.is_empty() && session.clear == Clear::Nothing);
    assert_eq!(session.endings.len(), 1);

    // A sign-out that is still to be done stays one.
    let mut session = found(Some("1"));
    let before = session.view;
    session.change_identity(None);
    session.ended(before, Ended::Destroyed, None);
    assert!(session.sign == Sign::Out);
}
