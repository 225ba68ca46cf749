//! HTTP/1 and HTTP/2 over TCP, with hyper-util on both sides.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty};
use http_session::{Cookie, MemoryStore, Session, SessionConfig, cookie_name};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{Visit, secret};

fn configuration() -> SessionConfig<MemoryStore> {
    let cookie = Cookie::plain(cookie_name!("sid")).insecure();
    SessionConfig::builder().secret(secret()).store(MemoryStore::new()).cookie(cookie).build()
}

async fn count(_: Request<Incoming>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
    session.views += 1;
    Ok(Response::new(session.views.to_string()))
}

/// Serves until the test ends.
async fn serve<S, B>(service: S) -> SocketAddr
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error: std::error::Error + Send + Sync>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

async fn visit(address: SocketAddr, version: Version, cookie: Option<&str>) -> (Response<Incoming>, Option<String>) {
    let client: Client<_, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http();
    let mut request = Request::get(format!("http://{address}/"));
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let response = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(response.version(), version);
    let set = response.headers().get("set-cookie").map(|line| line.to_str().unwrap());
    let set = set.and_then(|line| line.split(';').next()).map(str::to_owned);
    (response, set)
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn http_1_and_http_2_over_tcp() {
    let address = serve(configuration().service(count)).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (response, cookie) = visit(address, version, None).await;
        assert_eq!(text(response).await, "1");
        let cookie = cookie.expect("a cookie");
        for expected in ["2", "3"] {
            let (response, again) = visit(address, version, Some(&cookie)).await;
            assert_eq!((text(response).await.as_str(), again), (expected, None));
        }
    }
}

async fn guarded(_: Request<Incoming>, session: Session<Visit>) -> Result<Response<String>, Infallible> {
    let checked = session.csrf().check(None);
    Ok(Response::new(checked.map_or_else(|rejection| rejection.status().to_string(), |()| "passed".to_owned())))
}

#[tokio::test]
async fn r24_a_site_is_its_own_origin_over_http_1_and_http_2() {
    let address = serve(configuration().service(guarded)).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let client: Client<_, Empty<Bytes>> =
            Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http();
        let (own, nearly) = (format!("http://{address}"), format!("http://{address}0"));
        for (origin, expected) in [(own.as_str(), "passed"), (&nearly, "403 Forbidden"), ("null", "403 Forbidden")] {
            let request = Request::post(&own).header("origin", origin).body(Empty::new()).unwrap();
            let response = client.request(request).await.unwrap();
            assert_eq!(response.version(), version);
            assert_eq!(text(response).await, expected, "{origin}");
        }
    }
}

/// A body that is fed from a channel.
struct Fed(mpsc::UnboundedReceiver<&'static str>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|text| text.map(|text| Ok(Frame::data(text.into()))))
    }
}

#[tokio::test]
async fn the_headers_of_a_streamed_body_are_sent_after_the_commit_and_before_the_body() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let sessions = configuration();
        let (senders, mut feed) = mpsc::unbounded_channel();
        let service = sessions.service(move |_: Request<Incoming>, mut session: Session<Visit>| {
            let senders = senders.clone();
            async move {
                session.views = 7;
                let (sender, receiver) = mpsc::unbounded_channel();
                senders.send(sender).unwrap();
                Ok::<_, Infallible>(Response::new(Fed(receiver)))
            }
        });
        let address = serve(service).await;
        // The handler has not sent any byte of the body yet.
        let (response, cookie) = visit(address, version, None).await;
        let usage = sessions.store().usage();
        assert_eq!((usage.anonymous, cookie.is_some()), (1, true), "stored before the headers left");
        let sender = feed.recv().await.unwrap();
        let mut body = response.into_body();
        for part in ["one", "two", "three"] {
            sender.send(part).unwrap();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), part);
        }
        drop(sender);
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
    }
}

#[tokio::test]
async fn r12_the_librarys_own_responses_are_sent_over_sockets_too() {
    let sessions = configuration();
    let address = serve(sessions.service(|_: Request<Incoming>, mut session: Session<Visit>| async move {
        session.theme = "x".repeat(100_000);
        Ok::<_, Infallible>(Response::new("done".to_owned()))
    }))
    .await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (response, cookie) = visit(address, version, None).await;
        assert_eq!((response.status().as_u16(), cookie), (500, None));
        assert_eq!(response.headers()["content-length"], "36");
        assert_eq!(text(response).await, "the session is larger than its limit");
    }
}
