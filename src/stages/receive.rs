//! The way in: what the middleware must know of a request before anybody asks for its session.

use std::sync::Arc;

use http::header::Entry;
use http::{Extensions, HeaderMap, Request, StatusCode, header};
use smallvec::SmallVec;

use crate::config::ErasedConfig;
use crate::cookie::path::is_loopback;
use crate::cookie::request::values;
use crate::cookie::transport::transport;
use crate::forgery::Sender;
use crate::request::slot::{Candidate, CurrentSlot, Received, Slot, State};

/// What becomes of a request.
pub(crate) enum Reception {
    /// It has a slot of its own, which this middleware commits.
    Slot(Arc<Slot>),
    /// An outer layer of the same configuration serves it.
    Served(Arc<Slot>),
    /// It is answered here.
    Refused(Refusal),
}

/// A response that the handler never sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: &'static str,
}

/// Stage 1. Copies what the later stages need; verifies and loads nothing.
pub(crate) fn receive<B>(config: &Arc<ErasedConfig>, mut request: Request<B>) -> (Request<B>, Reception) {
    mark_sensitive(request.headers_mut());
    let outer = request.extensions().get::<CurrentSlot>().map(|current| Arc::clone(current.innermost()));
    if let Some(slot) = outer.as_ref().and_then(|outer| outer.of(config)) {
        return (request, Reception::Served(slot));
    }
    if config.settings.development && !is_local(&request) {
        return (request, Reception::Refused(DEVELOPMENT));
    }
    let state = if config.covers(request.uri().path()) { State::Unloaded } else { State::Outside };
    let candidates = match state {
        State::Unloaded => candidates(config, request.headers()),
        State::Outside | State::Failed | State::Loaded(_) | State::Closed => SmallVec::new(),
    };
    let transport = transport(request.extensions(), request.headers(), config.settings.proxy.as_ref());
    let sender = Sender::of(&request, &config.settings.trusted_origins, &config.settings.csrf_header, transport);
    let mut received =
        Received { candidates, arrived: config.elapsed(), transport, sender, fingerprint: None, parts: None };
    let request = if config.needs_parts() { keep_parts(config, request, &mut received) } else { request };
    let slot = Slot::new(Arc::clone(config), received, outer, state);
    (request, Reception::Slot(slot))
}

const DEVELOPMENT: Refusal = Refusal {
    status: StatusCode::MISDIRECTED_REQUEST,
    text: "`SessionConfig::development()` serves this machine alone: ask for localhost, or build with \
           `SessionConfig::builder()`",
};

/// Copies of the cookies of our name, but for those that cannot be ours by their length, and for more than anybody has.
fn candidates(config: &ErasedConfig, headers: &HeaderMap) -> SmallVec<[Candidate; 1]> {
    const MOST: usize = 32;
    let ours = values(headers, config.cookie_name()).filter(|value| config.is_cookie_length(value.len()));
    ours.take(MOST).map(Candidate::from_slice).collect()
}

/// So that no `Debug` of the request shows a cookie, and HTTP/2 does not index it (R26).
fn mark_sensitive(headers: &mut HeaderMap) {
    if let Entry::Occupied(mut cookies) = headers.entry(header::COOKIE) {
        cookies.iter_mut().for_each(|cookie| cookie.set_sensitive(true));
    }
}

/// Whether the request names this machine (R23).
fn is_local<B>(request: &Request<B>) -> bool {
    match (request.uri().host(), request.headers().get(header::HOST)) {
        (_, Some(host)) => host.to_str().is_ok_and(is_loopback),
        (Some(host), None) => is_loopback(host),
        (None, None) => false,
    }
}

/// Keeps a copy of the request's head for the application's own rules.
fn keep_parts<B>(config: &ErasedConfig, request: Request<B>, received: &mut Received) -> Request<B> {
    let (parts, body) = request.into_parts();
    received.fingerprint = config.fingerprint(&parts);
    let mut kept = parts.clone();
    // The extensions belong to the request; a copy of them would keep other layers' state alive.
    kept.extensions = Extensions::new();
    received.parts = Some(Box::new(kept));
    Request::from_parts(parts, body)
}
