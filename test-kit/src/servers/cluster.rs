//! A Redis Cluster: three masters with a replica each.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process;
use super::redis::{self, Redis, Reply};
use super::{REDIS, wait_until};

/// A private cluster, gone with this value.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts one, where there is Redis. It takes some seconds.
    pub fn start(purpose: &str) -> Option<Self> {
        let program = REDIS.program(purpose, redis::program())?;
        Some(Self::run(&program, Duration::from_secs(1)))
    }

    /// A master that is silent for `patience` is replaced.
    pub(super) fn run(program: &Path, patience: Duration) -> Self {
        let patience = patience.as_millis().to_string();
        let options = Redis::options().setting("cluster-enabled", "yes").setting("appendonly", "yes");
        // The replica takes over however old its data are.
        let options =
            options.setting("cluster-node-timeout", &patience).setting("cluster-replica-validity-factor", "0");
        let cluster = Self { nodes: (0..6).map(|_| options.clone().run(program)).collect() };

        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(cluster.addresses().iter().map(SocketAddr::to_string));
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        process::run(create);
        cluster.wait_until_whole();
        cluster
    }

    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.addresses().iter().map(SocketAddr::to_string).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// One node, to ask or to stop.
    pub fn node(&self, index: usize) -> &Redis {
        &self.nodes[index]
    }

    /// Waits until every node that runs knows a master for every slot, and every replica follows its master.
    pub fn wait_until_whole(&self) {
        for node in &self.nodes {
            wait_until("the cluster is whole", || {
                let Ok(info) = node.try_command(&["CLUSTER", "INFO"]) else { return true };
                let (info, replication) = (info.text(), node.command(&["INFO", "replication"]).text());
                let has_all = ["cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:6"];
                let follows = replication.contains("role:master") || replication.contains("master_link_status:up");
                has_all.iter().all(|line| info.contains(line)) && follows
            });
        }
    }

    /// The slot of a key.
    pub fn slot_of(&self, key: &str) -> u16 {
        let answers = self.nodes.iter().find_map(|node| node.try_command(&["CLUSTER", "KEYSLOT", key]).ok());
        answers.expect("a node that runs").text().parse().expect("a number")
    }

    /// The node that says that it is the master of a slot, if one does now.
    pub fn master_of(&self, slot: u16) -> Option<usize> {
        self.nodes.iter().position(|node| {
            // A line a node: id, address, flags, master, two times, epoch, state, slots.
            let nodes = node.try_command(&["CLUSTER", "NODES"]).map_or_else(|_| String::new(), |nodes| nodes.text());
            let myself = nodes.lines().find(|line| line.contains("myself,master"));
            myself.into_iter().flat_map(|line| line.split(' ').skip(8)).any(|slots| {
                let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
                first.parse().is_ok_and(|first| last.parse().is_ok_and(|last| (first..=last).contains(&slot)))
            })
        })
    }

    pub fn is_master(&self, node: usize) -> bool {
        self.nodes[node].command(&["ROLE"]).text().starts_with("master")
    }

    /// `kill -9` for the master of a slot; its replica takes over within a few seconds. Which node it was.
    ///
    /// # Panics
    ///
    /// When the slot has no master now.
    pub fn kill_master_of(&mut self, slot: u16) -> usize {
        let master = self.master_of(slot).expect("a master of the slot");
        self.nodes[master].kill();
        master
    }

    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
    }

    /// Begins to move a slot to another master, and leaves it so: keys that are not there any more answer `ASK`.
    ///
    /// # Panics
    ///
    /// When `to` is the master of the slot already, or none.
    pub fn begin_migration(&self, slot: u16, to: usize) -> Migration<'_> {
        let from = self.master_of(slot).expect("a master of the slot");
        let migration = Migration { from: &self.nodes[from], to: &self.nodes[to], cluster: self, slot };
        let [source, target] = [migration.from, migration.to].map(|node| node.command(&["CLUSTER", "MYID"]).text());
        migration.set_slot(migration.to, &["IMPORTING", &source]);
        migration.set_slot(migration.from, &["MIGRATING", &target]);
        migration
    }
}

/// A slot between two masters.
#[derive(Debug)]
pub struct Migration<'a> {
    cluster: &'a Cluster,
    from: &'a Redis,
    to: &'a Redis,
    slot: u16,
}

impl Migration<'_> {
    fn set_slot(&self, node: &Redis, state: &[&str]) {
        let slot = self.slot.to_string();
        let command = [&["CLUSTER", "SETSLOT", &slot], state].concat();
        assert_eq!(node.command(&command), Reply::Simple("OK".to_owned()), "{command:?}");
    }

    /// Moves at most so many keys; how many it was.
    pub fn move_keys(&self, at_most: usize) -> usize {
        let (slot, count) = (self.slot.to_string(), at_most.to_string());
        let Reply::Array(keys) = self.from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]) else { return 0 };
        let keys: Vec<_> = keys.iter().map(Reply::text).collect();
        let port = self.to.port().to_string();
        for key in &keys {
            let moved = self.from.command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            assert!(matches!(moved, Reply::Simple(_)), "{moved:?}");
        }
        keys.len()
    }

    /// Moves the other keys, and the slot is the other master's.
    pub fn finish(self) {
        while self.move_keys(100) > 0 {}
        let target = self.to.command(&["CLUSTER", "MYID"]).text();
        self.set_slot(self.to, &["NODE", &target]);
        self.set_slot(self.from, &["NODE", &target]);
        let is_moved =
            || self.cluster.master_of(self.slot).is_some_and(|node| self.cluster.nodes[node].port() == self.to.port());
        wait_until("the slot has moved", is_moved);
    }
}
