//! The events: one function for each.

use std::fmt::Debug;

use super::tag::TagKey;
use crate::decide::Sign;
use crate::error::{SaveError, StoreError};
use http_session_store::SessionId;
use http_session_store::record::{IdentityChange, Patch, VerifierChange};

/// Emits an event and counts it.
macro_rules! event {
    ($level:ident, $name:literal, $message:literal $(, $($field:tt)+)?) => {{
        tracing::$level!(name: $name, target: "http_session", $($($field)+,)? $message);
        #[cfg(feature = "metrics")]
        metrics::counter!("session_events_total", "event" => $name).increment(1);
    }};
}

/// A session, as a field of an event.
fn tag(tags: &TagKey, id: &SessionId) -> impl tracing::Value + use<> {
    tracing::field::display(tags.tag(id))
}

/// The same, for a session that may not have an id yet.
fn tag_of(tags: &TagKey, id: Option<&SessionId>) -> Option<impl tracing::Value + use<>> {
    id.map(|id| tag(tags, id))
}

// Load

pub(crate) fn loaded(tags: &TagKey, id: &SessionId) {
    event!(debug, "session.loaded", "a session was loaded", session = tag(tags, id));
}

pub(crate) fn missing(tags: &TagKey, id: &SessionId) {
    event!(
        debug,
        "session.missing",
        "the session of a cookie does not exist: it has expired, or was destroyed a while ago",
        session = tag(tags, id)
    );
}

pub(crate) fn superseded(tags: &TagKey, id: &SessionId, late: bool) {
    event!(info, "session.superseded", "a superseded cookie was presented", session = tag(tags, id), late);
}

#[cold]
pub(crate) fn outdated(tags: &TagKey, id: &SessionId) {
    event!(
        warn,
        "session.verifier.outdated",
        "a cookie from before the last two renewals was presented; it may be stolen",
        session = tag(tags, id)
    );
}

#[cold]
pub(crate) fn tossed(tags: &TagKey, id: &SessionId) {
    event!(
        warn,
        "session.tossed",
        "several live sessions were presented together; none of them is used, this one included",
        session = tag(tags, id)
    );
}

#[cold]
pub(crate) fn load_failed(error: &StoreError) {
    event!(error, "session.load.failed", "a session could not be loaded", %error);
}

#[cold]
pub(crate) fn undecodable(field: &'static str) {
    event!(warn, "session.field.undecodable", "a stored field cannot be decoded", field);
}

// Handler

#[cold]
pub(crate) fn unencodable(field: &'static str) {
    event!(error, "session.field.unencodable", "a session field cannot be serialised", field);
}

#[cold]
pub(crate) fn handle_stale(tags: &TagKey, id: Option<&SessionId>) {
    event!(
        warn,
        "session.handle.stale",
        "the identity or session has changed within the request; the changes of an older handle are lost",
        session = tag_of(tags, id)
    );
}

#[cold]
pub(crate) fn handle_alive(tags: &TagKey, id: Option<&SessionId>, handles: usize) {
    event!(
        warn,
        "session.handle.alive",
        "session handles are still alive at the commit; what they change from now on is lost",
        session = tag_of(tags, id),
        handles
    );
}

#[cold]
pub(crate) fn handle_outlived() {
    event!(error, "session.handle.outlived", "a session handle outlived its response; its changes are lost");
}

pub(crate) fn save_failed(tags: &TagKey, id: Option<&SessionId>, error: &SaveError) {
    event!(
        info,
        "session.save.failed",
        "an awaited save did not happen; the handler has received the error",
        session = tag_of(tags, id),
        %error
    );
}

// Commit

/// A new session is in the store.
pub(crate) fn created(tags: &TagKey, id: &SessionId, identity: &IdentityChange) {
    event!(debug, "session.created", "a session was created", session = tag(tags, id));
    if matches!(identity, IdentityChange::Set(_) | IdentityChange::Affirmed) {
        signed_in(tags, id);
    }
}

/// A patch is in the store.
pub(crate) fn updated(tags: &TagKey, id: &SessionId, patch: &Patch, renewed: bool) {
    event!(debug, "session.updated", "a session was written", session = tag(tags, id));
    match patch.verifier {
        VerifierChange::Rotate(_) => {
            event!(debug, "session.rotated", "a session got a new verifier", session = tag(tags, id));
        }
        VerifierChange::Renew { .. } if renewed => {
            event!(debug, "session.renewed", "a session's verifier was renewed", session = tag(tags, id));
        }
        VerifierChange::Renew { .. } | VerifierChange::Unchanged => {}
    }
    match patch.identity {
        IdentityChange::Set(_) | IdentityChange::Affirmed => signed_in(tags, id),
        IdentityChange::Removed => signed_out(tags, id),
        IdentityChange::Unchanged => {}
    }
}

/// A new record has taken the place of an old one: after `regenerate`, and after any rotation in the express format.
pub(crate) fn replaced(tags: &TagKey, id: &SessionId, left: &SessionId, sign: Sign) {
    event!(
        debug,
        "session.replaced",
        "a session has taken the place of another",
        session = tag(tags, id),
        before = tag(tags, left)
    );
    if matches!(sign, Sign::Out | Sign::OutIn) {
        signed_out(tags, left);
    }
}

fn signed_in(tags: &TagKey, id: &SessionId) {
    event!(info, "session.signed_in", "somebody signed in", session = tag(tags, id));
}

pub(crate) fn signed_out(tags: &TagKey, id: &SessionId) {
    event!(info, "session.signed_out", "somebody signed out", session = tag(tags, id));
}

pub(crate) fn touched(tags: &TagKey, id: &SessionId) {
    event!(debug, "session.touched", "a session was touched", session = tag(tags, id));
}

pub(crate) fn destroyed(tags: &TagKey, id: &SessionId) {
    event!(debug, "session.destroyed", "a session was destroyed", session = tag(tags, id));
}

pub(crate) fn merged(tags: &TagKey, id: &SessionId) {
    event!(
        debug,
        "session.merged",
        "another request has written the same field; the write is merged with it and tried again",
        session = tag(tags, id)
    );
}

#[cold]
pub(crate) fn touch_failed(tags: &TagKey, id: &SessionId, error: &StoreError) {
    event!(warn, "session.touch.failed", "a session could not be touched", session = tag(tags, id), %error);
}

#[cold]
pub(crate) fn commit_superseded(tags: &TagKey, id: Option<&SessionId>) {
    event!(
        warn,
        "session.commit.superseded",
        "the session was ended or rotated by another request; the changes of this request are dropped",
        session = tag_of(tags, id)
    );
}

#[cold]
pub(crate) fn commit_unknown(tags: &TagKey, id: &SessionId) {
    event!(
        warn,
        "session.commit.unknown",
        "the answer to a write was lost; the write may have been applied",
        session = tag(tags, id)
    );
}

#[cold]
pub(crate) fn commit_settled(tags: &TagKey, id: &SessionId, applied: bool) {
    event!(
        info,
        "session.commit.settled",
        "a load has told whether the write of a lost answer was applied",
        session = tag(tags, id),
        applied
    );
}

/// The commit met another request's change, and the response is replaced (R12).
#[cold]
pub(crate) fn commit_conflict(tags: &TagKey, id: Option<&SessionId>) {
    event!(
        info,
        "session.commit.conflict",
        "another request has changed the session first; the response is replaced",
        session = tag_of(tags, id)
    );
}

/// The commit failed, and the response is replaced (R12).
#[cold]
pub(crate) fn commit_failed(tags: &TagKey, id: Option<&SessionId>, failure: &dyn Debug) {
    event!(
        error,
        "session.commit.failed",
        "a session could not be committed; the response is replaced",
        session = tag_of(tags, id),
        ?failure
    );
}

#[cold]
pub(crate) fn commit_abandoned() {
    event!(
        error,
        "session.commit.abandoned",
        "a commit or an awaited call was abandoned, because no runtime is left to finish it"
    );
}

/// All sessions of the identity were ended during the sign-in or since its ticket was issued, or the ticket has expired
/// (R28).
#[cold]
pub(crate) fn sign_in_revoked(tags: &TagKey, id: &SessionId) {
    event!(
        warn,
        "session.sign_in.revoked",
        "a sign-in was revoked: all sessions of its identity were ended in the meantime, or its ticket is too old",
        session = tag(tags, id)
    );
}

// CSRF

#[cold]
pub(crate) fn csrf_refused(reason: &'static str) {
    event!(warn, "session.csrf.refused", "a request was refused, because it may come from another site", reason);
}

// Cookie

#[cold]
pub(crate) fn cookie_refused(tags: &TagKey, id: Option<&SessionId>) {
    event!(warn, "session.cookie.refused", "cookie attributes of a session were refused", session = tag_of(tags, id));
}

#[cold]
pub(crate) fn cookie_unsendable() {
    event!(
        warn,
        "session.cookie.unsendable",
        "a session was not stored, because its cookie cannot be sent on this connection"
    );
}

#[cold]
pub(crate) fn invalid_id() {
    event!(error, "session.id.invalid", "the id generator of the application returned an id of an invalid shape");
}

#[cold]
pub(crate) fn headers_full() {
    event!(error, "session.headers.full", "the response has no room for the session's headers");
}

// Store

#[cold]
pub(crate) fn store_waited() {
    event!(error, "session.store.waited", "a store that promised to be instant has not answered at once");
}

#[cold]
pub(crate) fn store_timed_out() {
    event!(error, "session.store.timed_out", "the session store did not answer within its time limit");
}

#[cold]
pub(crate) fn store_panicked() {
    event!(error, "session.store.panicked", "the session store panicked");
}

#[cold]
pub(crate) fn merge_panicked() {
    event!(error, "session.merge.panicked", "a merge function panicked; nothing was written");
}
