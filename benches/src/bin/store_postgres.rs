//! How many sessions a second `PostgresStore` loads and commits, compared with the plainest statements that do the same for one
//! writer, on the same number of connections. Takes the URL of a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_session::record::{Field, Fields, Keep, Lifetime, Patch, Record, VerifierHash};
use http_session::store::{Sweep, Updated};
use http_session::{SessionId, SessionStore};
use http_session_postgres::PostgresStore;
use http_session_postgres::driver::tokio_postgres::NoTls;
use http_session_postgres::driver::tokio_postgres::types::{ToSql, Type};
use http_session_postgres::driver::{Config, Pool, PoolConfig, Runtime};

const SESSIONS: u64 = 10_000;
const CALLS: u64 = 8_000;
const TASKS: u64 = 16;
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 5;
const TABLE: &str = "http_session_bench";
const DAY: Duration = Duration::from_secs(24 * 3600);
const LIFETIME: Lifetime = Lifetime::new(DAY, DAY.saturating_mul(30));

static VIEWS: Field = Field::new("views");

const LOAD: &str = "select * from http_session_bench where id = $1 and expires > now()";
const COMMIT: &str = "update http_session_bench set fields = fields || $2::text::jsonb, touched = now(), \
    expires = now() + interval '1 day' where id = $1 and epoch = $3 and expires > now()";

fn main() {
    let url = std::env::args().nth(1).expect("the URL of a server");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    println!("Calls a second: median of {ROUNDS} rounds of {CALLS}, {TASKS} tasks, {CONNECTIONS} connections\n");
    println!("| statements | call | raw | the store | ratio |\n|---|---|---|---|---|");
    for prepared in [false, true] {
        let bench = runtime.block_on(Bench::new(&url, prepared));
        for case in [Case::Load, Case::Commit, Case::Both] {
            let round = |ours| runtime.block_on(bench.round(case, ours));
            let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (round(false), round(true))).collect();
            let (raw, ours) = (median(&mut rounds, |round| round.0), median(&mut rounds, |round| round.1));
            let statements = if prepared { "prepared" } else { "sent each time" };
            println!("| {statements} | {} | {raw:.0} | {ours:.0} | {:.2} |", case.name(), ours / raw);
        }
    }
}

fn median<T>(rounds: &mut [T], key: impl Fn(&T) -> f64) -> f64 {
    rounds.sort_by(|a, b| key(a).total_cmp(&key(b)));
    rounds.get(rounds.len() / 2).map_or(0.0, key)
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Load,
    Commit,
    Both,
}

impl Case {
    const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Commit => "commit",
            Self::Both => "load and commit",
        }
    }
}

#[derive(Clone)]
struct Bench {
    store: PostgresStore,
    pool: Pool,
    prepared: bool,
}

fn id(number: u64) -> SessionId {
    SessionId::try_from(format!("{number:022}").as_str()).expect("an id")
}

fn record() -> Record {
    let fields = [
        ("views", Keep::Always, b"1".as_slice()),
        ("theme", Keep::Always, b"\"dark\""),
        ("locale", Keep::Always, b"\"en-GB\""),
        ("cart", Keep::Always, b"[\"apples\",\"pears\"]"),
    ];
    Record::new(VerifierHash([7; 32])).with_fields(fields.into_iter().collect())
}

impl Bench {
    async fn new(url: &str, prepared: bool) -> Self {
        let options =
            PostgresStore::options().table(TABLE).sweep(Sweep::NEVER).time_limit(DAY).connections(CONNECTIONS);
        let options = if prepared { options.prepared() } else { options };
        let store = options.connect(url).await.expect("a server");
        let config = Config { url: Some(url.to_owned()), pool: Some(PoolConfig::new(CONNECTIONS)), ..Config::new() };
        let pool = config.create_pool(Some(Runtime::Tokio1), NoTls).expect("a pool");
        for number in 0..SESSIONS {
            let _ = store.insert(&id(number), &record(), LIFETIME).await.expect("an answer");
        }
        let client = pool.get().await.expect("a connection");
        client.batch_execute(&format!("vacuum analyze {TABLE}")).await.expect("an answer");
        Self { store, pool, prepared }
    }

    /// Calls a second.
    async fn round(&self, case: Case, ours: bool) -> f64 {
        let (start, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let tasks = (0..TASKS).map(|_| {
            let (bench, next) = (self.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= CALLS {
                        return;
                    }
                    let id = id(number.wrapping_mul(7919) % SESSIONS);
                    if ours {
                        bench.ours(case, &id, number).await;
                    } else {
                        bench.raw(case, &id, number).await;
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
        CALLS as f64 / start.elapsed().as_secs_f64()
    }

    async fn ours(&self, case: Case, id: &SessionId, number: u64) {
        let loaded = match case {
            Case::Commit => record(),
            Case::Load | Case::Both => self.store.load(id).await.expect("an answer").expect("a session"),
        };
        if case != Case::Load {
            let mut patch = Patch::unchanged(&loaded);
            let value = number.to_string();
            let others = loaded.fields.iter().filter(|field| field.name != "views");
            let others = others.map(|field| (field.name, field.keep, field.value));
            patch.result = others.chain([("views", Keep::No, value.as_bytes())]).collect::<Fields>();
            patch.write(&VIEWS);
            patch.limit = 64 << 10;
            let updated = self.store.update(id, &patch, LIFETIME).await.expect("an answer");
            assert_eq!(updated, Updated::Applied { renewed: true });
        }
    }

    async fn raw(&self, case: Case, id: &SessionId, number: u64) {
        let id = id.as_str();
        if case != Case::Commit {
            let rows = self.query(LOAD, &[(&id, Type::TEXT)]).await;
            assert_eq!(rows, 1);
        }
        if case != Case::Load {
            let fields = format!("{{\"views\": \"{number}\"}}");
            let values: [(&(dyn ToSql + Sync), Type); 3] =
                [(&id, Type::TEXT), (&fields, Type::TEXT), (&0_i64, Type::INT8)];
            self.query(COMMIT, &values).await;
        }
    }

    async fn query(&self, statement: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> usize {
        let client = self.pool.get().await.expect("a connection");
        let rows = if self.prepared {
            let types: Vec<Type> = values.iter().map(|(_, kind)| kind.clone()).collect();
            let statement = client.prepare_typed_cached(statement, &types).await.expect("an answer");
            let values: Vec<_> = values.iter().map(|(value, _)| *value).collect();
            client.query(&statement, &values).await
        } else {
            client.query_typed(statement, values).await
        };
        rows.expect("an answer").len()
    }
}
