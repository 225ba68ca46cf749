//! A connection of the driver's, driven so that commands go out together.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::{TcpSettings, socket2::SockRef};
use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisConnectionInfo, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

/// A connection, and the task that carries its commands, which ends with this.
pub(super) struct Socket {
    pub(super) connection: MultiplexedConnection,
    _driver: JoinSet<()>,
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
                    Ok(Self { connection, _driver: JoinSet::new() })
                }
            }
        })
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    async fn over<S>(stream: S, settings: &RedisConnectionInfo, config: AsyncConnectionConfig) -> RedisResult<Self>
    where
        S: Unpin + AsyncRead + AsyncWrite + Send + 'static,
    {
        let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(gathering(driver));
        Ok(Self { connection, _driver: tasks })
    }
}

/// Whoever asks wakes the driver, which would run next and send this one command. So it lets the others of this turn ask first,
/// and one call to the system sends all of it.
async fn gathering(driver: impl Future<Output = ()>) {
    let (mut driver, mut is_yielding) = (pin!(driver), false);
    poll_fn(|context| {
        is_yielding = !is_yielding;
        if is_yielding {
            // It is not ready at first, and wakes this task.
            let _ = pin!(yield_now()).poll(context);
            return Poll::Pending;
        }
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

    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn what_is_asked_in_one_turn_goes_out_together() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let sizes = runtime.block_on(async {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let sizes = Arc::new(Mutex::new(Vec::new()));
            let taken = Arc::clone(&sizes);
            let driver = poll_fn(move |context| {
                let mut size = 0;
                loop {
                    match receiver.poll_recv(context) {
                        Poll::Ready(Some(())) => size += 1,
                        end => {
                            taken.lock().unwrap().push(size);
                            return end.map(drop);
                        }
                    }
                }
            });
            let driving = tokio::spawn(gathering(driver));
            yield_now().await;
            let asking = tokio::spawn(async move {
                let mut tasks = JoinSet::new();
                for _ in 0..20 {
                    let sender = sender.clone();
                    tasks.spawn(async move { sender.send(()).unwrap() });
                }
                while tasks.join_next().await.is_some() {}
            });
            asking.await.unwrap();
            driving.await.unwrap();
            Arc::try_unwrap(sizes).unwrap().into_inner().unwrap()
        });
        let sizes: Vec<_> = sizes.into_iter().filter(|size| *size > 0).collect();
        assert_eq!(sizes, [20]);
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
