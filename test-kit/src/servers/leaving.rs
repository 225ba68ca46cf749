//! What a run of the tests leaves behind, and what it says where there are no servers: runs of this binary in this binary.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::process::local;
use super::{Postgres, Redis, wait_until};

const CHILD: &str = "HTTP_SESSION_TEST_CHILD";

/// This binary, which runs a single test.
fn only(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("servers::{test}"), "--exact", "--nocapture"]).stdin(Stdio::null());
    command
}

#[test]
fn a_killed_run_leaves_neither_servers_nor_folders() {
    let (Some(redis), Some(postgres)) = (Redis::start("a killed run"), Postgres::start("a killed run")) else { return };
    if std::env::var_os(CHILD).is_some() {
        // Stopped processes notice nothing by themselves.
        postgres.stop();
        println!("\nports {} {}", redis.port(), postgres.port());
        loop {
            std::thread::park();
        }
    }
    let mut command = only("leaving::a_killed_run_leaves_neither_servers_nor_folders");
    let mut child = command.env(CHILD, "").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ports = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("ports ").map(str::to_owned));
    let ports: Vec<u16> = ports.expect("the ports").split(' ').map(|port| port.parse().unwrap()).collect();
    assert!(ports.iter().all(|port| TcpStream::connect(local(*port)).is_ok()));
    let folder = std::env::temp_dir().join(format!("http-session-tests-{}", child.id()));
    let segments: Vec<_> = std::fs::read_dir(&folder).unwrap().filter_map(|at| segment(&at.unwrap().path())).collect();
    assert!(segments.len() == 1 && segments.iter().all(|id| is_there(id)), "{segments:?}");

    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the servers are gone", || ports.iter().all(|port| TcpStream::connect(local(*port)).is_err()));
    wait_until("their folder is gone", || !folder.exists());
    assert!(!segments.iter().any(|id| is_there(id)), "{segments:?}");
    assert_eq!((redis.command(&["PING"]).text(), postgres.sql("select 1")), ("PONG".to_owned(), "1".to_owned()));
}

#[test]
fn a_server_that_is_dropped_leaves_no_shared_memory() {
    for is_stopped in [false, true] {
        let Some(server) = Postgres::start("a dropped server") else { return };
        let id = segment(server.folder()).unwrap();
        assert!(is_there(&id));
        if is_stopped {
            server.stop();
        }
        drop(server);
        assert!(!is_there(&id), "{id}");
    }
}

/// The System V segment of the PostgreSQL in a folder.
fn segment(folder: &Path) -> Option<String> {
    let status = std::fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
    // Its key, and its number.
    status.lines().nth(6)?.split_whitespace().nth(1).map(str::to_owned)
}

fn is_there(segment: &str) -> bool {
    let all = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    all.lines().any(|line| line.split_whitespace().nth(1) == Some(segment))
}

#[test]
fn without_programs_a_test_is_not_run_and_fails_in_ci() {
    let mut command = only("tests::a_stopped_redis_answers_after_it_is_resumed");
    command.env("PATH", "/nowhere").env_remove("CI");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // No redis-server, or where there is one in `target/servers` nothing that would end it.
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("not run: redis, stopped: no ")).collect();
    assert!(output.status.success() && lines.len() == 1 && lines[0].contains(" on this machine ("), "{said}");

    // The server is there, and what would end it is not.
    let programs = std::env::temp_dir().join(format!("http-session-programs-{}", std::process::id()));
    std::fs::create_dir_all(&programs).unwrap();
    for name in ["redis-server", "redis-cli"] {
        std::fs::write(programs.join(name), "").unwrap();
    }
    let output = command.env("PATH", &programs).output().unwrap();
    std::fs::remove_dir_all(&programs).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("not run: redis, stopped: no setsid on this machine"), "{said}");

    let output = command.env("PATH", "/nowhere").env("CI", "true").output().unwrap();
    assert!(
        !output.status.success() && String::from_utf8(output.stderr).unwrap().contains("install it with .ci/servers")
    );
}
