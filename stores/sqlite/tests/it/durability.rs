//! kill -9: nothing that was acknowledged is lost, and nothing is torn.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use http_session::SessionId;
use http_session::record::{Field, Fields, Keep, Patch, Record, VerifierHash};
use http_session::store::{Inserted, SessionStore as _, Updated};
use http_session_sqlite::SqliteStore;
use http_session_sqlite::Synchronous;

use super::{Files as _, LIFETIME};
use http_session_test_kit::Folder;
use http_session_test_kit::times;

const URL: &str = "SQLITE_TEST_KILLED_URL";
const ROUND: &str = "SQLITE_TEST_KILLED_ROUND";
const TASKS: u64 = 6;

static FIRST: Field = Field::new("first");
static SECOND: Field = Field::new("second");

fn id(round: u64, task: u64) -> SessionId {
    SessionId::try_from(format!("session {round} {task}").as_str()).unwrap()
}

/// Both fields say the same, far enough apart to be on several pages.
fn fields(number: u64) -> Fields {
    let (short, long) = (number.to_string(), format!("{number:06000}"));
    Fields::from_iter([("first", Keep::No, short.as_bytes()), ("second", Keep::No, long.as_bytes())])
}

fn number(row: &Record) -> u64 {
    let find = |name| std::str::from_utf8(row.fields.find(name).unwrap()).unwrap().parse::<u64>().unwrap();
    assert_eq!(find("first"), find("second"), "a write is whole or not there");
    find("first")
}

fn acknowledge(task: u64, number: u64) {
    // One call to the system, so that a line is whole too.
    std::io::stdout().write_all(format!("\nacknowledged {task} {number}\n").as_bytes()).unwrap();
}

/// What the child does: writes, and says what was acknowledged, until it is killed.
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
                let mut row = Record::new(VerifierHash([7; 32])).with_fields(fields(0));
                assert_eq!(store.insert(&id, &row, LIFETIME).await.unwrap(), Inserted::Inserted);
                acknowledge(task, 0);
                for number in 1.. {
                    let mut patch = Patch::unchanged(&row);
                    patch.result = fields(number);
                    patch.write(&FIRST);
                    patch.write(&SECOND);
                    let updated = store.update(&id, &patch, LIFETIME).await.unwrap();
                    assert_eq!(updated, Updated::Applied { renewed: true });
                    acknowledge(task, number);
                    row.fields = patch.result;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
}

/// Runs a child for that long after its first acknowledgement, and gives what was acknowledged last for each task.
fn killed(url: &str, round: u64, after: Duration) -> HashMap<u64, u64> {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "stores::sqlite::durability::child_that_is_killed", "--nocapture", "--test-threads=1"]);
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
    // Now and then it is killed while it opens the file.
    if !round.is_multiple_of(10) {
        started.recv_timeout(Duration::from_secs(60)).expect("the child writes");
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reading.join().unwrap()
}

#[test]
fn r9_no_acknowledged_commit_is_lost_and_none_is_torn_when_the_process_is_killed() {
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
                let stored = stored.map(|row| number(&row));
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
