//! What the proxy does to connections, in front of a server that sends each line back.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::{Counts, Proxy};

/// Long enough for anything that happens.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to see that nothing does.
const MOMENT: Duration = Duration::from_millis(50);

/// A server that sends each line back, and the lines that it got.
async fn echo() -> (SocketAddr, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (got, lines)) = (listener.local_addr().unwrap(), unbounded_channel());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (got, mut stream) = (got.clone(), BufReader::new(stream));
            tokio::spawn(async move {
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
                    let _ = got.send(line.trim().to_owned());
                    if stream.write_all(line.as_bytes()).await.is_err() {
                        return;
                    }
                    line.clear();
                }
            });
        }
    });
    (address, lines)
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn open(proxy: &Proxy) -> std::io::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(proxy.address()).await?)))
    }

    async fn send(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line; none when the connection was closed.
    async fn receive(&mut self) -> std::io::Result<Option<String>> {
        let mut line = String::new();
        let count = timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("an answer")?;
        Ok((count > 0).then(|| line.trim().to_owned()))
    }

    async fn ask(&mut self, line: &str) -> Option<String> {
        self.send(line).await;
        self.receive().await.unwrap()
    }

    async fn hears_nothing(&mut self) -> bool {
        timeout(MOMENT, self.0.fill_buf()).await.is_err()
    }
}

#[tokio::test]
async fn it_counts_round_trips_bytes_and_connections() {
    let (server, _lines) = echo().await;
    let proxy = Proxy::to(server).await;
    let mut client = Client::open(&proxy).await.unwrap();
    assert_eq!(client.ask("first").await.as_deref(), Some("first"));
    let before = proxy.counts();
    let first = Counts { connections: 1, round_trips: 1, bytes_to_server: 6, bytes_to_client: 6 };
    assert_eq!(before, first);
    client.ask("a").await;
    client.ask("b").await;
    assert_eq!(
        proxy.counts() - before,
        Counts { connections: 0, round_trips: 2, bytes_to_server: 4, bytes_to_client: 4 }
    );
}

#[tokio::test]
async fn it_loses_the_reply_of_a_request_that_the_server_carried_out() {
    let (server, mut lines) = echo().await;
    let proxy = Proxy::to(server).await;
    proxy.drop_replies_to("commit", 1);
    let mut client = Client::open(&proxy).await.unwrap();
    assert_eq!(client.ask("load").await.as_deref(), Some("load"));
    assert_eq!(client.ask("commit 1").await, None, "closed, without a reply");
    assert_eq!((lines.recv().await.unwrap(), lines.recv().await.unwrap()), ("load".to_owned(), "commit 1".to_owned()));

    let mut client = Client::open(&proxy).await.unwrap();
    assert_eq!(client.ask("commit 2").await.as_deref(), Some("commit 2"));
    assert_eq!(proxy.replies_to_drop(), 0);
    proxy.drop_replies(1);
    assert_eq!(client.ask("anything").await, None);
}

#[tokio::test]
async fn it_delays_each_way() {
    let (server, _lines) = echo().await;
    let proxy = Proxy::to(server).await;
    let mut client = Client::open(&proxy).await.unwrap();
    proxy.latency(Duration::from_millis(30), Duration::from_millis(40));
    let start = Instant::now();
    client.ask("slow").await;
    assert!(start.elapsed() >= Duration::from_millis(70));
}

#[tokio::test]
async fn it_resets_the_connections_there_are() {
    let (server, _lines) = echo().await;
    let proxy = Proxy::to(server).await;
    let mut client = Client::open(&proxy).await.unwrap();
    client.ask("before").await;
    proxy.reset();
    assert_eq!(client.receive().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(Client::open(&proxy).await.unwrap().ask("after").await.is_some());
}

#[tokio::test]
async fn half_open_connections_are_silent_for_ever_and_new_ones_pass() {
    let (server, _lines) = echo().await;
    let proxy = Proxy::to(server).await;
    let mut client = Client::open(&proxy).await.unwrap();
    client.ask("before").await;
    proxy.half_open();
    client.send("into the void").await;
    assert!(client.hears_nothing().await);
    assert!(Client::open(&proxy).await.unwrap().ask("new").await.is_some());
    proxy.heal().await;
    assert!(client.hears_nothing().await);
}

#[tokio::test]
async fn a_black_hole_swallows_until_it_is_healed() {
    let (server, mut lines) = echo().await;
    let proxy = Proxy::to(server).await;
    let mut old = Client::open(&proxy).await.unwrap();
    old.ask("before").await;
    proxy.black_hole();
    let mut new = Client::open(&proxy).await.unwrap();
    old.send("old").await;
    new.send("new").await;
    assert!(old.hears_nothing().await && new.hears_nothing().await);
    assert_eq!((lines.recv().await.as_deref(), lines.try_recv().ok()), (Some("before"), None));
    proxy.heal().await;
    assert_eq!(old.receive().await.unwrap().as_deref(), Some("old"));
    assert_eq!(new.receive().await.unwrap().as_deref(), Some("new"));
}

#[tokio::test]
async fn it_refuses_new_connections_and_takes_them_again() {
    let (server, _lines) = echo().await;
    let proxy = Proxy::to(server).await;
    let mut client = Client::open(&proxy).await.unwrap();
    client.ask("before").await;
    proxy.refuse().await;
    assert_eq!(Client::open(&proxy).await.err().map(|error| error.kind()), Some(ErrorKind::ConnectionRefused));
    assert_eq!(client.ask("still").await.as_deref(), Some("still"));
    proxy.heal().await;
    assert!(Client::open(&proxy).await.unwrap().ask("again").await.is_some());
}
