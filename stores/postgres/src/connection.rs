//! One statement on one connection of the pool, within the time limit.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use futures_util::TryStreamExt as _;
use http_session_store::error::StoreError;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::connector::Connector;
use super::parameter::Parameter;
use super::retry::{AttemptError, Operation, Retry};

/// How long the request to cancel a statement may take.
const CANCEL_TIME_LIMIT: Duration = Duration::from_secs(2);
/// How often a statement that this connection cannot carry out is sent again. Without a bound, a call to a standby would use up
/// its time limit with connections.
const RETRIES_ON_OTHER_CONNECTIONS: u32 = 2;

pub(super) struct Connections {
    pub(super) pool: Pool,
    pub(super) connector: Connector,
    pub(super) time_limit: Duration,
    pub(super) prepared: bool,
}

impl Connections {
    /// For the statements of one store call. Its time limit begins now.
    pub(super) fn within_limit(&self) -> WithinLimit<'_> {
        WithinLimit { connections: self, deadline: Instant::now() + self.time_limit }
    }
}

/// The connections, for the statements of one store call: all of them, and their retries, share one time limit.
#[derive(Clone, Copy)]
pub(super) struct WithinLimit<'a> {
    connections: &'a Connections,
    deadline: Instant,
}

#[derive(Clone, Copy)]
enum Request<'a> {
    Statement(&'a str, &'a [Parameter<'a>]),
    Script(&'a str),
}

#[derive(Default)]
pub(super) struct QueryResult {
    pub(super) rows: Vec<Row>,
    /// How many rows the statement changed.
    pub(super) changed: u64,
}

impl WithinLimit<'_> {
    pub(super) async fn read(self, statement: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        self.run(Operation::Read, Request::Statement(statement, parameters)).await.map(|result| result.rows)
    }

    pub(super) async fn write(self, statement: &str, parameters: &[Parameter<'_>]) -> Result<QueryResult, StoreError> {
        self.run(Operation::Write, Request::Statement(statement, parameters)).await
    }

    /// Several statements without parameters, which are one transaction.
    pub(super) async fn run_script(self, statements: &str) -> Result<(), StoreError> {
        self.run(Operation::Write, Request::Script(statements)).await.map(|_| ())
    }

    async fn run(self, operation: Operation, request: Request<'_>) -> Result<QueryResult, StoreError> {
        let mut attempts = 0;
        loop {
            let failed = match self.attempt(operation, request).await {
                Ok(result) => return Ok(result),
                Err(failed) => failed,
            };
            attempts += 1;
            let is_worthwhile = match failed.retry {
                Retry::Never => false,
                Retry::AfterPause => true,
                Retry::OnAnotherConnection | Retry::PreparedAgain => attempts <= RETRIES_ON_OTHER_CONNECTIONS,
            };
            let pause = pause(attempts);
            if !is_worthwhile || Instant::now() + pause >= self.deadline {
                return Err(failed.error);
            }
            if failed.retry == Retry::PreparedAgain {
                self.connections.pool.manager().statement_caches.clear();
            }
            sleep(pause).await;
        }
    }

    async fn attempt(self, operation: Operation, request: Request<'_>) -> Result<QueryResult, AttemptError> {
        let Connections { connector, prepared, .. } = self.connections;
        let connection = Some(self.connection().await?);
        let mut in_flight = InFlight { connection, connector, deadline: self.deadline };
        let Ok(result) = timeout_at(self.deadline, in_flight.send(request, *prepared)).await else {
            return Err(AttemptError::no_answer_in_time(operation));
        };
        let result = result.map_err(|error| AttemptError::of_statement(error, operation));
        if let Some(connection) = in_flight.connection.take()
            && result.as_ref().is_err_and(|failed| failed.ends_connection)
        {
            drop(Object::take(connection));
        }
        result
    }

    async fn connection(self) -> Result<Object, AttemptError> {
        let pool = self.connections.pool.clone();
        let mut get = Box::pin(timeout_at(self.deadline, async move { pool.get().await }));
        let got = match poll_fn(|context| Poll::Ready(get.as_mut().poll(context))).await {
            Poll::Ready(got) => Ok(got),
            // In a task of its own, which goes on if the caller hangs up: otherwise a connection that is being opened would be
            // closed half-way, and every caller would have to begin with a new one.
            Poll::Pending => tokio::spawn(get).await,
        };
        match got {
            Ok(Ok(got)) => got.map_err(AttemptError::of_connection),
            // The second: the runtime is shutting down.
            Ok(Err(_)) | Err(_) => Err(AttemptError::no_connection_in_time()),
        }
    }
}

/// Longer after each attempt. Random, so that two transactions that met each other do not meet again.
fn pause(attempts: u32) -> Duration {
    let longest = Duration::from_millis(5 << attempts.min(6));
    longest.mul_f64(0.5 + 0.5 * rand::random::<f64>())
}

/// A request that may have been sent and not answered. If it is dropped then, it keeps its connection away from the pool until
/// the answer is there: the next statement on the connection would wait for that answer too.
struct InFlight<'a> {
    /// `None` once the answer is there.
    connection: Option<Object>,
    connector: &'a Connector,
    deadline: Instant,
}

impl InFlight<'_> {
    async fn send(&self, request: Request<'_>, prepared: bool) -> Result<QueryResult, Error> {
        let Some(connection) = &self.connection else { return Ok(QueryResult::default()) };
        let (statement, parameters) = match request {
            Request::Statement(statement, parameters) => (statement, parameters),
            Request::Script(statements) => {
                return connection.batch_execute(statements).await.map(|()| QueryResult::default());
            }
        };
        let types = parameters.iter().map(Parameter::kind);
        // Both know the types of the parameters, so that the server is never asked for them in a round trip of its own. The
        // second sends everything in one message and leaves nothing behind in the connection, as pgbouncer needs it.
        let rows = if prepared {
            let statement = connection.prepare_typed_cached(statement, &types.collect::<Vec<Type>>()).await?;
            connection.query_raw(&statement, parameters).await?
        } else {
            connection.query_typed_raw(statement, parameters.iter().zip(types)).await?
        };
        let mut stream = pin!(rows);
        let rows = stream.as_mut().try_collect().await?;
        Ok(QueryResult { rows, changed: stream.rows_affected().unwrap_or_default() })
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (Ok(runtime), false) = (Handle::try_current(), connection.is_closed()) else {
            drop(Object::take(connection));
            return;
        };
        runtime.spawn(give_back(connection, self.connector.clone(), self.deadline));
    }
}

/// Waits for the end of the statement until the deadline of its call, and then gives up on the connection. To close it at once
/// would be simpler, but clients hang up often, and opening a connection is expensive. Until the end it counts as one of the
/// pool's.
async fn give_back(connection: Object, connector: Connector, deadline: Instant) {
    // The server answers in order: this empty query after everything that was sent before.
    if Instant::now() < deadline && matches!(timeout_at(deadline, connection.simple_query("")).await, Ok(Ok(_))) {
        return;
    }
    let connection = Object::take(connection);
    if !connection.is_closed() {
        let _ = timeout(CANCEL_TIME_LIMIT, connector.cancel(connection.cancel_token())).await;
    }
    // Closed only now: a pgbouncer forgets with the connection which statement is to be cancelled.
    drop(connection);
}
