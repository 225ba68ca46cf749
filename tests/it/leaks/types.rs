//! What the public types show of themselves.

use axum::response::IntoResponse as _;
use http::{Method, Request, Response};
use http_session::error::{SaveError, SessionRejection, StoreError, StoreErrorKind};
use http_session::record::{Field, IdentityChange, Keep, Patch, RawJson, VerifierChange};
use http_session::store::Updated;
use http_session::{Secret, Session, SessionConfig, SessionId};

use super::{begin, native, watch};
use crate::support::{Browser, Oops, Rig, Visit, Watch, secret};

#[tokio::test]
async fn r26_debug_and_errors_of_public_types_say_nothing() {
    let mut watch = watch();
    let rig = native(true);
    let mut browser = Browser::default();
    for _ in 0..12 {
        browser = Browser::default();
        watch.answer(&rig.visit(&mut browser, begin).await);
    }
    watch.records(&rig).await;
    configurations(&mut watch, &rig);
    records_and_patches(&mut watch, &rig).await;
    errors(&mut watch);
    watch.hears(&rig.start(browser.request(Method::GET, "/"), begin).await.map(drop));
    watch.said.push_str(&"-".repeat(5000));
    watch.check();
}

fn configurations(watch: &mut Watch, rig: &Rig) {
    watch.hears(&rig.sessions);
    watch.hears(rig.sessions.store());
    watch.hears(&rig.sessions.layer());
    watch.hears(&tower::Layer::layer(&rig.sessions.layer(), "the inner service"));
    watch.hears(&rig.sessions.service(plain));
    watch.hears(&SessionConfig::builder().secret(secret()).previous_secret(secret()));
    watch.hears(&SessionConfig::express().secret(Secret::express("s3cret-value").unwrap()));
    watch.hears(&secret());
    watch.hears(&Secret::express("s3cret-value"));
    watch.hears(&Secret::random());
    watch.hears(&http_session::store::AnyStore::new(rig.store.inner.store().clone()));
    watch.hears(&rig.store.inner.store().usage());
}

async fn records_and_patches(watch: &mut Watch, rig: &Rig) {
    let id = rig.ids().await[0].clone();
    let record = rig.record(&id).await.unwrap();
    watch.hears(&rig.sessions.load::<Visit>(&id).await.unwrap());
    let raw = RawJson::new(b"\"s3cret-value\"");
    let mut patch = Patch::unchanged(&record);
    patch.identity = IdentityChange::Set(raw.clone());
    patch.verifier = VerifierChange::Renew { current: record.verifier, new: record.verifier };
    patch.cookie = Some(Some(raw.clone()));
    patch.result = [("theme", Keep::Always, b"\"s3cret-value\"".as_slice())].into_iter().collect();
    patch.write(&THEME);
    watch.hears(&patch);
    watch.hears(&patch.changes().collect::<Vec<_>>());
    watch.hears(&raw);
    watch.hears(&THEME);
    watch.hears(&Updated::Conflict(Box::new(record.clone())));
    let mut renewed = record.with_identity(raw);
    renewed.previous = Some(renewed.verifier);
    watch.hears(&renewed);
}

fn errors(watch: &mut Watch) {
    use StoreErrorKind::{Corrupt, Full, Refused, Unavailable, Unknown};
    for kind in [Corrupt, Full, Refused, Unavailable, Unknown] {
        let store = || StoreError::new(kind).with_source("driver says postgres://user:hunter2@db");
        watch.error(&store());
        watch.error(&SaveError::Store(store()));
        watch.hears(&store().into_response());
        watch.hears(&SaveError::Store(store()).into_response());
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
        watch.error(&error);
        watch.hears(&error.into_response());
    }
    for rejection in [
        SessionRejection::Closed,
        SessionRejection::NoLayer,
        SessionRejection::OutsidePath,
        SessionRejection::StoreFailed,
        SessionRejection::Unreadable,
    ] {
        watch.error(&rejection);
        watch.said.push_str(rejection.body_text());
        watch.hears(&rejection.into_response());
    }
    watch.error(&Secret::try_from("s3cret-value").unwrap_err());
    watch.error(
        &Secret::from_env("PATH").map_or_else(|error| error, |_| Secret::from_env("SURELY_NOT_SET").unwrap_err()),
    );
    watch.error(&SessionId::try_from("s3cret-value".repeat(100).as_str()).unwrap_err());
    watch.error(&http_session::CookieName::try_from("s3cret-value=").unwrap_err());
    watch.error(&http_session::CookiePath::try_from("s3cret-value").unwrap_err());
    watch.error(&http_session::CookieDomain::try_from("s3cret-value:").unwrap_err());
    watch.error(&http_session::record::Fields::from_bytes(b"s3cret-value").unwrap_err());
    watch.error(&http_session::error::MergeConflict::refuse());
}

static THEME: Field = Field::new("theme");

async fn plain(_: Request<String>, _: Session<Visit>) -> Result<Response<String>, Oops> {
    Ok(Response::default())
}
