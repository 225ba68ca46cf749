//! Loads and commits a second of `RedisStore`, compared with the least commands that do the same for one writer, on the same
//! number of connections. Takes the URL of a server.

#![expect(clippy::unwrap_used, reason = "a bench that fails has nothing to say")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_session::record::{Field, Fields, Keep, Lifetime, Patch, RawJson, Record, VerifierHash};
use http_session::{SessionId, SessionStore as _};
use http_session_redis::RedisStore;
use http_session_redis::driver::{self, AsyncConnectionConfig, aio::MultiplexedConnection};
use tokio::task::JoinSet;

static VIEWS: Field = Field::new("views");

const CONNECTIONS: usize = 2;
/// Concurrent callers, with a table for each number.
const CALLERS: [usize; 2] = [64, 1];
const SESSIONS: usize = 1000;
const ROUNDS: usize = 7;
/// A day in milliseconds.
const DAY: u64 = 24 * 3600 * 1000;
const LIFETIME: Lifetime =
    Lifetime::new(Duration::from_millis(DAY), Duration::from_millis(30 * DAY));
const ROUND: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let url = std::env::args().nth(1).expect("the URL of a server");
    let store = RedisStore::options().prefix("bench:").connections(CONNECTIONS).connect(&url).await.unwrap();
    let raw = Raw::open(&url).await;
    let record = record();
    let ids: Arc<[SessionId]> = (0..SESSIONS).map(id).collect();
    for id in ids.iter() {
        let _ = store.destroy(id, None).await.unwrap();
        driver::cmd("DEL").arg(key(id)).exec_async(&mut raw.connection()).await.unwrap();
        let _ = store.insert(id, &record, LIFETIME).await.unwrap();
    }

    for callers in CALLERS {
        compare(callers, &store, &raw, &record, &ids).await;
    }
}

async fn compare(callers: usize, store: &RedisStore, raw: &Raw, record: &Record, ids: &Arc<[SessionId]>) {
    let load = || {
        let (store, ids) = (store.clone(), Arc::clone(ids));
        measure(callers, move |turn| {
            let (store, id) = (store.clone(), ids[turn % SESSIONS].clone());
            async move { assert!(store.load(&id).await.unwrap().is_some()) }
        })
    };
    let raw_load = || {
        let (raw, ids) = (raw.clone(), Arc::clone(ids));
        measure(callers, move |turn| {
            let (mut connection, key) = (raw.connection(), key(&ids[turn % SESSIONS]));
            async move {
                let mut pipeline = driver::Pipeline::new();
                pipeline.cmd("HGETALL").arg(key).cmd("TIME");
                let _: Vec<driver::Value> = pipeline.query_async(&mut connection).await.unwrap();
            }
        })
    };
    let commit = || {
        let (store, ids, record) = (store.clone(), Arc::clone(ids), record.clone());
        measure(callers, move |turn| {
            let (store, id, patch) = (store.clone(), ids[turn % SESSIONS].clone(), patch(&record, turn));
            async move { drop(store.update(&id, &patch, LIFETIME).await.unwrap()) }
        })
    };
    let raw_commit = |script: &str| {
        let (raw, ids, script) = (raw.clone(), Arc::clone(ids), script.to_owned());
        let is_least = script == raw.least;
        measure(callers, move |turn| {
            let (mut connection, key) = (raw.connection(), key(&ids[turn % SESSIONS]));
            let mut command = driver::cmd("EVALSHA");
            command.arg(&script).arg(1).arg(key);
            if is_least {
                command.arg(0).arg("f:views").arg(format!("={turn}")).arg(DAY);
            } else {
                // The arguments that the store sends.
                command.arg(0).arg(DAY).arg(30 * DAY).arg("extend").arg(64 << 10).arg("=+*").arg("").arg("").arg("");
                command.arg(1).arg("").arg("").arg(1).arg("f:views").arg(1).arg(1).arg("").arg(format!("={turn}"));
            }
            async move { _ = command.query_async::<driver::Value>(&mut connection).await.unwrap() }
        })
    };

    let mut best = [0.0_f64; 5];
    for _ in 0..ROUNDS {
        let (load, raw_load, commit) = (load().await, raw_load().await, commit().await);
        let rates = [load, raw_load, commit, raw_commit(&raw.update).await, raw_commit(&raw.least).await];
        for (best, rate) in best.iter_mut().zip(rates) {
            *best = best.max(rate);
        }
    }
    let [load, raw_load, commit, raw_commit, least] = best;
    println!("\nCalls a second: best of {ROUNDS} rounds, callers: {callers}, connections: {CONNECTIONS}\n");
    println!("| call | raw | the store | ratio |\n|---|---|---|---|");
    println!("| load | {raw_load:.0} | {load:.0} | {:.2} |", load / raw_load);
    println!("| commit | {raw_commit:.0} | {commit:.0} | {:.2} |", commit / raw_commit);
    println!("| commit, beside the least script | {least:.0} | {commit:.0} | {:.2} |", commit / least);
}

/// The driver alone.
#[derive(Clone)]
struct Raw {
    connections: Arc<[MultiplexedConnection]>,
    /// The hashes of the store's own script, and of a script with the least that a commit has to do.
    update: String,
    least: String,
    turn: Arc<AtomicUsize>,
}

impl Raw {
    async fn open(url: &str) -> Self {
        const LEAST: &str = "if redis.call('HGET', KEYS[1], 'e') ~= ARGV[1] then return 'superseded' end \
            local time = redis.call('TIME') \
            local now = time[1] * 1000 + math.floor(time[2] / 1000) \
            local ends = string.format('%.0f', now + ARGV[4]) \
            redis.call('HSET', KEYS[1], ARGV[2], ARGV[3], 'x', ends, 't', string.format('%.0f', now)) \
            redis.call('PEXPIREAT', KEYS[1], ends) \
            return 'applied'";
        // The protocol that the store uses.
        let client = driver::Client::open(format!("{url}?protocol=resp3")).unwrap();
        let config = AsyncConnectionConfig::new().set_pipeline_buffer_size(1024);
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(client.get_multiplexed_async_connection_with_config(&config).await.unwrap());
        }
        let update = concat!(
            include_str!("../../../stores/redis/src/scripts/record.lua"),
            include_str!("../../../stores/redis/src/scripts/update.lua")
        );
        let mut hashes = Vec::new();
        for script in [update, LEAST] {
            let mut load = driver::cmd("SCRIPT");
            hashes.push(load.arg("LOAD").arg(script).query_async(&mut connections[0]).await.unwrap());
        }
        let [update, least] = hashes.try_into().unwrap();
        Self { connections: connections.into(), update, least, turn: Arc::default() }
    }

    fn connection(&self) -> MultiplexedConnection {
        self.connections[self.turn.fetch_add(1, Ordering::Relaxed) % CONNECTIONS].clone()
    }
}

/// Calls a second of all callers together.
async fn measure<F: Future<Output = ()> + Send>(
    callers: usize,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> f64 {
    let (start, mut tasks) = (Instant::now(), JoinSet::new());
    for caller in 0..callers {
        let call = call.clone();
        tasks.spawn(async move {
            let mut count = 0;
            while start.elapsed() < ROUND {
                call(caller + count * callers).await;
                count += 1;
            }
            count
        });
    }
    let count: usize = tasks.join_all().await.into_iter().sum();
    count as f64 / start.elapsed().as_secs_f64()
}

fn id(number: usize) -> SessionId {
    SessionId::try_from(format!("kUeB2YVgRXuVqz{number:08}").as_str()).unwrap()
}

fn key(id: &SessionId) -> String {
    format!("bench:s:{}", id.as_str())
}

/// As in the other benches: an identity and five fields.
fn record() -> Record {
    let fields = [
        ("views", Keep::No, b"3".as_slice()),
        ("theme", Keep::Always, b"\"dark\""),
        ("name", Keep::No, b"\"Ada Lovelace\""),
        ("cart", Keep::SignIn, b"[\"apple\",\"pear\"]"),
    ];
    let mut record = Record::new(VerifierHash([7; 32])).with_fields(fields.into_iter().collect());
    record.identity = Some(RawJson::new(b"42"));
    record
}

fn patch(record: &Record, views: usize) -> Patch {
    let mut patch = Patch::unchanged(record);
    let views = views.to_string();
    let others =
        record.fields.iter().filter(|field| field.name != "views").map(|field| (field.name, field.keep, field.value));
    patch.result = others.chain([("views", Keep::No, views.as_bytes())]).collect::<Fields>();
    patch.write(&VIEWS);
    patch.limit = 64 << 10;
    patch
}
