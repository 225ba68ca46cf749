use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty};
use tower::{Service, ServiceExt as _};

/// A cookie jar in front of a service: keeps and sends what a browser would, apart from paths and domains.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    pub jar: BTreeMap<String, String>,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn read<R>(response: Response<R>) -> Self
    where
        R: Body<Error: Debug>,
    {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Self { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.into()).expect("text") }
    }

    /// The `Set-Cookie` lines.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().expect("ascii")).collect()
    }
}

impl Browser {
    /// The header that it would send.
    pub fn cookie(&self) -> Option<String> {
        let pairs: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// A request without a body, with the jar's cookies.
    pub fn request(&self, method: Method, path: &str) -> Request<Empty<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(cookie) = self.cookie() {
            request = request.header(COOKIE, cookie);
        }
        request.body(Empty::new()).expect("a request")
    }

    /// Keeps the cookies of an answer.
    pub fn keep(&mut self, answer: &Answer) {
        for line in answer.set_cookies() {
            let (name, rest) = line.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            let removed = line.contains("Max-Age=0") || line.contains("Expires=Thu, 01 Jan 1970");
            if removed {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Sends a request and keeps its cookies.
    pub async fn send<S, R>(&mut self, service: &S, method: Method, path: &str) -> Answer
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Error: Debug>,
    {
        let answer = self.ask(service, method, path).await;
        self.keep(&answer);
        answer
    }

    /// Sends a request; the answer's cookies are lost.
    pub async fn ask<S, R>(&self, service: &S, method: Method, path: &str) -> Answer
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Error: Debug>,
    {
        let response = service.clone().oneshot(self.request(method, path)).await.expect("no inner error");
        Answer::read(response).await
    }

    pub async fn get<S, R>(&mut self, service: &S, path: &str) -> Answer
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Error: Debug>,
    {
        self.send(service, Method::GET, path).await
    }
}
