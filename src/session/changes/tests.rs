use super::*;
use crate::record::Keep;
use crate::session::change_list::ChangeList;
use crate::session::data::ChangeSink as _;

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
fn found(identity: Option<&str>) -> Live {
    let mut record = Record::new(VerifierHash([1; 32]));
    record.epoch = Epoch(5);
    record.identity = identity.map(|user| RawJson::new(user.as_bytes()));
    record.fields = fields(&[(&VIEWS, "1"), (&CART, "[]"), (&THEME, "0")]);
    let mut live = Live::new(Origin::Found, record);
    live.id = SessionId::try_from("0123456789abcdefghijkl").ok();
    live
}

/// A handle changes a field.
fn change(live: &mut Live, field: &'static Field, value: &str) {
    let mut changes = ChangeList::default();
    changes.field(field, value.as_bytes());
    live.take_fields(changes.apply_to(&live.fields), &changes.changed());
}

fn sign_in(live: &mut Live, user: &str) {
    live.change_identity(json(user.as_bytes()));
}

#[test]
fn r9_what_is_changed_back_is_no_change() {
    let mut live = found(None);
    change(&mut live, &VIEWS, "2");
    assert!(live.modified && live.is_pending());
    assert_eq!(live.patch().written_fields().len(), 1);
    change(&mut live, &VIEWS, "1");
    assert!(!live.modified && !live.is_pending());
    assert!(live.patch().written_fields().is_empty());
}

#[test]
fn what_was_saved_or_signed_out_stays_modified_when_a_field_is_changed_back() {
    let mut live = found(None);
    (live.saved, live.modified) = (true, true);
    change(&mut live, &VIEWS, "2");
    change(&mut live, &VIEWS, "1");
    assert!(live.modified);

    let mut live = found(Some("1"));
    live.change_identity(None);
    change(&mut live, &THEME, "1");
    change(&mut live, &THEME, "0");
    assert!(live.modified && live.fields == live.base);
}

#[test]
fn r5_a_change_of_identity_is_a_modification() {
    let mut live = found(None);
    live.fields = Fields::EMPTY;
    live.base = Fields::EMPTY;
    sign_in(&mut live, "1");
    assert!(live.modified && live.fields == live.base);

    // The sign-in is taken back, a field that was changed meanwhile is not.
    change(&mut live, &THEME, "1");
    live.change_identity(None);
    assert!(live.sign == Sign::Unchanged && live.modified);

    let mut live = found(None);
    sign_in(&mut live, "1");
    live.change_identity(None);
    assert!(live.sign == Sign::Unchanged && !live.modified);
}

#[test]
fn r5_another_identity_does_not_inherit_the_cookies_attributes() {
    let mut live = found(Some("1"));
    sign_in(&mut live, "2");
    assert!(!live.cookie_changed && !live.cookie_unsent, "nothing to inherit");

    let mut live = found(Some("1"));
    live.record.cookie = json(COOKIE);
    live.cookie = json(COOKIE);
    sign_in(&mut live, "2");
    assert!(live.cookie_changed && live.cookie_unsent);
    assert_eq!(live.cookie, None);
    // The browser does not know it yet, whoever signs in after that.
    sign_in(&mut live, "3");
    assert!(live.cookie_changed && live.cookie_unsent);

    // A visitor's own attributes stay when he signs in.
    let mut live = found(None);
    live.cookie = json(COOKIE);
    sign_in(&mut live, "1");
    assert_eq!(live.cookie, json(COOKIE));
}

#[test]
fn r5_signing_in_again_is_a_sign_in() {
    let mut live = found(Some("1"));
    assert_eq!(live.entering(), None);
    live.affirm_identity();
    assert!(live.sign == Sign::In && live.intent == Intent::Rotate);
    assert_eq!(live.identity_change, IdentityChange::Affirmed);
    assert_eq!(live.entering(), json(b"1").as_ref());
    assert_eq!(live.fields, live.record.fields);
}

#[test]
fn r11_affirming_does_not_take_a_sign_out_back() {
    let mut live = found(Some("1"));
    live.change_identity(None);
    assert_eq!(live.entering(), None);
    sign_in(&mut live, "2");
    live.affirm_identity();
    assert!(live.sign == Sign::OutIn);
    assert_eq!(live.identity_change, IdentityChange::Set(RawJson::new(b"2")));
    assert_eq!(live.entering(), json(b"2").as_ref());
}

#[test]
fn r16_required_fields_go_along_with_a_sign_in_and_as_marked_with_a_sign_out() {
    let filled = |identity: Option<&str>, then: Option<&str>| {
        let mut live = found(identity);
        (live.record.fields, live.base, live.fields) = (Fields::EMPTY, Fields::EMPTY, Fields::EMPTY);
        live.fillers = [&VIEWS, &CART, &THEME].map(|field| (field, b"7".to_vec())).into();
        live.change_identity(then.and_then(|user| json(user.as_bytes())));
        live.with_fillers().iter().map(|field| field.name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(filled(None, Some("1")), ["views", "cart", "theme"]);
    assert_eq!(filled(Some("1"), None), ["theme"]);
    assert_eq!(filled(Some("1"), Some("2")), ["theme"]);
}

#[test]
fn r5_the_patch_of_a_sign_out_has_what_is_kept_and_nothing_of_the_request() {
    let mut live = found(Some("1"));
    live.record.cookie = json(COOKIE);
    change(&mut live, &THEME, "1");
    change(&mut live, &VIEWS, "2");
    let patch = live.sign_out_patch();
    assert_eq!((patch.epoch, patch.clear), (Epoch(5), Clear::Identity));
    assert_eq!(patch.identity, IdentityChange::Removed);
    assert_eq!(patch.base, fields(&[(&THEME, "0")]));
    assert_eq!(patch.result, fields(&[(&THEME, "0")]));
    assert!(patch.written_fields().is_empty());
    assert_eq!(patch.cookie, Some(None));
    live.record.cookie = None;
    assert_eq!(live.sign_out_patch().cookie, None);
}

#[test]
fn r11_what_follows_an_end_begins_with_the_first_cookie() {
    let mut live = found(Some("1"));
    live.end(json(COOKIE));
    assert_eq!(live.cookie, json(COOKIE));
    assert!(live.origin == Origin::New && live.id.is_none() && live.fields.is_empty());
    assert_eq!(live.endings.len(), 1);
}

#[test]
fn r11_what_an_awaited_sign_out_keeps_goes_on_in_a_new_record() {
    let after = |ended: Ended, kept: Fields| {
        let mut live = found(Some("1"));
        live.change_identity(None);
        live.fields = kept;
        live.ended(live.view, ended, None);
        assert!(live.origin == Origin::New && live.id.is_none() && live.sign == Sign::Unchanged);
        assert_eq!(live.endings.iter().map(|ending| ending.done).collect::<Vec<_>>(), [Some(ended)]);
        live
    };
    let kept = || fields(&[(&THEME, "0")]);
    let live = after(Ended::Destroyed, kept());
    assert!(live.fields == kept() && live.modified && live.intent == Intent::Keep);

    let live = after(Ended::Destroyed, Fields::EMPTY);
    assert!(live.fields.is_empty() && !live.modified && live.intent == Intent::Destroy);
    // Somebody else ended it, or has it now: nothing of it is this request's.
    for ended in [Ended::Already, Ended::Superseded] {
        let live = after(ended, kept());
        assert!(live.fields.is_empty() && !live.modified && live.intent == Intent::Destroy);
    }
}

#[test]
fn r4_what_began_while_a_sign_out_was_awaited_goes_on() {
    let mut live = found(Some("1"));
    live.change_identity(None);
    let before = live.view;
    sign_in(&mut live, "2");
    assert!(live.sign == Sign::OutIn);
    change(&mut live, &VIEWS, "9");
    live.ended(before, Ended::Destroyed, None);
    assert!(live.sign == Sign::In && live.origin == Origin::New && live.id.is_none());
    assert_eq!(live.identity, json(b"2"));
    assert_eq!(live.fields.find("views"), Some(b"9".as_slice()));
    assert!(live.base.is_empty() && live.clear == Clear::Nothing);
    assert_eq!(live.endings.len(), 1);

    // A sign-out that is still to be done stays one.
    let mut live = found(Some("1"));
    let before = live.view;
    live.change_identity(None);
    live.ended(before, Ended::Destroyed, None);
    assert!(live.sign == Sign::Out);
}
