//! After `kill -9` no acknowledged commit is lost, and no record is half written.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use http_session::SessionId;
use http_session::SessionStore as _;
use http_session::record::{Field, Fields, Keep, Patch, Record, VerifierHash};
use http_session::store::{Inserted, Updated};
use http_session_sqlite::{SqliteStore, Synchronous};

use super::{Files as _, LIFETIME};
use http_session_test_kit::{Folder, times};

const URL: &str = "SQLITE_TEST_KILLED_URL";
const ROUND: &str = "SQLITE_TEST_KILLED_ROUND";
const TASKS: u64 = 6;

static FIRST: Field = Field::new("first");
static SECOND: Field = Field::new("second");

fn id(round: u64, task: u64) -> SessionId {
    SessionId::try_from(format!("session {round} {task}").as_str()).unwrap()
}

/// Both fields hold the same number. They are large enough to be on several pages.
fn fields(number: u64) -> Fields {
    let (short, long) = (number.to_string(), format!("{number:06000}"));
    Fields::from_iter([("first", Keep::No, short.as_bytes()), ("second", Keep::No, long.as_bytes())])
}

fn number(record: &Record) -> u64 {
    let find = |name| std::str::from_utf8(record.fields.find(name).unwrap()).unwrap().parse::<u64>().unwrap();
    assert_eq!(find("first"), find("second"), "a write happens completely or not at all");
    find("first")
}

fn acknowledge(task: u64, number: u64) {
    // In one system call, so that a line is complete too.
    std::io::stdout().write_all(format!("\nacknowledged {task} {number}\n").as_bytes()).unwrap();
}

/// What the child does: it writes, and prints what was acknowledged, until it is killed.
#[test]
fn child_that_is_killed() {
    let Ok(url) = env::var(URL) else { return };
    let round: u64 = env::var(ROUND).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let synchronous = if round.is_multiple_of(2) { Synchronous::Full } else { Synchronous::Normal };
        let store = SqliteStore::options().synchronous(synchronous).connect(&url).await.unwrap();
        let tasks = (0..TASKS).map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let id = id(round, task);
                let mut record = Record::new(VerifierHash([7; 32])).with_fields(fields(0));
                assert_eq!(store.insert(&id, &record, LIFETIME).await.unwrap(), Inserted::Inserted);
                acknowledge(task, 0);
                for number in 1.. {
                    let mut patch = Patch::unchanged(&record);
                    patch.result = fields(number);
                    patch.write(&FIRST);
                    patch.write(&SECOND);
                    let updated = store.update(&id, &patch, LIFETIME).await.unwrap();
                    assert_eq!(updated, Updated::Applied { renewed: true });
                    acknowledge(task, number);
                    record.fields = patch.result;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
}

/// Kills a child this long after its first acknowledgement. Answers the last number that was acknowledged for each task.
fn killed(url: &str, round: u64, after: Duration) -> HashMap<u64, u64> {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "durability::child_that_is_killed", "--nocapture", "--test-threads=1"]);
    child.env(URL, url).env(ROUND, round.to_string()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (first, started) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut acknowledged = HashMap::new();
        for line in lines.map_while(Result::ok) {
            let words: Vec<_> = line.split(' ').collect();
            if let ["acknowledged", task, number] = words[..] {
                acknowledged.insert(task.parse().unwrap(), number.parse().unwrap());
                let _ = first.send(());
            }
        }
        acknowledged
    });
    // In each tenth round it is killed while it opens the file.
    if !round.is_multiple_of(10) {
        started.recv_timeout(Duration::from_secs(60)).expect("the child writes");
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reading.join().unwrap()
}

#[test]
fn r9_a_killed_process_loses_no_acknowledged_commit_and_leaves_no_half_of_a_write() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut commits = 0;
    for round in 0..times(1000) {
        let after = Duration::from_micros(rand::random_range(0..20_000));
        let acknowledged = killed(&folder.url(), round, after);
        runtime.block_on(async {
            let store = folder.store().await;
            for task in 0..TASKS {
                let stored = store.load(&id(round, task)).await.unwrap();
                let stored = stored.map(|record| number(&record));
                let said = acknowledged.get(&task).copied();
                assert!(stored >= said, "round {round}: {said:?} was acknowledged, {stored:?} is there");
                commits += said.map_or(0, |number| number + 1);
            }
        });
        if round % 50 == 0 {
            let check: String = folder.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(check, "ok");
        }
    }
    assert!(commits > times(1000), "{commits} commits were acknowledged");
}
