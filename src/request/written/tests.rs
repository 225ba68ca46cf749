use super::*;
use crate::decide::Origin;
use http_session_store::SessionId;
use http_session_store::record::{Epoch, Field, IdentityChange, Keep};

static VIEWS: Field = Field::new("views");
static THEME: Field = Field::new("theme").keep(Keep::Always);

fn fields(views: &str, theme: &str) -> Fields {
    [("views", Keep::No, views.as_bytes()), ("theme", Keep::Always, theme.as_bytes())].into_iter().collect()
}

fn record(views: &str, theme: &str) -> Record {
    let mut record =
        Record::new(VerifierHash([1; 32])).with_identity(RawJson::new(b"1")).with_fields(fields(views, theme));
    record.epoch = Epoch(5);
    record
}

fn found(views: &str, theme: &str) -> RequestSession {
    RequestSession::new(Origin::Found, record(views, theme))
}

#[test]
fn r5_fields_that_a_change_of_identity_clears_do_not_come_back_with_a_rebase() {
    let mut session = found("1", "0");
    session.change_identity(Some(RawJson::new(b"2")));
    assert_eq!(session.pending.fields.find("views"), None);
    let merged = session.pending.fields.clone();
    session.adopt(record("7", "3"), Ok(merged));
    let kept: Vec<_> =
        session.pending.fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    assert_eq!(kept, [("theme".to_owned(), b"3".to_vec())]);
    assert_eq!(session.pending.base, session.pending.fields);
    assert_eq!(session.loaded.record.fields, fields("7", "3"));
}

#[test]
fn r9_after_an_awaited_write_only_later_changes_stay_pending() {
    let mut sent = found("1", "0");
    sent.take_fields(fields("2", "1"), &[&VIEWS, &THEME]);
    let mut session = sent.clone();
    session.take_fields(fields("3", "1"), &[&VIEWS]);
    // The store has merged the theme with that of another request.
    session.written(&sent, fields("2", "8"));
    assert_eq!(session.pending.fields, fields("3", "8"));
    assert_eq!(session.pending.base, fields("2", "8"));
    assert_eq!(session.patch().written_fields().iter().map(|field| field.name).collect::<Vec<_>>(), ["views"]);
}

#[test]
fn r9_a_field_that_is_changed_back_during_an_awaited_write_is_a_change() {
    let mut sent = found("1", "0");
    sent.take_fields(fields("2", "0"), &[&VIEWS]);
    let mut session = sent.clone();
    session.take_fields(fields("1", "1"), &[&VIEWS, &THEME]);
    assert_eq!(session.patch().written_fields().iter().map(|field| field.name).collect::<Vec<_>>(), ["theme"]);
    session.written(&sent, fields("2", "0"));
    assert_eq!(session.pending.fields, fields("1", "1"));
    assert_eq!(session.patch().written_fields().iter().map(|field| field.name).collect::<Vec<_>>(), ["theme", "views"]);
}

#[test]
fn r9_cookie_attributes_stay_pending_until_exactly_they_are_written() {
    let cookie = |raw: &str| Some(RawJson::new(raw.as_bytes()));
    let mut sent = found("1", "0");
    (sent.pending.cookie, sent.pending.cookie_changed, sent.pending.cookie_unsent) = (cookie("{}"), true, true);
    let mut session = sent.clone();
    session.written(&sent, fields("1", "0"));
    assert_eq!(session.loaded.record.cookie, cookie("{}"));
    assert!(!session.pending.cookie_changed && session.pending.cookie_unsent);

    let mut session = sent.clone();
    session.pending.cookie = cookie("[]");
    session.written(&sent, fields("1", "0"));
    assert_eq!(session.loaded.record.cookie, cookie("{}"));
    assert!(session.pending.cookie_changed);
    assert_eq!(session.patch().cookie, Some(cookie("[]")));
}

#[test]
fn r11_a_session_that_is_destroyed_during_its_insert_still_ends() {
    let mut stored = RequestSession::new(Origin::New, record("1", "0"));
    stored.loaded.id = SessionId::try_from("0123456789abcdefghijkl").ok();
    let mut session = RequestSession::new(Origin::New, record("1", "0"));
    session.end(None);
    assert!(session.done.endings.is_empty() && session.done.records != stored.done.records);
    session.inserted(&stored, [1; 16]);
    assert!(!session.done.saved && session.loaded.id.is_none() && session.done.verifier.is_none());
    let endings: Vec<_> =
        session.done.endings.iter().map(|ending| (Some(&ending.id), ending.claimed, ending.loaded)).collect();
    assert_eq!(endings, [(stored.loaded.id.as_ref(), Epoch(5), Some(Epoch(5)))]);
}

/// Id, epoch of the cookie and epoch of the record, for each session that this request ends.
fn endings(session: &RequestSession) -> Vec<(SessionId, Epoch, Option<Epoch>)> {
    session.done.endings.iter().map(|ending| (ending.id.clone(), ending.claimed, ending.loaded)).collect()
}

fn id(text: &str) -> SessionId {
    SessionId::try_from(text).unwrap()
}

/// A session that was ended while a write of it was under way, and the clone with which the write was made. The request had
/// ended another session before.
fn ended_meanwhile() -> (RequestSession, RequestSession) {
    let (mut other, mut sent) = (found("1", "0"), found("1", "0"));
    (other.loaded.id, sent.loaded.id) = (Some(id("other")), Some(id("sent")));
    let mut session = sent.clone();
    session.done.endings.extend(other.endable());
    session.end(None);
    (session, sent)
}

#[test]
fn r11_the_end_of_a_session_that_is_rotated_meanwhile_names_the_new_epoch() {
    let (mut session, sent) = ended_meanwhile();
    session.rotated(&sent, [1; 16], VerifierHash([2; 32]));
    assert!(session.done.verifier.is_none() && session.loaded.record.verifier == VerifierHash::NONE);
    let other = (id("other"), Epoch(5), Some(Epoch(5)));
    assert_eq!(endings(&session), [other, (id("sent"), Epoch(6), Some(Epoch(6)))]);
}

#[test]
fn r11_the_end_of_a_session_that_moves_meanwhile_names_the_new_record() {
    let (mut session, sent) = ended_meanwhile();
    let mut moved = sent.clone();
    (moved.loaded.id, moved.loaded.record.epoch) = (Some(id("moved")), Epoch(9));
    session.moved(&sent, &moved, [1; 16]);
    assert!(session.done.verifier.is_none() && session.loaded.id.is_none());
    let other = (id("other"), Epoch(5), Some(Epoch(5)));
    assert_eq!(endings(&session), [other, (id("moved"), Epoch(9), Some(Epoch(9)))]);
}

#[test]
fn r7_a_record_that_moved_keeps_its_ages() {
    let mut sent = found("1", "0");
    sent.loaded.id = Some(id("sent"));
    sent.loaded.record.ages.created = Duration::from_secs(7);
    sent.loaded.record.expires_in = Duration::from_secs(9);
    let mut moved = sent.clone();
    (moved.loaded.id, moved.loaded.record) = (Some(id("moved")), record("2", "0"));
    moved.loaded.record.epoch = Epoch(9);
    let mut session = sent.clone();
    session.moved(&sent, &moved, [1; 16]);
    assert_eq!(session.loaded.id, moved.loaded.id);
    assert!(session.done.verifier == Some([1; 16]));
    let mut expected = moved.loaded.record;
    (expected.ages, expected.expires_in) = (sent.loaded.record.ages, sent.loaded.record.expires_in);
    assert_eq!(session.loaded.record, expected);
    assert_eq!((session.pending.fields, session.pending.base), (fields("2", "0"), fields("2", "0")));
}

/// A session that an awaited call has signed out, with something that happened to it in the meantime.
fn signed_out(meanwhile: impl FnOnce(&mut RequestSession)) -> RequestSession {
    let mut session = found("1", "0");
    session.loaded.record.cookie = Some(RawJson::new(b"{}"));
    session.reset();
    session.change_identity(None);
    let sent = session.clone();
    meanwhile(&mut session);
    session.signed_out(&sent, [1; 16], VerifierHash([2; 32]), sent.sign_out_patch().result);
    assert_eq!(
        (session.loaded.record.epoch, session.loaded.record.identity_epoch, &session.loaded.record.identity),
        (Epoch(6), Epoch(6), &None)
    );
    assert_eq!((session.loaded.record.verifier, &session.loaded.record.cookie), (VerifierHash([2; 32]), &None));
    assert!(session.done.verifier == Some([1; 16]));
    session
}

#[test]
fn r11_after_an_awaited_sign_out_an_anonymous_session_goes_on() {
    let session = signed_out(|_| {});
    assert!(
        session.pending.sign == Sign::Unchanged
            && session.pending.intent == Intent::Keep
            && session.pending.clear == Clear::Nothing
    );
    assert_eq!(session.identity_change(), IdentityChange::Unchanged);
    assert!(!session.pending.cookie_changed && session.pending.cookie_unsent && !session.pending.has_fields());
    assert_eq!(session.pending.fields.iter().map(|field| field.name.to_owned()).collect::<Vec<_>>(), ["theme"]);

    let session = signed_out(|session| session.pending.ask(Intent::Destroy));
    assert!(session.pending.intent == Intent::Destroy);
    let session = signed_out(|session| session.pending.cookie = Some(RawJson::new(b"[]")));
    assert!(session.pending.cookie_changed && session.pending.cookie_unsent);
}

#[test]
fn r4_a_change_of_identity_during_an_awaited_sign_out_stays_pending() {
    let user = || Some(RawJson::new(b"2"));
    let session = signed_out(|session| session.change_identity(user()));
    assert!(session.pending.sign == Sign::In && session.pending.intent == Intent::Rotate);
    assert_eq!((session.pending.identity.as_ref(), session.entering()), (user().as_ref(), user().as_ref()));

    let session = signed_out(|session| {
        session.change_identity(user());
        session.change_identity(None);
    });
    assert!(session.pending.sign == Sign::Out && session.pending.intent == Intent::Rotate);
    assert_eq!(session.identity_change(), IdentityChange::Removed);
}
