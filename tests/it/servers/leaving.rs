//! What a run of the tests leaves behind, and what it says where there are no servers: runs of this binary in this binary.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
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

    child.kill().unwrap();
    child.wait().unwrap();
    let folder = std::env::temp_dir().join(format!("http-session-tests-{}", child.id()));
    wait_until("the servers are gone", || ports.iter().all(|port| TcpStream::connect(local(*port)).is_err()));
    wait_until("their folder is gone", || !folder.exists());
    assert_eq!((redis.command(&["PING"]).text(), postgres.sql("select 1")), ("PONG".to_owned(), "1".to_owned()));
}

#[test]
fn without_programs_a_test_is_not_run_and_fails_in_ci() {
    let mut command = only("tests::a_stopped_redis_answers_after_it_is_resumed");
    command.env("PATH", "/nowhere").env_remove("CI");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let words = "not run: redis, stopped: no redis-server on this machine";
    assert!(output.status.success() && said.lines().filter(|line| line.starts_with(words)).count() == 1, "{said}");

    let output = command.env("CI", "true").output().unwrap();
    assert!(
        !output.status.success() && String::from_utf8(output.stderr).unwrap().contains("install it with .ci/servers")
    );
}
