//! A connection of the driver's, driven so that commands go out together.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::{TcpSettings, socket2::SockRef};
use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, Pipeline, RedisConnectionInfo, RedisResult, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::server::late;

/// So many calls under way at least make it worth while to wait for more.
const MANY: usize = 8;

/// A connection, and the task that carries its commands, which ends with this.
pub(super) struct Socket {
    connection: MultiplexedConnection,
    calls: Arc<Calls>,
    _driver: JoinSet<()>,
}

/// How many calls have begun, and how many of them are over.
#[derive(Default)]
struct Calls {
    begun: AtomicUsize,
    over: AtomicUsize,
}

/// A call that is under way.
struct UnderWay<'a>(&'a Calls);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.over.fetch_add(1, Ordering::Relaxed);
    }
}

impl Socket {
    /// Connects within that time.
    pub(super) async fn open(client: &Client, config: AsyncConnectionConfig, patience: Duration) -> RedisResult<Self> {
        timeout(patience, async {
            let info = client.get_connection_info();
            let settings = info.redis_settings();
            match info.addr() {
                ConnectionAddr::Tcp(host, port) => {
                    Self::over(tcp(host, *port, info.tcp_settings()).await?, settings, config).await
                }
                #[cfg(unix)]
                ConnectionAddr::Unix(path) => {
                    Self::over(tokio::net::UnixStream::connect(path).await?, settings, config).await
                }
                // What TLS asks for is known to the driver alone, and costs more than what is saved here.
                _ => {
                    let config = config.set_connection_timeout(None);
                    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                    Ok(Self { connection, calls: Arc::default(), _driver: JoinSet::new() })
                }
            }
        })
        .await
        .unwrap_or_else(|_| Err(late()))
    }

    async fn over<S>(stream: S, settings: &RedisConnectionInfo, config: AsyncConnectionConfig) -> RedisResult<Self>
    where
        S: Unpin + AsyncRead + AsyncWrite + Send + 'static,
    {
        let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let (calls, mut tasks) = (Arc::<Calls>::default(), JoinSet::new());
        tasks.spawn(gathering(driver, Arc::clone(&calls)));
        Ok(Self { connection, calls, _driver: tasks })
    }

    /// The answers to all commands, errors of the server too.
    pub(super) async fn ask(&self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut connection = self.connection.clone();
        self.calls.begun.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay(&self.calls);
        connection.send_packed_commands(pipeline, 0, pipeline.len()).await
    }
}

/// Whoever asks wakes the driver, which would run next and send this one command, with a call to the system. Where there are
/// many, it goes to the end of the queue once, and finds the commands of the others.
async fn gathering(driver: impl Future<Output = ()>, calls: Arc<Calls>) {
    let mut driver = pin!(driver);
    let (mut known, mut has_waited) = (0, false);
    poll_fn(|context| {
        let begun = calls.begun.load(Ordering::Relaxed);
        let under_way = begun.wrapping_sub(calls.over.load(Ordering::Relaxed));
        if begun != known && under_way >= MANY && !has_waited {
            has_waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        (known, has_waited) = (begun, false);
        driver.as_mut().poll(context)
    })
    .await;
}

/// The first of a host's addresses that answers.
async fn tcp(host: &str, port: u16, settings: &TcpSettings) -> io::Result<TcpStream> {
    let mut attempts: JoinSet<_> = lookup_host((host, port)).await?.map(TcpStream::connect).collect();
    let mut outcome = Err(io::ErrorKind::HostUnreachable.into());
    while outcome.is_err()
        && let Some(attempt) = attempts.join_next().await
    {
        outcome = attempt.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
    }
    let stream = outcome?;
    stream.set_nodelay(settings.nodelay())?;
    let socket = SockRef::from(&stream);
    if let Some(keepalive) = settings.keepalive() {
        socket.set_tcp_keepalive(keepalive)?;
    }
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(settings.user_timeout())?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::{Barrier, mpsc};
    use tokio::task::yield_now;

    use super::*;

    /// How many commands the driver found each time, where so many callers ask at once.
    fn found(callers: usize) -> Vec<usize> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let (calls, sizes) = (Arc::<Calls>::default(), Arc::new(Mutex::new(Vec::new())));
            let found = Arc::clone(&sizes);
            let driver = poll_fn(move |context| {
                let mut size = 0;
                loop {
                    match receiver.poll_recv(context) {
                        Poll::Ready(Some(())) => size += 1,
                        end => {
                            found.lock().unwrap().push(size);
                            return end.map(drop);
                        }
                    }
                }
            });
            let driving = tokio::spawn(gathering(driver, Arc::clone(&calls)));
            while sizes.lock().unwrap().is_empty() {
                yield_now().await;
            }
            let asking = tokio::spawn(async move {
                let mut tasks = JoinSet::new();
                calls.begun.fetch_add(callers, Ordering::Relaxed);
                let barrier = Arc::new(Barrier::new(callers));
                for _ in 0..callers {
                    let (sender, barrier) = (sender.clone(), Arc::clone(&barrier));
                    tasks.spawn(async move {
                        sender.send(()).unwrap();
                        // As callers wait for their answers.
                        barrier.wait().await;
                    });
                }
                while tasks.join_next().await.is_some() {}
            });
            asking.await.unwrap();
            driving.await.unwrap();
            let sizes = sizes.lock().unwrap();
            sizes.iter().copied().filter(|size| *size > 0).collect()
        })
    }

    #[test]
    fn what_many_ask_goes_out_together() {
        let (many, few) = (found(20), found(MANY - 1));
        assert_eq!((many.iter().sum::<usize>(), few.iter().sum::<usize>()), (20, MANY - 1));
        assert!(many.len() < few.len(), "{many:?} {few:?}");
    }

    #[test]
    fn a_host_is_reached_at_whichever_address_answers() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            // `localhost` is often `::1` too, where nobody listens.
            let stream = tcp("localhost", port, &TcpSettings::default().set_nodelay(true)).await.unwrap();
            assert!(stream.nodelay().unwrap());
            drop(listener);
            assert!(tcp("localhost", port, &TcpSettings::default()).await.is_err());
        });
    }
}
