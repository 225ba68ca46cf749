//! On the way in: copies what later stages need to know about a request, before a handler asks for the session.

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

/// How a request goes on.
pub(crate) enum Reception {
    /// The request has a new slot, which the caller commits.
    Slot(Arc<Slot>),
    /// An outer layer of the same configuration has a slot for the request, and commits it.
    Served(Arc<Slot>),
    /// The request is answered here, and the handler does not run.
    Refused(Refusal),
}

/// A response that is sent instead of running the handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: &'static str,
}

/// Stage 1. Copies what the later stages need. Verifies and loads nothing, so a request that never asks for its session costs
/// no MAC and no store call.
pub(crate) fn receive<B>(config: &Arc<ErasedConfig>, mut request: Request<B>) -> (Request<B>, Reception) {
    mark_sensitive(request.headers_mut());
    let outer = request.extensions().get::<CurrentSlot>().map(|current| Arc::clone(current.innermost()));
    // Two slots of one configuration would commit the same session twice in one handler run (R9).
    if let Some(slot) = outer.as_ref().and_then(|outer| outer.of(config)) {
        return (request, Reception::Served(slot));
    }
    if config.settings.development && !is_local(&request) {
        return (request, Reception::Refused(NOT_LOCAL));
    }
    let state = if config.covers(request.uri().path()) { State::Unloaded } else { State::Outside };
    // Outside of the cookie's path there is no session, whatever cookies the request carries (R22).
    let candidates = match state {
        State::Unloaded => candidates(config, request.headers()),
        State::Outside | State::Failed | State::Loaded(_) | State::Closed => SmallVec::new(),
    };
    let transport = transport(request.extensions(), request.headers(), config.settings.proxy.as_ref());
    let sender = Sender::of(&request, &config.settings.trusted_origins, &config.settings.csrf_header, transport);
    // `arrived` is noted now: whether a cookie is late is measured from the arrival of the request (R6).
    let mut received =
        Received { candidates, arrived: config.elapsed(), transport, sender, fingerprint: None, parts: None };
    let request = if config.needs_parts() { keep_parts(config, request, &mut received) } else { request };
    let slot = Slot::new(Arc::clone(config), received, outer, state);
    (request, Reception::Slot(slot))
}

const NOT_LOCAL: Refusal = Refusal {
    status: StatusCode::MISDIRECTED_REQUEST,
    text: "`SessionConfig::development()` only serves this machine: use `localhost` in the address, or build with \
           `SessionConfig::builder()`",
};

/// Bounds what a request can make us copy. Far fewer are verified later (R3).
const MAX_CANDIDATES: usize = 32;

/// Copies of the cookie values with our name. Skips values of a length that ours cannot have, and keeps at most
/// [`MAX_CANDIDATES`].
fn candidates(config: &ErasedConfig, headers: &HeaderMap) -> SmallVec<[Candidate; 1]> {
    let ours = values(headers, config.cookie_name()).filter(|value| config.is_cookie_length(value.len()));
    ours.take(MAX_CANDIDATES).map(Candidate::from_slice).collect()
}

/// Keeps cookies out of the `Debug` output of the request, and out of the index of HTTP/2's header compression (R26).
fn mark_sensitive(headers: &mut HeaderMap) {
    if let Entry::Occupied(mut cookies) = headers.entry(header::COOKIE) {
        cookies.iter_mut().for_each(|cookie| cookie.set_sensitive(true));
    }
}

/// Whether the request names this machine as its host (R23). A `Host` header takes precedence over the URI.
fn is_local<B>(request: &Request<B>) -> bool {
    match (request.uri().host(), request.headers().get(header::HOST)) {
        (_, Some(host)) => host.to_str().is_ok_and(is_loopback),
        (Some(host), None) => is_loopback(host),
        (None, None) => false,
    }
}

/// Keeps a copy of the request's head for the functions that the application configured.
fn keep_parts<B>(config: &ErasedConfig, request: Request<B>, received: &mut Received) -> Request<B> {
    let (parts, body) = request.into_parts();
    received.fingerprint = config.fingerprint(&parts);
    let mut kept = parts.clone();
    // Without the extensions: a copy of them would keep values of other layers alive longer than the request.
    kept.extensions = Extensions::new();
    received.parts = Some(Box::new(kept));
    Request::from_parts(parts, body)
}
