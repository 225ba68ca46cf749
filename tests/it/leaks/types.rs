//! The `Debug` and `Display` output of the public types.

use axum::response::IntoResponse as _;
use http::{Method, Request, Response};
use http_session::error::{SaveError, SessionRejection, StoreError, StoreErrorKind};
use http_session::record::{Field, IdentityChange, Keep, Patch, RawJson, VerifierChange};
use http_session::store::Updated;
use http_session::{Secret, Session, SessionConfig, SessionId};

use super::{begin, leaks, native};
use crate::support::{Browser, LeakCheck, Oops, Rig, Visit, secret};

#[tokio::test]
async fn r26_debug_and_errors_of_public_types_contain_no_secret() {
    let mut leaks = leaks();
    let rig = native(true);
    let mut browser = Browser::default();
    for _ in 0..12 {
        browser = Browser::default();
        leaks.answer(&rig.visit(&mut browser, begin).await);
    }
    leaks.records(&rig).await;
    configurations(&mut leaks, &rig);
    records_and_patches(&mut leaks, &rig).await;
    errors(&mut leaks);
    leaks.add_output(&rig.start(browser.request(Method::GET, "/"), begin).await.map(drop));
    leaks.output.push_str(&"-".repeat(5000));
    leaks.check();
}

fn configurations(leaks: &mut LeakCheck, rig: &Rig) {
    leaks.add_output(&rig.sessions);
    leaks.add_output(rig.sessions.store());
    leaks.add_output(&rig.sessions.layer());
    leaks.add_output(&tower::Layer::layer(&rig.sessions.layer(), "the inner service"));
    leaks.add_output(&rig.sessions.service(plain));
    leaks.add_output(&SessionConfig::builder().secret(secret()).previous_secret(secret()));
    leaks.add_output(&SessionConfig::express().secret(Secret::express("s3cret-value").unwrap()));
    leaks.add_output(&secret());
    leaks.add_output(&Secret::express("s3cret-value"));
    leaks.add_output(&Secret::random());
    leaks.add_output(&http_session::store::AnyStore::new(rig.store.inner.store().clone()));
    leaks.add_output(&rig.store.inner.store().usage());
}

async fn records_and_patches(leaks: &mut LeakCheck, rig: &Rig) {
    let id = rig.ids().await[0].clone();
    let record = rig.record(&id).await.unwrap();
    leaks.add_output(&rig.sessions.load::<Visit>(&id).await.unwrap());
    let raw = RawJson::new(b"\"s3cret-value\"");
    let mut patch = Patch::unchanged(&record);
    patch.identity = IdentityChange::Set(raw.clone());
    patch.verifier = VerifierChange::Renew { current: record.verifier, new: record.verifier };
    patch.cookie = Some(Some(raw.clone()));
    patch.result = [("theme", Keep::Always, b"\"s3cret-value\"".as_slice())].into_iter().collect();
    patch.write(&THEME);
    leaks.add_output(&patch);
    leaks.add_output(&patch.changes().collect::<Vec<_>>());
    leaks.add_output(&raw);
    leaks.add_output(&THEME);
    leaks.add_output(&Updated::Conflict(Box::new(record.clone())));
    let mut renewed = record.with_identity(raw);
    renewed.previous = Some(renewed.verifier);
    leaks.add_output(&renewed);
}

fn errors(leaks: &mut LeakCheck) {
    use StoreErrorKind::{Corrupt, Full, Refused, Unavailable, Unknown};
    for kind in [Corrupt, Full, Refused, Unavailable, Unknown] {
        let store = || StoreError::new(kind).with_source("driver says postgres://user:hunter2@db");
        leaks.error(&store());
        leaks.error(&SaveError::Store(store()));
        leaks.add_output(&store().into_response());
        leaks.add_output(&SaveError::Store(store()).into_response());
    }
    for error in [
        SaveError::Conflict,
        SaveError::IdentityPending,
        SaveError::Missing,
        SaveError::NoSession,
        SaveError::NotSignedIn,
        SaveError::Superseded,
        SaveError::TooLarge,
        SaveError::Unencodable,
        SaveError::Unsendable,
    ] {
        leaks.error(&error);
        leaks.add_output(&error.into_response());
    }
    for rejection in [
        SessionRejection::Closed,
        SessionRejection::NoLayer,
        SessionRejection::OutsidePath,
        SessionRejection::StoreFailed,
        SessionRejection::Unreadable,
    ] {
        leaks.error(&rejection);
        leaks.output.push_str(rejection.body_text());
        leaks.add_output(&rejection.into_response());
    }
    leaks.error(&Secret::try_from("s3cret-value").unwrap_err());
    leaks.error(
        &Secret::from_env("PATH").map_or_else(|error| error, |_| Secret::from_env("SURELY_NOT_SET").unwrap_err()),
    );
    leaks.error(&SessionId::try_from("s3cret-value".repeat(100).as_str()).unwrap_err());
    leaks.error(&http_session::CookieName::try_from("s3cret-value=").unwrap_err());
    leaks.error(&http_session::CookiePath::try_from("s3cret-value").unwrap_err());
    leaks.error(&http_session::CookieDomain::try_from("s3cret-value:").unwrap_err());
    leaks.error(&http_session::record::Fields::from_bytes(b"s3cret-value").unwrap_err());
    leaks.error(&http_session::error::MergeConflict::refuse());
}

static THEME: Field = Field::new("theme");

async fn plain(_: Request<String>, _: Session<Visit>) -> Result<Response<String>, Oops> {
    Ok(Response::default())
}
