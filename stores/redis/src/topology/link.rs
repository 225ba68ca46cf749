//! One connection to a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, SendError};
use ::redis::{
    AsyncConnectionConfig, Client, ErrorKind, Pipeline, PushInfo, PushKind, RedisResult, Value, from_redis_value,
};
use tokio::time::Instant;

use super::batching::{self, DriverTask};
use super::reply::within;

/// Whether a server must say that it is a primary before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequiredRole {
    Any,
    /// Of a server that sentinels have named: their answer may be outdated.
    Primary,
}

/// Carries any number of calls at once.
pub(super) struct Link {
    connection: MultiplexedConnection,
    _task: DriverTask,
    is_closed: Arc<AtomicBool>,
    connected_at: Instant,
}

impl Link {
    pub(super) async fn open(client: &Client, role: RequiredRole, patience: Duration) -> RedisResult<Self> {
        within(Instant::now() + patience, async {
            let is_closed = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&is_closed);
            let config = AsyncConnectionConfig::new()
                // Each call has its own time limit.
                .set_connection_timeout(None)
                .set_response_timeout(None)
                .set_pipeline_buffer_size(1024)
                .set_push_sender(move |push: PushInfo| {
                    if push.kind == PushKind::Disconnection {
                        flag.store(true, Ordering::Relaxed);
                    }
                    Ok::<_, SendError>(())
                });
            let (connection, task) = batching::open(client, config).await?;
            let link = Self { connection, _task: task, is_closed, connected_at: Instant::now() };
            if role == RequiredRole::Primary {
                link.require_primary().await?;
            }
            Ok(link)
        })
        .await
    }

    async fn require_primary(&self) -> RedisResult<()> {
        let mut command = Pipeline::with_capacity(1);
        command.cmd("ROLE");
        let role = self.send(&command).await?.pop().unwrap_or(Value::Nil).extract_error();
        match role {
            Ok(Value::Array(role)) => match role.into_iter().next().map(from_redis_value::<String>) {
                Some(Ok(role)) if role != "master" => Err((ErrorKind::Client, "the server is not a primary").into()),
                _ => Ok(()),
            },
            // A user without the right to ask has to trust the sentinels.
            _ => Ok(()),
        }
    }

    /// The replies to all commands. An error reply is one of them.
    pub(super) async fn send(&self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        self.connection.clone().send_packed_commands(commands, 0, commands.len()).await
    }

    /// Whether the connection is known to be closed. A command that would be sent now is not lost, it is not even sent.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn existed_at(&self, moment: Instant) -> bool {
        self.connected_at <= moment
    }

    pub(super) fn age(&self) -> Duration {
        self.connected_at.elapsed()
    }
}
