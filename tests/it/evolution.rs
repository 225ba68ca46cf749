//! R15 to R17: different versions of a program that share a store.

mod marks;
mod model;
mod turns;
mod versions;

use http::StatusCode;
use http_session::record::{Fields, IdentityChange, Keep, Lifetime, Patch, RawJson};
use http_session::{Session, SessionStore as _};

use crate::support::{Browser, Events, Rig, Visit, minutes};

#[derive(Session)]
struct Old {
    #[session(identity)]
    user: Option<String>,
    views: u64,
    colour: String,
    retired: u8,
}

/// Adds `language`, drops `retired`, renames `colour` to `theme`, and gives `views` another type.
#[derive(Session)]
struct New {
    #[session(identity)]
    user: Option<String>,
    views: Vec<String>,
    #[session(alias = "colour")]
    theme: String,
    #[session(default = "en")]
    language: Language,
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Language(String);

fn en() -> Language {
    Language("en".to_owned())
}

async fn old_session(rig: &Rig) -> Browser {
    let mut browser = Browser::default();
    rig.visit(&mut browser, async |mut s: Session<Old>| {
        s.sign_in("ada".to_owned());
        s.views = 3;
        s.colour = "dark".to_owned();
        s.retired = 7;
    })
    .await;
    browser
}

/// Returns the raw value of a field.
async fn raw(rig: &Rig, name: &str) -> Option<String> {
    rig.only_record().await.fields.find(name).map(|raw| String::from_utf8(raw.to_vec()).unwrap())
}

/// Writes directly into the stored record, without the library's rules.
async fn write(rig: &Rig, fields: &[(&str, &str)], identity: Option<&str>) {
    let id = rig.ids().await[0].clone();
    let record = rig.record(&id).await.unwrap();
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let kept = record.fields.iter().filter(|field| !names.contains(&field.name));
    let kept: Vec<_> = kept.map(|field| (field.name, field.keep, field.value)).collect();
    let new = fields.iter().map(|(name, value)| (*name, Keep::No, value.as_bytes()));
    let mut patch = Patch::unchanged(&record);
    patch.base = record.fields.clone();
    patch.result = Fields::from_iter(kept.into_iter().chain(new));
    if let Some(identity) = identity {
        patch.identity = IdentityChange::Set(RawJson::new(identity.as_bytes()));
    }
    let lifetime = Lifetime::new(minutes(60), minutes(600));
    let _ = rig.store.inner.store().update(&id, &patch, lifetime).await.unwrap();
}

#[tokio::test]
async fn r16_r17_a_new_version_reads_and_writes_what_an_old_one_stored() {
    let rig = Rig::new();
    let mut browser = old_session(&rig).await;
    let read = async |s: Session<New>| {
        assert_eq!((s.user.as_deref(), s.theme.as_str(), &s.language), (Some("ada"), "dark", &en()));
        assert!(s.views.is_empty(), "another type: the default");
    };
    let events = Events::capture();
    rig.visit(&mut browser, read).await;
    assert!(events.has("session.field.undecodable"));
    assert_eq!(raw(&rig, "views").await.as_deref(), Some("3"), "the stored bytes stay");
    rig.visit(&mut browser, async |mut s: Session<New>| s.language = Language("fr".to_owned())).await;
    assert_eq!(raw(&rig, "views").await.as_deref(), Some("3"), "still");
    assert_eq!(raw(&rig, "retired").await.as_deref(), Some("7"), "an unknown field is kept");
    assert_eq!(raw(&rig, "language").await.as_deref(), Some("\"fr\""));
    // Rolling the program back to the old version loses nothing.
    let back = async |s: Session<Old>| format!("{} {} {}", s.views, s.colour, s.retired);
    assert_eq!(rig.visit(&mut browser, back).await.text, "3 dark 7");
    rig.visit(&mut browser, async |mut s: Session<Old>| s.retired = 8).await;
    assert_eq!(raw(&rig, "language").await.as_deref(), Some("\"fr\""));
}

#[tokio::test]
async fn r15_a_write_of_a_renamed_field_removes_its_old_name() {
    let rig = Rig::new();
    let mut browser = old_session(&rig).await;
    rig.visit(&mut browser, async |mut s: Session<New>| s.theme = "light".to_owned()).await;
    assert_eq!((raw(&rig, "theme").await.as_deref(), raw(&rig, "colour").await), (Some("\"light\""), None));
    assert_eq!(rig.visit(&mut browser, async |s: Session<New>| s.theme.clone()).await.text, "light");
    // The old version writes the old name again, but the canonical name still wins.
    rig.visit(&mut browser, async |mut s: Session<Old>| s.colour = "red".to_owned()).await;
    assert_eq!(rig.visit(&mut browser, async |s: Session<New>| s.theme.clone()).await.text, "light");
}

#[tokio::test]
async fn r15_the_canonical_name_wins_even_as_null() {
    #[derive(Session)]
    struct Renamed {
        #[session(alias = "colour")]
        theme: Option<String>,
    }
    let rig = Rig::new();
    let mut browser = old_session(&rig).await;
    write(&rig, &[("theme", "null")], None).await;
    assert_eq!(
        (raw(&rig, "theme").await.as_deref(), raw(&rig, "colour").await.as_deref()),
        (Some("null"), Some("\"dark\""))
    );
    let theme = async |s: Session<Renamed>| format!("{:?}", s.theme);
    assert_eq!(rig.visit(&mut browser, theme).await.text, "None");
    rig.visit(&mut browser, async |mut s: Session<Renamed>| s.theme = Some("red".to_owned())).await;
    assert_eq!((raw(&rig, "theme").await.as_deref(), raw(&rig, "colour").await), (Some("\"red\""), None));
}

#[tokio::test]
async fn r15_the_last_of_several_fields_with_one_name_wins() {
    let block = |fields: &[(&'static str, &'static str)]| {
        let parts = fields.iter().map(|&(name, value)| Fields::from_iter([(name, Keep::No, value.as_bytes())]));
        parts.flat_map(|fields| fields.as_bytes().to_vec()).collect::<Vec<_>>()
    };
    let fields = Fields::from_bytes(&block(&[("views", "1"), ("theme", "2"), ("views", "3")])).unwrap();
    assert_eq!((fields.find("views"), fields.find("theme")), (Some(b"3".as_slice()), Some(b"2".as_slice())));
}

#[tokio::test]
async fn r16_an_undecodable_field_is_replaced_when_the_handler_changes_it() {
    let rig = Rig::new();
    let mut browser = old_session(&rig).await;
    rig.visit(&mut browser, async |mut s: Session<New>| s.views.push("home".to_owned())).await;
    assert_eq!(raw(&rig, "views").await.as_deref(), Some("[\"home\"]"));
    assert_eq!(rig.visit(&mut browser, async |s: Session<Old>| s.views.to_string()).await.text, "0");
}

#[derive(Session)]
struct Numbered {
    #[session(identity)]
    user: Option<u64>,
    views: u64,
}

#[derive(Session)]
struct Strict {
    #[session(required)]
    views: Vec<u64>,
    retired: u8,
}

#[tokio::test]
async fn r16_an_undecodable_identity_hides_the_session_from_that_view_and_stays() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = old_session(&rig).await;
        let before = rig.only_record().await;
        for wiring in [crate::support::Wiring::Layer, crate::support::Wiring::Service] {
            let rig = Rig { wiring, ..rig.clone() };
            rig.store.take_calls();
            let answer = rig.ask(&browser, async |mut s: Session<Numbered>| s.views = 99).await;
            assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
            assert!(answer.text.contains("cannot be read"));
            assert_eq!(answer.headers["vary"], "Cookie", "{wiring:?}");
            assert_eq!(rig.store.take_names(), ["load"]);
        }
        assert_eq!(rig.only_record().await, before);
        // A view that can read the identity opens the session.
        assert_eq!(rig.ask(&browser, async |s: Session<Old>| s.views.to_string()).await.text, "3");
        let loaded = rig.sessions.load::<Numbered>(&rig.ids().await[0]).await;
        assert_eq!(loaded.unwrap_err().kind(), http_session::error::StoreErrorKind::Corrupt);
    }
}

#[tokio::test]
async fn r16_an_undecodable_required_field_hides_the_session_from_that_view() {
    let rig = Rig::new();
    let browser = old_session(&rig).await;
    let before = rig.only_record().await;
    let answer = rig.ask(&browser, async |mut s: Session<Strict>| s.retired = 99).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    assert_eq!(rig.only_record().await, before);
}

#[tokio::test]
async fn r16_a_required_field_is_stored_even_with_its_default() {
    let rig = Rig::new();
    let mut browser = Browser::default();
    rig.visit(&mut browser, async |s: Session<Strict>| drop(s)).await;
    assert!(rig.ids().await.is_empty(), "a required field alone does not store a session");
    rig.visit(&mut browser, async |mut s: Session<Strict>| s.retired = 1).await;
    assert_eq!(raw(&rig, "views").await.as_deref(), Some("[]"));
    // This also holds in a record that another view began.
    let mut browser = rig.anonymous().await;
    rig.visit(&mut browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
    let rig = Rig::new();
    let mut browser = Browser::default();
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.theme = "dark".to_owned()).await;
    rig.visit(&mut browser, async |mut s: Session<Strict>| s.retired = 1).await;
    assert_eq!(raw(&rig, "views").await.as_deref(), Some("[]"));
    assert_eq!(raw(&rig, "theme").await.as_deref(), Some("\"dark\""));
}

#[tokio::test]
async fn r17_regenerate_begins_a_new_record_without_the_old_fields() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let mut browser = rig.signed_in("ada").await;
        let (old, old_id) = (browser.clone(), rig.ids().await[0].clone());
        rig.visit(&mut browser, async |mut s: Session<Strict>| s.retired = 9).await;
        rig.store.take_calls();
        let work = async |mut s: Session<Visit>| {
            s.views = 8;
            s.regenerate();
            assert!(s.user.is_none() && s.views == 0 && s.theme.is_empty());
            s.cart.push("new".to_owned());
        };
        rig.visit(&mut browser, work).await;
        assert_eq!(
            rig.store.take_names(),
            ["load", "insert", "destroy"],
            "the new record is inserted before the old one is destroyed, so that a failure in between loses nothing"
        );
        let record = rig.only_record().await;
        assert_eq!(record.fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["cart"]);
        assert_eq!(record.identity, None);
        assert!(rig.record(&old_id).await.unwrap().is_tombstone());
        assert_eq!(rig.seen(&old).await, "none");
    }
}

#[tokio::test]
async fn r17_regenerate_and_sign_in_is_a_new_record_with_that_identity() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let old_id = rig.ids().await[0].clone();
    rig.visit(&mut browser, async |mut s: Session<Visit>| {
        s.regenerate();
        s.sign_in("bob".to_owned());
        s.views = 2;
    })
    .await;
    assert_eq!(rig.seen(&browser).await, "bob v2 [] ");
    assert!(rig.record(&old_id).await.unwrap().is_tombstone());
}
