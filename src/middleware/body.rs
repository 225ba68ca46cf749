//! The body of a response: the handler's, or ours if the session failed.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of the handler, passed on frame by frame, or the line of text with which a failed commit replaces it.
    ///
    /// It implements `Body` if the handler's body does, and if the data of that body can be made from text, as with `Bytes`.
    /// hyper, tower and axum accept it as it is.
    #[derive(Debug)]
    pub struct SessionBody<R> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<R> {
        Handler { #[pin] body: R },
        Ours { text: Option<&'static str> },
    }
}

impl<R> SessionBody<R> {
    pub(crate) const fn handler(body: R) -> Self {
        Self { kind: Kind::Handler { body } }
    }

    pub(crate) const fn from_text(text: &'static str) -> Self {
        Self { kind: Kind::Ours { text: Some(text) } }
    }
}

impl<R> Body for SessionBody<R>
where
    R: Body,
    R::Data: From<&'static [u8]>,
{
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        match self.project().kind.project() {
            KindProjection::Handler { body } => body.poll_frame(context),
            KindProjection::Ours { text } => {
                Poll::Ready(text.take().map(|text| Ok(Frame::data(R::Data::from(text.as_bytes())))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Handler { body } => body.is_end_stream(),
            Kind::Ours { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Handler { body } => body.size_hint(),
            Kind::Ours { text } => SizeHint::with_exact(text.map_or(0, |text| text.len() as u64)),
        }
    }
}
