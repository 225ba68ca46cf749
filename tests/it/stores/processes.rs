//! Four processes write to the same sessions of one store, each through its own layer, and lose nothing (R9).
//!
//! Each process runs this test binary again. Environment variables tell it to run a single "test" that does the work.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::{Method, Response};
use http_session::store::AnyStore;
use http_session::{Session, SessionConfig};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::{connect, name_of};
use crate::support::{Browser, Oops, Request, secret, times};
use http_session_test_kit::Folder;
use http_session_test_kit::servers;

/// The number of field updates in CI.
const UPDATES: u64 = 100_000;
const PROCESSES: usize = 4;
const SESSIONS: usize = 4;
const USER: u32 = 7;
const PATIENCE: Duration = Duration::from_secs(60);

// The variables that a process gets: the store's URL and name, the number of the process, the number of requests to
// each session, and the sessions' cookies.
const URL: &str = "HTTP_SESSION_TEST_CHILD_URL";
const NAME: &str = "HTTP_SESSION_TEST_CHILD_NAME";
const NUMBER: &str = "HTTP_SESSION_TEST_CHILD_NUMBER";
const REQUESTS: &str = "HTTP_SESSION_TEST_CHILD_REQUESTS";
const COOKIES: &str = "HTTP_SESSION_TEST_CHILD_COOKIES";

/// The line by which a process reports that it is connected.
const READY: &str = "ready";

/// A field that all processes add to, and one field for each process that only this process writes.
#[derive(Session)]
struct Tally {
    #[session(identity)]
    user: Option<u32>,
    #[session(merge = "add")]
    hits: u64,
    first: u64,
    second: u64,
    third: u64,
    fourth: u64,
}

impl Tally {
    const fn own(&mut self, process: usize) -> &mut u64 {
        match process {
            0 => &mut self.first,
            1 => &mut self.second,
            2 => &mut self.third,
            _ => &mut self.fourth,
        }
    }
}

/// `/begin`, `/read`, or `/count/{process}/{how often that process has counted in this session}`.
async fn handle(request: Request, mut session: Session<Tally>) -> Result<Response<String>, Oops> {
    let words: Vec<_> = request.uri().path().split('/').skip(1).collect();
    match words[..] {
        ["begin"] => session.sign_in(USER),
        ["count", process, so_far] => {
            let (process, so_far): (usize, u64) = (process.parse().unwrap(), so_far.parse().unwrap());
            assert_eq!(session.user, Some(USER), "the session is found");
            // No other process writes this field.
            assert_eq!(*session.own(process), so_far, "the value of the last request is stored");
            *session.own(process) += 1;
            session.hits += 1;
        }
        _ => {}
    }
    let Tally { hits, first, second, third, fourth, .. } = &*session;
    Ok(Response::new(format!("{hits}: {first} {second} {third} {fourth}")))
}

fn sessions(store: AnyStore) -> SessionConfig<AnyStore> {
    SessionConfig::builder().secret(secret()).store(store).store_time_limit(PATIENCE).build()
}

/// Sends a request and returns the text of the handler's answer.
async fn ask(sessions: &SessionConfig<AnyStore>, browser: &mut Browser, path: &str) -> String {
    let request = browser.request(Method::GET, path);
    let answer = browser.send(&sessions.service(handle), request).await;
    assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
    answer.text
}

/// The work of one process. It sends requests to all sessions at the same time, and in each session one after the
/// other.
#[test]
fn one_of_several_processes() {
    let Ok(url) = std::env::var(URL) else { return };
    let variable = |name| std::env::var(name).unwrap();
    let (process, requests): (usize, u64) = (variable(NUMBER).parse().unwrap(), variable(REQUESTS).parse().unwrap());
    let cookies: Vec<_> = variable(COOKIES).split(' ').map(str::to_owned).collect();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let sessions = sessions(connect(&url, &variable(NAME)).await);
        println!("{READY}");
        let go = io::stdin().read(&mut [0]).expect("a word to begin");
        assert_eq!(go, 1, "the test that started this process is still there");
        let mut tasks = JoinSet::new();
        for cookie in cookies {
            let sessions = sessions.clone();
            tasks.spawn(async move {
                let (name, value) = cookie.split_once('=').expect("a cookie");
                let mut browser = Browser::new();
                browser.set_cookie(name, value);
                for so_far in 0..requests {
                    ask(&sessions, &mut browser, &format!("/count/{process}/{so_far}")).await;
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.expect("every request is answered, and finds what the previous request wrote");
        }
    });
}

/// A child process that is killed at the end of the test.
struct Process(Child);

impl Process {
    fn start(url: &str, name: &str, number: usize, requests: u64, cookies: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "stores::processes::one_of_several_processes", "--nocapture"]);
        command.env(URL, url).env(NAME, name).env(NUMBER, number.to_string());
        command.env(REQUESTS, requests.to_string()).env(COOKIES, cookies);
        let mut process = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("another process"));
        let said = BufReader::new(process.0.stdout.as_mut().expect("a pipe"));
        let is_ready = said.lines().any(|line| line.is_ok_and(|line| line.ends_with(READY)));
        assert!(is_ready, "process {number} is connected");
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets four processes make this many field updates on the store of a URL. Each request updates two fields.
fn assert_nothing_is_lost(url: &str, updates: u64) {
    let name = name_of("processes");
    let requests = updates / 2 / (PROCESSES * SESSIONS) as u64;
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let sessions = sessions(runtime.block_on(connect(url, &name)));
    let mut browsers: [Browser; SESSIONS] = Default::default();
    for browser in &mut browsers {
        runtime.block_on(ask(&sessions, browser, "/begin"));
    }
    let cookies = browsers.each_ref().map(|browser| browser.cookie_header("/").expect("a cookie")).join(" ");
    let mut processes: Vec<_> =
        (0..PROCESSES).map(|number| Process::start(url, &name, number, requests, &cookies)).collect();
    let begun = Instant::now();
    for process in &processes {
        process.0.stdin.as_ref().expect("a pipe").write_all(b"!").expect("it waits for this");
    }
    for process in &mut processes {
        assert!(process.0.wait().expect("its end").success(), "a process failed; its output above says why");
    }
    let took = begun.elapsed();
    for browser in &mut browsers {
        let seen = runtime.block_on(ask(&sessions, browser, "/read"));
        let sum = requests * PROCESSES as u64;
        assert_eq!(seen, format!("{sum}: {requests} {requests} {requests} {requests}"));
    }
    eprintln!("{} field updates in {took:?}", requests * (2 * PROCESSES * SESSIONS) as u64);
}

#[test]
fn r9_four_processes_lose_nothing_on_sqlite() {
    let folder = Folder::new();
    assert_nothing_is_lost(&folder.url(), times(UPDATES));
}

#[test]
fn r9_four_processes_lose_nothing_on_redis() {
    let Some(server) = servers::redis("four processes on Redis") else { return };
    assert_nothing_is_lost(server.url(), times(UPDATES));
}

#[test]
fn r9_four_processes_lose_nothing_on_postgres() {
    let Some(server) = servers::postgres("four processes on PostgreSQL") else { return };
    assert_nothing_is_lost(server.url(), times(UPDATES));
}
