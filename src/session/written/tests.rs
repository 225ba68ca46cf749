use super::*;
use crate::decide::Origin;
use crate::record::{Epoch, Field, Keep};
use crate::store::SessionId;

static VIEWS: Field = Field::new("views");
static THEME: Field = Field::new("theme").keep(Keep::Always);

fn fields(views: &str, theme: &str) -> Fields {
    [("views", Keep::No, views.as_bytes()), ("theme", Keep::Always, theme.as_bytes())].into_iter().collect()
}

fn record(views: &str, theme: &str) -> Record {
    let mut record = Record::new(VerifierHash([1; 32]));
    record.epoch = Epoch(5);
    record.identity = Some(RawJson::new(b"1"));
    record.fields = fields(views, theme);
    record
}

fn found(views: &str, theme: &str) -> Live {
    Live::new(Origin::Found, record(views, theme))
}

#[test]
fn r5_what_others_wrote_before_a_change_of_identity_does_not_come_back_with_a_rebase() {
    let mut live = found("1", "0");
    live.change_identity(Some(RawJson::new(b"2")));
    assert_eq!(live.fields.find("views"), None);
    let merged = live.fields.clone();
    live.adopt(record("7", "3"), Ok(merged));
    let kept: Vec<_> = live.fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    assert_eq!(kept, [("theme".to_owned(), b"3".to_vec())]);
    assert_eq!(live.base, live.fields);
    assert_eq!(live.record.fields, fields("7", "3"));
}

#[test]
fn r9_only_what_changed_since_stays_pending_after_an_awaited_write() {
    let mut sent = found("1", "0");
    sent.take_fields(fields("2", "1"), &[&VIEWS, &THEME]);
    let mut live = sent.clone();
    live.take_fields(fields("3", "1"), &[&VIEWS]);
    // A merge rule of the store joined the theme with somebody else's.
    live.written(&sent, fields("2", "8"));
    assert_eq!(live.fields, fields("3", "8"));
    assert_eq!(live.base, fields("2", "8"));
    assert_eq!(live.patch().written_fields().iter().map(|field| field.name).collect::<Vec<_>>(), ["views"]);
}

#[test]
fn r9_what_was_changed_back_during_an_awaited_write_is_a_change_now() {
    let mut sent = found("1", "0");
    sent.take_fields(fields("2", "0"), &[&VIEWS]);
    let mut live = sent.clone();
    live.take_fields(fields("1", "1"), &[&VIEWS, &THEME]);
    assert_eq!(live.patch().written_fields().iter().map(|field| field.name).collect::<Vec<_>>(), ["theme"]);
    live.written(&sent, fields("2", "0"));
    assert_eq!(live.fields, fields("1", "1"));
    assert_eq!(live.patch().written_fields().iter().map(|field| field.name).collect::<Vec<_>>(), ["theme", "views"]);
}

#[test]
fn r9_the_cookies_attributes_are_pending_until_these_are_written() {
    let cookie = |raw: &str| Some(RawJson::new(raw.as_bytes()));
    let mut sent = found("1", "0");
    (sent.cookie, sent.cookie_changed, sent.cookie_unsent) = (cookie("{}"), true, true);
    let mut live = sent.clone();
    live.written(&sent, fields("1", "0"));
    assert_eq!(live.record.cookie, cookie("{}"));
    assert!(!live.cookie_changed && live.cookie_unsent);

    let mut live = sent.clone();
    live.cookie = cookie("[]");
    live.written(&sent, fields("1", "0"));
    assert_eq!(live.record.cookie, cookie("{}"));
    assert!(live.cookie_changed);
    assert_eq!(live.patch().cookie, Some(cookie("[]")));
}

#[test]
fn r11_what_was_ended_while_it_was_being_stored_is_noted_down_to_end() {
    let mut stored = Live::new(Origin::New, record("1", "0"));
    stored.id = SessionId::try_from("0123456789abcdefghijkl").ok();
    let mut live = Live::new(Origin::New, record("1", "0"));
    live.end(None);
    assert!(live.endings.is_empty() && live.records != stored.records);
    live.inserted(&stored, [1; 16]);
    assert!(!live.saved && live.id.is_none() && live.stored_verifier.is_none());
    let endings: Vec<_> = live.endings.iter().map(|ending| (Some(&ending.id), ending.claimed, ending.loaded)).collect();
    assert_eq!(endings, [(stored.id.as_ref(), Epoch(5), Some(Epoch(5)))]);
}

/// What is known of each session that this request ends.
fn endings(live: &Live) -> Vec<(SessionId, Epoch, Option<Epoch>)> {
    live.endings.iter().map(|ending| (ending.id.clone(), ending.claimed, ending.loaded)).collect()
}

fn id(text: &str) -> SessionId {
    SessionId::try_from(text).unwrap()
}

/// A session that was ended, after another one, while a write of it was under way, and the one that was written.
fn ended_meanwhile() -> (Live, Live) {
    let (mut other, mut sent) = (found("1", "0"), found("1", "0"));
    (other.id, sent.id) = (Some(id("other")), Some(id("sent")));
    let mut live = sent.clone();
    live.endings.extend(other.endable());
    live.end(None);
    (live, sent)
}

#[test]
fn r11_the_end_of_a_session_that_was_rotated_meanwhile_names_the_new_epoch() {
    let (mut live, sent) = ended_meanwhile();
    live.rotated(&sent, [1; 16], VerifierHash([2; 32]));
    assert!(live.stored_verifier.is_none() && live.record.verifier == VerifierHash::NONE);
    let other = (id("other"), Epoch(5), Some(Epoch(5)));
    assert_eq!(endings(&live), [other, (id("sent"), Epoch(6), Some(Epoch(6)))]);
}

#[test]
fn r11_the_end_of_a_session_that_moved_meanwhile_names_the_new_record() {
    let (mut live, sent) = ended_meanwhile();
    let mut moved = sent.clone();
    (moved.id, moved.record.epoch) = (Some(id("moved")), Epoch(9));
    live.moved(&sent, &moved, [1; 16]);
    assert!(live.stored_verifier.is_none() && live.id.is_none());
    let other = (id("other"), Epoch(5), Some(Epoch(5)));
    assert_eq!(endings(&live), [other, (id("moved"), Epoch(9), Some(Epoch(9)))]);
}

#[test]
fn r7_a_record_that_moved_keeps_its_ages() {
    let mut sent = found("1", "0");
    sent.id = Some(id("sent"));
    sent.record.ages.created = Duration::from_secs(7);
    sent.record.expires_in = Duration::from_secs(9);
    let mut moved = sent.clone();
    (moved.id, moved.record) = (Some(id("moved")), record("2", "0"));
    moved.record.epoch = Epoch(9);
    let mut live = sent.clone();
    live.moved(&sent, &moved, [1; 16]);
    assert_eq!(live.id, moved.id);
    assert!(live.stored_verifier == Some([1; 16]));
    let mut expected = moved.record;
    (expected.ages, expected.expires_in) = (sent.record.ages, sent.record.expires_in);
    assert_eq!(live.record, expected);
    assert_eq!((live.fields, live.base), (fields("2", "0"), fields("2", "0")));
}

/// A session that an awaited call has signed out, after what else happened to it in the meantime.
fn signed_out(meanwhile: impl FnOnce(&mut Live)) -> Live {
    let mut live = found("1", "0");
    live.record.cookie = Some(RawJson::new(b"{}"));
    live.reset();
    live.change_identity(None);
    let sent = live.clone();
    meanwhile(&mut live);
    live.signed_out(&sent, [1; 16], VerifierHash([2; 32]), sent.sign_out_patch().result);
    assert_eq!((live.record.epoch, live.record.identity_epoch, &live.record.identity), (Epoch(6), Epoch(6), &None));
    assert_eq!((live.record.verifier, &live.record.cookie), (VerifierHash([2; 32]), &None));
    assert!(live.stored_verifier == Some([1; 16]));
    live
}

#[test]
fn r11_after_an_awaited_sign_out_an_anonymous_session_goes_on() {
    let live = signed_out(|_| {});
    assert!(live.sign == Sign::Unchanged && live.intent == Intent::Keep && live.clear == Clear::Nothing);
    assert_eq!(live.identity_change, IdentityChange::Unchanged);
    assert!(!live.cookie_changed && live.cookie_unsent && !live.is_pending());
    assert_eq!(live.fields.iter().map(|field| field.name.to_owned()).collect::<Vec<_>>(), ["theme"]);

    let live = signed_out(|live| live.ask(Intent::Destroy));
    assert!(live.intent == Intent::Destroy);
    let live = signed_out(|live| live.cookie = Some(RawJson::new(b"[]")));
    assert!(live.cookie_changed && live.cookie_unsent);
}

#[test]
fn r4_what_became_of_the_identity_while_a_sign_out_was_awaited_stays_pending() {
    let user = || Some(RawJson::new(b"2"));
    let live = signed_out(|live| live.change_identity(user()));
    assert!(live.sign == Sign::In && live.intent == Intent::Rotate);
    assert_eq!((live.identity.as_ref(), live.entering()), (user().as_ref(), user().as_ref()));

    let live = signed_out(|live| {
        live.change_identity(user());
        live.change_identity(None);
    });
    assert!(live.sign == Sign::Out && live.intent == Intent::Rotate);
    assert_eq!(live.identity_change, IdentityChange::Removed);
}
