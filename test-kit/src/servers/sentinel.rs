//! Redis with Sentinel: a master, a replica, and three sentinels.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::redis::{self, Redis, Reply};
use super::{REDIS, wait_until};

/// What the sentinels call the master.
pub const MASTER: &str = "sessions";

/// A private set, gone with this value.
#[derive(Debug)]
pub struct Sentinel {
    nodes: Vec<Redis>,
    sentinels: Vec<Redis>,
}

impl Sentinel {
    /// Starts one, where there is Redis. It takes some seconds.
    pub fn start(purpose: &str) -> Option<Self> {
        let program = REDIS.program(purpose, redis::program())?;
        Some(Self::run(&program, Duration::from_millis(500)))
    }

    /// A master that is silent for `patience` is replaced.
    pub(super) fn run(program: &Path, patience: Duration) -> Self {
        let options = Redis::options().setting("appendonly", "yes");
        let master = options.clone().run(program);
        let replica = options.replica_of(&master).run(program);
        replica.wait_for_replication();
        let sentinels = (0..3).map(|_| Redis::options().sentinel_of(&master, MASTER, patience).run(program)).collect();
        let set = Self { nodes: vec![master, replica], sentinels };
        for sentinel in &set.sentinels {
            // Else it takes them ten seconds to put a server right; before Redis 7 that cannot be set.
            sentinel.command(&["SENTINEL", "DEBUG", "info-period", "500", "publish-period", "250"]);
        }
        set.wait_until_whole();
        set
    }

    pub fn url(&self) -> String {
        let sentinels: Vec<_> = self.addresses().iter().map(SocketAddr::to_string).collect();
        format!("redis+sentinel://{}/{MASTER}", sentinels.join(","))
    }

    /// Of the sentinels.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sentinels.iter().map(Redis::address).collect()
    }

    /// One of the two servers of data.
    pub fn node(&self, index: usize) -> &Redis {
        &self.nodes[index]
    }

    /// Waits until all sentinels know each other and both servers, and the replica follows.
    pub fn wait_until_whole(&self) {
        for sentinel in &self.sentinels {
            wait_until("the sentinels have met", || {
                let state = sentinel.command(&["SENTINEL", "MASTER", MASTER]).text();
                ["flags\nmaster\n", "num-slaves\n1\n", "num-other-sentinels\n2\n"]
                    .iter()
                    .all(|part| state.contains(part))
            });
        }
        let replica = &self.nodes[1 - self.master()];
        replica.wait_for_replication();
    }

    /// The master that most sentinels name, once they do.
    pub fn master(&self) -> usize {
        let mut master = None;
        wait_until("most sentinels name a master that is one", || {
            master = (0..self.nodes.len()).find(|index| {
                let node = &self.nodes[*index];
                let named = Reply::Array(["127.0.0.1", &node.port().to_string()].map(bulk).to_vec());
                let names =
                    |sentinel: &&Redis| sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]) == named;
                let role = node.try_command(&["ROLE"]).map_or_else(|_| String::new(), |role| role.text());
                self.sentinels.iter().filter(names).count() >= 2 && role.starts_with("master")
            });
            master.is_some()
        });
        master.expect("waited for it")
    }

    /// Waits until all sentinels name the master that most of them name: the store asks any of them.
    pub fn wait_until_agreed(&self) {
        let port = self.nodes[self.master()].port().to_string();
        let named = Reply::Array(["127.0.0.1", &port].map(bulk).to_vec());
        for sentinel in &self.sentinels {
            wait_until("all sentinels name the master", || {
                sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]) == named
            });
        }
    }

    /// Makes the replica the master, as an operator would, and waits until it is.
    pub fn failover(&self) {
        let before = self.master();
        // A sentinel may begin one and give it up, where the replica is slow. Asked again too soon it makes another one, back.
        let mut asked = None;
        wait_until("the replica is the master", || {
            if asked.is_none_or(|at: Instant| at.elapsed() > Duration::from_secs(12)) {
                asked = Some(Instant::now());
                let _ = self.sentinels[0].command(&["SENTINEL", "FAILOVER", MASTER]);
            }
            self.master() != before
        });
    }

    /// Takes another server for the master, of which the one before hears nothing.
    pub fn watch(&self, other: &Redis) {
        let port = other.port().to_string();
        for sentinel in &self.sentinels {
            for command in [["REMOVE", MASTER].as_slice(), &["MONITOR", MASTER, "127.0.0.1", &port, "2"]] {
                let command = [&["SENTINEL"], command].concat();
                assert_eq!(sentinel.command(&command).text(), "OK", "{command:?}");
            }
        }
    }

    /// `kill -9` for the master; the replica takes over within a few seconds. Which it was.
    pub fn kill_master(&mut self) -> usize {
        let master = self.master();
        self.nodes[master].kill();
        master
    }

    /// Starts a killed server again. The sentinels make it a replica.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
    }
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}
