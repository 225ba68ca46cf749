use super::*;
use crate::request::change_list::{ChangeList, ChangeSink as _};
use http_session_store::SessionId;
use http_session_store::record::{Epoch, Keep, VerifierHash};

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

/// A session that was found in the store, of a user or of a visitor.
fn found(identity: Option<&str>) -> RequestSession {
    let mut record = Record::new(VerifierHash([1; 32]));
    record.epoch = Epoch(5);
    record.identity = identity.map(|user| RawJson::new(user.as_bytes()));
    record.fields = fields(&[(&VIEWS, "1"), (&CART, "[]"), (&THEME, "0")]);
    let mut session = RequestSession::new(Origin::Found, record);
    session.loaded.id = SessionId::try_from("0123456789abcdefghijkl").ok();
    session
}

/// A handle changes a field.
fn change(session: &mut RequestSession, field: &'static Field, value: &str) {
    let mut changes = ChangeList::default();
    changes.field(field, value.as_bytes());
    session.take_fields(changes.apply_to(&session.pending.fields), &changes.changed());
}

fn sign_in(session: &mut RequestSession, user: &str) {
    session.change_identity(json(user.as_bytes()));
}

#[test]
fn r9_a_field_that_is_changed_back_is_not_a_change() {
    let mut session = found(None);
    change(&mut session, &VIEWS, "2");
    assert!(session.pending.modified && session.pending.has_fields());
    assert_eq!(session.patch().written_fields().len(), 1);
    change(&mut session, &VIEWS, "1");
    assert!(!session.pending.modified && !session.pending.has_fields());
    assert!(session.patch().written_fields().is_empty());
}

#[test]
fn a_session_stays_modified_after_a_save_or_sign_out_even_if_a_field_is_changed_back() {
    let mut session = found(None);
    (session.done.saved, session.pending.modified) = (true, true);
    change(&mut session, &VIEWS, "2");
    change(&mut session, &VIEWS, "1");
    assert!(session.pending.modified);

    let mut session = found(Some("1"));
    session.change_identity(None);
    change(&mut session, &THEME, "1");
    change(&mut session, &THEME, "0");
    assert!(session.pending.modified && session.pending.fields == session.pending.base);
}

#[test]
fn r5_a_change_of_identity_is_a_modification() {
    let mut session = found(None);
    session.pending.fields = Fields::EMPTY;
    session.pending.base = Fields::EMPTY;
    sign_in(&mut session, "1");
    assert!(session.pending.modified && session.pending.fields == session.pending.base);

    // The sign-in is taken back, but the change of a field since then is not.
    change(&mut session, &THEME, "1");
    session.change_identity(None);
    assert!(session.pending.sign == Sign::Unchanged && session.pending.modified);

    let mut session = found(None);
    sign_in(&mut session, "1");
    session.change_identity(None);
    assert!(session.pending.sign == Sign::Unchanged && !session.pending.modified);
}

#[test]
fn r5_another_identity_does_not_inherit_the_cookie_attributes() {
    let mut session = found(Some("1"));
    sign_in(&mut session, "2");
    assert!(!session.pending.cookie_changed && !session.pending.cookie_unsent, "nothing to inherit");

    let mut session = found(Some("1"));
    session.loaded.record.cookie = json(COOKIE);
    session.pending.cookie = json(COOKIE);
    sign_in(&mut session, "2");
    assert!(session.pending.cookie_changed && session.pending.cookie_unsent);
    assert_eq!(session.pending.cookie, None);
    // The browser does not know of the change yet, whoever signs in after that.
    sign_in(&mut session, "3");
    assert!(session.pending.cookie_changed && session.pending.cookie_unsent);

    // The attributes of a visitor's session stay when the visitor signs in.
    let mut session = found(None);
    session.pending.cookie = json(COOKIE);
    sign_in(&mut session, "1");
    assert_eq!(session.pending.cookie, json(COOKIE));
}

#[test]
fn r5_signing_in_the_same_identity_again_is_a_sign_in() {
    let mut session = found(Some("1"));
    assert_eq!(session.entering(), None);
    session.affirm_identity();
    assert!(session.pending.sign == Sign::In && session.pending.intent == Intent::Rotate);
    assert_eq!(session.identity_change(), IdentityChange::Affirmed);
    assert_eq!(session.entering(), json(b"1").as_ref());
    assert_eq!(session.pending.fields, session.loaded.record.fields);
}

#[test]
fn r11_signing_in_the_same_identity_again_does_not_undo_a_sign_out() {
    let mut session = found(Some("1"));
    session.change_identity(None);
    assert_eq!(session.entering(), None);
    sign_in(&mut session, "2");
    session.affirm_identity();
    assert!(session.pending.sign == Sign::OutIn);
    assert_eq!(session.identity_change(), IdentityChange::Set(RawJson::new(b"2")));
    assert_eq!(session.entering(), json(b"2").as_ref());
}

#[test]
fn r16_a_sign_in_keeps_all_absent_required_fields_and_a_sign_out_those_marked_keep() {
    let filled = |identity: Option<&str>, then: Option<&str>| {
        let mut session = found(identity);
        (session.loaded.record.fields, session.pending.base, session.pending.fields) =
            (Fields::EMPTY, Fields::EMPTY, Fields::EMPTY);
        session.pending.fillers = [&VIEWS, &CART, &THEME].map(|field| (field, b"7".to_vec())).into();
        session.change_identity(then.and_then(|user| json(user.as_bytes())));
        session.pending.with_fillers().iter().map(|field| field.name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(filled(None, Some("1")), ["views", "cart", "theme"]);
    assert_eq!(filled(Some("1"), None), ["theme"]);
    assert_eq!(filled(Some("1"), Some("2")), ["theme"]);
}

#[test]
fn r5_the_patch_of_a_sign_out_has_the_kept_fields_and_no_change_of_the_request() {
    let mut session = found(Some("1"));
    session.loaded.record.cookie = json(COOKIE);
    change(&mut session, &THEME, "1");
    change(&mut session, &VIEWS, "2");
    let patch = session.sign_out_patch();
    assert_eq!((patch.epoch, patch.clear), (Epoch(5), Clear::Identity));
    assert_eq!(patch.identity, IdentityChange::Removed);
    assert_eq!(patch.base, fields(&[(&THEME, "0")]));
    assert_eq!(patch.result, fields(&[(&THEME, "0")]));
    assert!(patch.written_fields().is_empty());
    assert_eq!(patch.cookie, Some(None));
    session.loaded.record.cookie = None;
    assert_eq!(session.sign_out_patch().cookie, None);
}

#[test]
fn r11_a_session_that_follows_a_destroyed_one_begins_with_the_first_cookie() {
    let mut session = found(Some("1"));
    session.end(json(COOKIE));
    assert_eq!(session.pending.cookie, json(COOKIE));
    assert!(session.loaded.origin == Origin::New && session.loaded.id.is_none() && session.pending.fields.is_empty());
    assert_eq!(session.done.endings.len(), 1);
}

#[test]
fn r11_fields_that_an_awaited_sign_out_keeps_go_on_in_a_new_record() {
    let after = |ended: Ended, kept: Fields| {
        let mut session = found(Some("1"));
        session.change_identity(None);
        session.pending.fields = kept;
        session.ended(session.done.view, ended, None);
        assert!(
            session.loaded.origin == Origin::New
                && session.loaded.id.is_none()
                && session.pending.sign == Sign::Unchanged
        );
        assert_eq!(session.done.endings.iter().map(|ending| ending.done).collect::<Vec<_>>(), [Some(ended)]);
        session
    };
    let kept = || fields(&[(&THEME, "0")]);
    let session = after(Ended::Destroyed, kept());
    assert!(session.pending.fields == kept() && session.pending.modified && session.pending.intent == Intent::Keep);

    let session = after(Ended::Destroyed, Fields::EMPTY);
    assert!(
        session.pending.fields.is_empty() && !session.pending.modified && session.pending.intent == Intent::Destroy
    );
    // Another request ended the session, or another user has it now, so this request keeps no field of it.
    for ended in [Ended::Already, Ended::Superseded] {
        let session = after(ended, kept());
        assert!(
            session.pending.fields.is_empty() && !session.pending.modified && session.pending.intent == Intent::Destroy
        );
    }
}

#[test]
fn r4_a_sign_in_during_an_awaited_sign_out_goes_on() {
    let mut session = found(Some("1"));
    session.change_identity(None);
    let before = session.done.view;
    sign_in(&mut session, "2");
    assert!(session.pending.sign == Sign::OutIn);
    change(&mut session, &VIEWS, "9");
    session.ended(before, Ended::Destroyed, None);
    assert!(session.pending.sign == Sign::In && session.loaded.origin == Origin::New && session.loaded.id.is_none());
    assert_eq!(session.pending.identity, json(b"2"));
    assert_eq!(session.pending.fields.find("views"), Some(b"9".as_slice()));
    assert!(session.pending.base.is_empty() && session.pending.clear == Clear::Nothing);
    assert_eq!(session.done.endings.len(), 1);

    // A sign-out that was recorded since stays pending.
    let mut session = found(Some("1"));
    let before = session.done.view;
    session.change_identity(None);
    session.ended(before, Ended::Destroyed, None);
    assert!(session.pending.sign == Sign::Out);
}
