//! The tower service: stage 1 on the way in, stages 5 to 8 on the way out.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::future::OpenSlot;
use super::{ResponseFuture, SessionBody};
use crate::config::ErasedConfig;
use crate::request::slot::CurrentSlot;
use crate::stages::receive::{Reception, receive};

/// A service that gives each request of an inner service a session. Made by [`SessionLayer`](super::SessionLayer).
///
/// It keeps the error type of the inner service: failures of the session are responses.
#[derive(Clone)]
pub struct SessionService<Inner> {
    inner: Inner,
    config: Arc<ErasedConfig>,
}

impl<Inner> SessionService<Inner> {
    pub(super) const fn new(inner: Inner, config: Arc<ErasedConfig>) -> Self {
        Self { inner, config }
    }

    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> Inner {
        self.inner
    }
}

impl<Inner, B, R> Service<Request<B>> for SessionService<Inner>
where
    Inner: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<SessionBody<R>>;
    type Error = Inner::Error;
    type Future = ResponseFuture<Inner::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Inner::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut request, reception) = receive(&self.config, request);
        let slot = match reception {
            Reception::Slot(slot) => {
                request.extensions_mut().insert(CurrentSlot::new(Arc::clone(&slot)));
                // Made before the inner service is called: if that panics, a sign-out is still done (R11).
                Some(OpenSlot::new(slot))
            }
            Reception::Served(slot) => {
                // Not an `OpenSlot`: the outer layer commits it.
                let current = CurrentSlot::served(slot, request.extensions().get());
                request.extensions_mut().insert(current);
                None
            }
            Reception::Refused(refusal) => return ResponseFuture::refused(refusal),
        };
        ResponseFuture::new(self.inner.call(request), slot)
    }
}

impl<Inner> fmt::Debug for SessionService<Inner> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionService(..)")
    }
}
