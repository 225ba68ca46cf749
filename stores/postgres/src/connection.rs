//! One statement on one connection of the pool, within the time limit.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use deadpool_postgres::tokio_postgres::types::{ToSql, Type};
use deadpool_postgres::tokio_postgres::{CancelToken, Error, NoTls, Row};
use deadpool_postgres::{Object, Pool, PoolError};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::failure::{self, Access, Again, Failure};
use super::value::Value;
use http_session_store::error::StoreError;

/// How to open a connection beside those of the pool.
#[derive(Clone)]
pub(super) enum Connector {
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_postgres_rustls::MakeRustlsConnect),
    /// The pool is the user's.
    Unknown,
}

impl Connector {
    /// Asks the server to give up what it is at; nobody learns whether it did.
    async fn cancel(self, token: CancelToken) {
        let _ = match self {
            Self::Plain => token.cancel_query(NoTls).await,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => token.cancel_query(tls).await,
            Self::Unknown => Ok(()),
        };
    }
}

/// How long the server may take to hear that an answer is no longer awaited.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);
/// How often another connection is tried.
const ELSEWHERE: u32 = 2;

pub(super) struct Connections {
    pub(super) pool: Pool,
    pub(super) connector: Connector,
    pub(super) time_limit: Duration,
    pub(super) prepared: bool,
}

impl Connections {
    /// When a call that begins now has to be over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.time_limit
    }

    /// The rows that a statement gives.
    pub(super) async fn run(
        &self,
        access: Access,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.run_until(self.deadline(), access, statement, values).await
    }

    /// The same, for a call that has sent another statement before.
    pub(super) async fn run_until(
        &self,
        deadline: Instant,
        access: Access,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.ask(deadline, access, Request::Statement(statement, values)).await.map(|answer| answer.rows)
    }

    /// How many rows a statement changes that gives none.
    pub(super) async fn change_until(
        &self,
        deadline: Instant,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        self.ask(deadline, Access::Write, Request::Change(statement, values)).await.map(|answer| answer.changed)
    }

    /// Several statements without parameters, which are one transaction.
    pub(super) async fn run_script(&self, statements: &str) -> Result<(), StoreError> {
        self.ask(self.deadline(), Access::Write, Request::Script(statements)).await.map(|_| ())
    }

    async fn ask(&self, deadline: Instant, access: Access, request: Request<'_>) -> Result<Answer, StoreError> {
        let mut attempts = 0;
        loop {
            let failure = match self.attempt(deadline, access, request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            attempts += 1;
            let is_useful = match failure.again {
                Again::No => false,
                Again::Soon => true,
                Again::Elsewhere | Again::Afresh => attempts <= ELSEWHERE,
            };
            let pause = pause(attempts);
            if !is_useful || Instant::now() + pause >= deadline {
                return Err(failure.error);
            }
            if failure.again == Again::Afresh {
                self.pool.manager().statement_caches.clear();
            }
            sleep(pause).await;
        }
    }

    async fn attempt(&self, deadline: Instant, access: Access, request: Request<'_>) -> Result<Answer, Failure> {
        let connection = Some(self.connection(deadline).await?);
        let mut call = Call { connection, connector: &self.connector, deadline };
        let answer = timeout_at(deadline, call.query(request, self.prepared)).await;
        let Ok(answer) = answer else { return Err(failure::no_answer(access)) };
        let is_usable = answer.as_ref().err().is_none_or(failure::leaves_connection);
        let answer = answer.map_err(|error| failure::of_statement(error, access));
        let is_left = matches!(&answer, Err(Failure { again: Again::Elsewhere, .. }));
        if let Some(connection) = call.connection.take()
            && (is_left || !is_usable)
        {
            drop(Object::take(connection));
        }
        answer
    }

    async fn connection(&self, deadline: Instant) -> Result<Object, Failure> {
        let pool = self.pool.clone();
        let mut waiting = Waiting { get: Some(Box::pin(async move { pool.get().await })), deadline };
        let got = timeout_at(deadline, poll_fn(|context| waiting.poll(context))).await;
        match got {
            Ok(got) => got.map_err(failure::of_connection),
            Err(_) => {
                // There is no time left for anybody to go on with it.
                waiting.get = None;
                Err(failure::no_connection())
            }
        }
    }
}

/// A connection of the pool that is waited for. One that has been begun ends there though nobody waits for it any more: else
/// callers who hang up would have each of them begun anew.
struct Waiting {
    get: Option<Pin<Box<dyn Future<Output = Result<Object, PoolError>> + Send>>>,
    deadline: Instant,
}

impl Waiting {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Object, PoolError>> {
        let Some(get) = &mut self.get else { return Poll::Pending };
        let got = ready!(get.as_mut().poll(context));
        self.get = None;
        Poll::Ready(got)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let (Some(get), Ok(runtime)) = (self.get.take(), Handle::try_current()) {
            let deadline = self.deadline;
            runtime.spawn(async move { timeout_at(deadline, get).await.map(drop) });
        }
    }
}

/// Longer each time, and never the same for two that are in each other's way.
fn pause(attempts: u32) -> Duration {
    let longest = Duration::from_millis(5 << attempts.min(6));
    longest.mul_f64(0.5 + 0.5 * rand::random::<f64>())
}

#[derive(Clone, Copy)]
enum Request<'a> {
    Statement(&'a str, &'a [Value<'a>]),
    /// One that gives no rows.
    Change(&'a str, &'a [Value<'a>]),
    Script(&'a str),
}

#[derive(Default)]
struct Answer {
    rows: Vec<Row>,
    changed: u64,
}

/// A request that is under way. Dropped before its answer is there, it keeps its connection from others, who would wait for
/// this answer too.
struct Call<'a> {
    /// Back to the pool when the answer is there.
    connection: Option<Object>,
    connector: &'a Connector,
    deadline: Instant,
}

impl Call<'_> {
    async fn query(&self, request: Request<'_>, prepared: bool) -> Result<Answer, Error> {
        let Some(connection) = &self.connection else { return Ok(Answer::default()) };
        let (statement, values) = match request {
            Request::Statement(statement, values) | Request::Change(statement, values) => (statement, values),
            Request::Script(statements) => {
                return connection.batch_execute(statements).await.map(|()| Answer::default());
            }
        };
        let gives_rows = matches!(request, Request::Statement(..));
        let (rows, changed) = if prepared {
            let types: Vec<Type> = values.iter().map(Value::kind).collect();
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            let statement = connection.prepare_typed_cached(statement, &types).await?;
            if gives_rows {
                (connection.query(&statement, &values).await?, 0)
            } else {
                (Vec::new(), connection.execute(&statement, &values).await?)
            }
        } else {
            let values: Vec<(&(dyn ToSql + Sync), Type)> =
                values.iter().map(|value| (value as _, value.kind())).collect();
            if gives_rows {
                (connection.query_typed(statement, &values).await?, 0)
            } else {
                (Vec::new(), connection.execute_typed(statement, &values).await?)
            }
        };
        Ok(Answer { rows, changed })
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (Ok(runtime), false) = (Handle::try_current(), connection.is_closed()) else {
            drop(Object::take(connection));
            return;
        };
        runtime.spawn(give_back(connection, self.connector.clone(), self.deadline));
    }
}

/// Waits for the end of what is under way, as long as the call itself might have: a connection is dear, and callers hang up
/// often. Until then it counts as one of the pool's.
async fn give_back(connection: Object, connector: Connector, deadline: Instant) {
    // It is answered after what was sent before.
    if Instant::now() < deadline && matches!(timeout_at(deadline, connection.simple_query("")).await, Ok(Ok(_))) {
        return;
    }
    let connection = Object::take(connection);
    if !connection.is_closed() {
        let _ = timeout(CANCEL_LIMIT, connector.cancel(connection.cancel_token())).await;
    }
    // Not before: where there is a pgbouncer, it then no longer knows what to cancel.
    drop(connection);
}
