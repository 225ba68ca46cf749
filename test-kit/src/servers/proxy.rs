//! A TCP proxy that breaks connections, and counts what passes.
//!
//! It runs on threads of its own, so that a test may block its own.

use std::net::SocketAddr;
use std::ops::Sub;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::process::{free_port, local};

/// What is wrong with the network now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Faults {
    to_server: Duration,
    to_client: Duration,
    black_hole: bool,
    refuse: bool,
    /// How often connections were reset, and left half open: one that is older than the last time is.
    resets: u32,
    half_opens: u32,
}

/// What has passed, of all connections together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: u64,
    /// Times that the client sent something and the server then did.
    pub round_trips: u64,
    pub bytes_to_server: u64,
    pub bytes_to_client: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            round_trips: self.round_trips - before.round_trips,
            bytes_to_server: self.bytes_to_server - before.bytes_to_server,
            bytes_to_client: self.bytes_to_client - before.bytes_to_client,
        }
    }
}

/// Replies to lose: to requests that contain these bytes, so many times.
#[derive(Debug)]
struct Loss {
    needle: Vec<u8>,
    times: u32,
}

#[derive(Debug)]
struct State {
    server: SocketAddr,
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    listening: watch::Sender<bool>,
    loss: Mutex<Loss>,
    connections: AtomicU64,
    round_trips: AtomicU64,
    bytes_to_server: AtomicU64,
    bytes_to_client: AtomicU64,
}

/// Stands between clients and a server until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    state: Arc<State>,
    serving: AbortHandle,
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("proxy").enable_all().build().expect("a runtime")
    })
}

impl Proxy {
    pub async fn to(server: SocketAddr) -> Self {
        let bound = runtime().spawn(async {
            loop {
                // Not a port that an outgoing connection could take while the proxy refuses.
                if let Ok(listener) = TcpListener::bind(local(free_port())).await {
                    return listener;
                }
            }
        });
        let listener = bound.await.expect("a listener");
        let state = Arc::new(State {
            server,
            address: listener.local_addr().expect("an address"),
            faults: watch::Sender::default(),
            listening: watch::Sender::new(true),
            loss: Mutex::new(Loss { needle: Vec::new(), times: 0 }),
            connections: AtomicU64::default(),
            round_trips: AtomicU64::default(),
            bytes_to_server: AtomicU64::default(),
            bytes_to_client: AtomicU64::default(),
        });
        let serving = runtime().spawn(serve(listener, Arc::clone(&state))).abort_handle();
        Self { state, serving }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.state.address
    }

    pub fn counts(&self) -> Counts {
        let State { connections, round_trips, bytes_to_server, bytes_to_client, .. } = &*self.state;
        let [connections, round_trips, bytes_to_server, bytes_to_client] =
            [connections, round_trips, bytes_to_server, bytes_to_client].map(|count| count.load(Ordering::SeqCst));
        Counts { connections, round_trips, bytes_to_server, bytes_to_client }
    }

    /// Delays what is sent, each way by so much.
    pub fn latency(&self, to_server: Duration, to_client: Duration) {
        self.state.faults.send_modify(|faults| (faults.to_server, faults.to_client) = (to_server, to_client));
    }

    /// Loses the replies to the next `times` requests, whatever they are, those of a new connection's start too: the server
    /// carries each out, the client gets nothing and its connection is closed.
    pub fn drop_replies(&self, times: u32) {
        self.drop_replies_to("", times);
    }

    /// The same for requests whose bytes contain `needle`; others pass. A request is what arrives at once.
    pub fn drop_replies_to(&self, needle: &str, times: u32) {
        *self.state.loss.lock().expect("no panic") = Loss { needle: needle.as_bytes().to_vec(), times };
    }

    /// How many replies are still to be lost.
    pub fn replies_to_drop(&self) -> u32 {
        self.state.loss.lock().expect("no panic").times
    }

    /// Resets the connections there are; new ones pass.
    pub fn reset(&self) {
        self.state.faults.send_modify(|faults| faults.resets += 1);
    }

    /// Nothing passes any more on the connections there are, and they stay open, as when the peer lost its power; new ones
    /// pass.
    pub fn half_open(&self) {
        self.state.faults.send_modify(|faults| faults.half_opens += 1);
    }

    /// Nothing passes on any connection, and new ones are accepted, until it is healed. Then what was sent arrives, as
    /// through a network that comes back.
    pub fn black_hole(&self) {
        self.state.faults.send_modify(|faults| faults.black_hole = true);
    }

    /// Refuses new connections; those there are pass.
    pub async fn refuse(&self) {
        self.state.faults.send_modify(|faults| faults.refuse = true);
        let _ = self.state.listening.subscribe().wait_for(|listening| !listening).await;
    }

    /// Ends all faults, but for the connections that are half open.
    pub async fn heal(&self) {
        self.drop_replies(0);
        self.state.faults.send_modify(|faults| {
            *faults = Faults { resets: faults.resets, half_opens: faults.half_opens, ..Faults::default() };
        });
        let _ = self.state.listening.subscribe().wait_for(|listening| *listening).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Waits until the faults are so. Holds no lock on them afterwards.
async fn until(faults: &mut watch::Receiver<Faults>, condition: impl FnMut(&Faults) -> bool) {
    let _ = faults.wait_for(condition).await;
}

async fn serve(mut listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    let mut faults = state.faults.subscribe();
    loop {
        tokio::select! {
            biased;
            () = until(&mut faults, |faults| faults.refuse) => {
                drop(listener);
                state.listening.send_replace(false);
                until(&mut faults, |faults| !faults.refuse).await;
                listener = TcpListener::bind(state.address).await.expect("the port is still free");
                state.listening.send_replace(true);
            }
            Some(_) = connections.join_next() => {}
            Ok((client, _)) = listener.accept() => {
                state.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(connection(client, Arc::clone(&state)));
            }
        }
    }
}

/// One connection, until a side closes it or it is reset.
async fn connection(mut client: TcpStream, state: Arc<State>) {
    let mut faults = state.faults.subscribe();
    let born = *faults.borrow();
    until(&mut faults, |faults| !faults.black_hole).await;
    let Ok(mut server) = TcpStream::connect(state.server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));

    let was_reset = {
        let exchange = Exchange { state: &state, born, asked: AtomicBool::default(), doomed: AtomicBool::default() };
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let both = async {
            tokio::try_join!(
                exchange.pass(&mut from_client, &mut to_server, Direction::ToServer),
                exchange.pass(&mut from_server, &mut to_client, Direction::ToClient),
            )
        };
        tokio::select! {
            biased;
            () = until(&mut faults, |faults| faults.resets != born.resets) => true,
            _ = both => false,
        }
    };
    if was_reset {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// The connection must end.
struct Over;

/// What both directions of a connection know of each other.
struct Exchange<'a> {
    state: &'a State,
    born: Faults,
    /// The client has sent something, and the server nothing since.
    asked: AtomicBool,
    /// The reply is to be lost.
    doomed: AtomicBool,
}

impl Exchange<'_> {
    /// Passes on what one side sends, after the delay, until it closes.
    async fn pass(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        direction: Direction,
    ) -> Result<(), Over> {
        let (chunks, mut delayed) = mpsc::channel(64);
        let read = async move {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = from.read(&mut buffer).await.map_err(|_| Over)?;
                if count == 0 {
                    return Ok(());
                }
                let faults = *self.state.faults.borrow();
                let delay = if direction == Direction::ToServer { faults.to_server } else { faults.to_client };
                chunks.send((Instant::now() + delay, buffer[..count].to_vec())).await.map_err(|_| Over)?;
            }
        };
        let write = async {
            let mut faults = self.state.faults.subscribe();
            while let Some((due, chunk)) = delayed.recv().await {
                sleep_until(due).await;
                let passes = |now: &Faults| !now.black_hole && now.half_opens == self.born.half_opens;
                until(&mut faults, passes).await;
                if direction == Direction::ToServer {
                    self.request(&chunk);
                } else if self.reply(&chunk) {
                    // The server does all of it before the connection ends.
                    while let Ok(Some(_)) = timeout(Duration::from_millis(20), delayed.recv()).await {}
                    return Err(Over);
                }
                to.write_all(&chunk).await.map_err(|_| Over)?;
            }
            to.shutdown().await.map_err(|_| Over)
        };
        tokio::try_join!(read, write).map(|_| ())
    }

    fn request(&self, bytes: &[u8]) {
        self.state.bytes_to_server.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        self.asked.store(true, Ordering::SeqCst);
        if self.doomed.load(Ordering::SeqCst) {
            return;
        }
        let mut loss = self.state.loss.lock().expect("no panic");
        let found = || loss.needle.is_empty() || bytes.windows(loss.needle.len()).any(|window| window == loss.needle);
        if loss.times > 0 && found() {
            loss.times -= 1;
            self.doomed.store(true, Ordering::SeqCst);
        }
    }

    /// Whether the reply is to be lost.
    fn reply(&self, bytes: &[u8]) -> bool {
        self.state.bytes_to_client.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        if self.asked.swap(false, Ordering::SeqCst) {
            self.state.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        self.doomed.load(Ordering::SeqCst)
    }
}
