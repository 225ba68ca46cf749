//! A response whose body was read to its end.

use std::fmt;
use std::pin::pin;

use bytes::BytesMut;
use http::header::SET_COOKIE;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;

/// A response whose body was read to its end.
///
/// ```
/// use http::{Response, StatusCode};
/// use http_session::testing::Answer;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let answer = Answer::read(Response::new("12 views".to_owned())).await;
/// assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "12 views"));
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Bytes that are not valid UTF-8 are replaced.
    pub text: String,
}

impl Answer {
    /// Reads the body of a response to its end.
    ///
    /// # Panics
    /// The body fails.
    pub async fn read<R>(response: Response<R>) -> Self
    where
        R: Body<Error: fmt::Debug>,
    {
        let (parts, body) = response.into_parts();
        let mut body = pin!(body);
        let mut bytes = BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
            #[expect(clippy::expect_used, reason = "documented: for tests")]
            if let Ok(data) = frame.expect("the body of a response failed").into_data() {
                bytes::BufMut::put(&mut bytes, data);
            }
        }
        Self { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// The `Set-Cookie` lines. A line that is not ASCII text is left out.
    #[must_use]
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok()).collect()
    }
}

/// Does not show the values of headers that are marked sensitive, as cookies are.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("text", &self.text)
            .finish()
    }
}
