use super::*;
use crate::decide::Origin;
use crate::id::SessionId;
use crate::record::{Epoch, Field, Keep};

static VIEWS: Field = Field::new("views");
static THEME: Field = Field::new("theme").keep(Keep::Always);

fn fields(views: &str, theme: &str) -> Fields {
    [("views", Keep::No, views.as_bytes()), ("theme", Keep::Always, theme.as_bytes())].into_iter().collect()
}

fn row(views: &str, theme: &str) -> Row {
    let identity = Some(RawJson::new(b"1"));
    Row { epoch: Epoch(5), identity, fields: fields(views, theme), ..Row::new(VerifierHash([1; 32])) }
}

fn found(views: &str, theme: &str) -> Live {
    Live::new(Origin::Found, row(views, theme))
}

#[test]
fn r5_what_others_wrote_before_a_change_of_identity_does_not_come_back_with_a_rebase() {
    let mut live = found("1", "0");
    live.change_identity(Some(RawJson::new(b"2")));
    assert_eq!(live.fields.find("views"), None);
    let merged = live.fields.clone();
    live.adopt(row("7", "3"), Ok(merged));
    let kept: Vec<_> = live.fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    assert_eq!(kept, [("theme".to_owned(), b"3".to_vec())]);
    assert_eq!(live.base, live.fields);
    assert_eq!(live.row.fields, fields("7", "3"));
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
    assert_eq!(live.patch().touched.iter().map(|field| field.name).collect::<Vec<_>>(), ["views"]);
}

#[test]
fn r9_what_was_changed_back_during_an_awaited_write_is_a_change_now() {
    let mut sent = found("1", "0");
    sent.take_fields(fields("2", "0"), &[&VIEWS]);
    let mut live = sent.clone();
    live.take_fields(fields("1", "1"), &[&VIEWS, &THEME]);
    assert_eq!(live.patch().touched.iter().map(|field| field.name).collect::<Vec<_>>(), ["theme"]);
    live.written(&sent, fields("2", "0"));
    assert_eq!(live.fields, fields("1", "1"));
    assert_eq!(live.patch().touched.iter().map(|field| field.name).collect::<Vec<_>>(), ["theme", "views"]);
}

#[test]
fn r9_the_cookies_attributes_are_pending_until_these_are_written() {
    let cookie = |raw: &str| Some(RawJson::new(raw.as_bytes()));
    let mut sent = found("1", "0");
    (sent.cookie, sent.cookie_changed, sent.cookie_unsent) = (cookie("{}"), true, true);
    let mut live = sent.clone();
    live.written(&sent, fields("1", "0"));
    assert_eq!(live.row.cookie, cookie("{}"));
    assert!(!live.cookie_changed && live.cookie_unsent);

    let mut live = sent.clone();
    live.cookie = cookie("[]");
    live.written(&sent, fields("1", "0"));
    assert_eq!(live.row.cookie, cookie("{}"));
    assert!(live.cookie_changed);
    assert_eq!(live.patch().cookie, Some(cookie("[]")));
}

#[test]
fn r11_what_was_ended_while_it_was_being_stored_is_noted_down_to_end() {
    let mut stored = Live::new(Origin::New, row("1", "0"));
    stored.id = SessionId::try_from("0123456789abcdefghijkl").ok();
    let mut live = Live::new(Origin::New, row("1", "0"));
    live.end(None);
    assert!(live.endings.is_empty() && live.rows != stored.rows);
    live.inserted(&stored, [1; 16]);
    assert!(!live.saved && live.id.is_none() && live.stored_verifier.is_none());
    let endings: Vec<_> = live.endings.iter().map(|ending| (Some(&ending.id), ending.claimed, ending.loaded)).collect();
    assert_eq!(endings, [(stored.id.as_ref(), Epoch(5), Some(Epoch(5)))]);
}
