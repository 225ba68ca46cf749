//! Random histories of several browsers, interleaved at every await, against what must hold whatever the order.
//!
//! A history is a function of its seed: who asks what, which store call fails, what happens next. Everything waits at
//! *gates* (`world`): each step of a handler, each store call before it acts and before its answer arrives, each response
//! before it reaches the browser. One gate is opened at a time; the seed chooses. The store notes every act (`store`), and
//! `truth` and `course` check it against the rules; `rounds` checks what the browsers have when everything has come to rest.
//! Exceptions are those of the rules, each named where it is made.
//!
//! A failure prints its seed, and which of its visits it needs. To see it step by step:
//!
//! ```text
//! MODEL_SEED=4711 cargo test --test it model::replay -- --nocapture
//! MODEL_SEED=4711/2b cargo test --test it model::replay -- --nocapture
//! ```
//!
//! `MODEL_HISTORIES` is how many histories are tried, `MODEL_FROM` the first seed.
//!
//! Any store can be behind the gates: its calls run on another runtime to their end while a history stands still. Its clock
//! cannot be moved, so the pauses of the plans are left out. To see a history on a store:
//!
//! ```text
//! MODEL_STORE=memory: MODEL_SEED=4711 cargo test --test it model::replay -- --nocapture
//! ```

mod behind;
mod course;
mod dice;
mod handler;
mod plan;
mod rounds;
mod store;
mod truth;
mod world;

use std::sync::Mutex;
use std::thread;

use http_session::MemoryStore;
use http_session::store::AnyStore;

pub use rounds::Bench;
use rounds::Failure;

use crate::stores::connect;
use crate::support::times;

/// Histories a run in CI, in two threads; a tenth of it elsewhere.
const HISTORIES: u64 = 100_000;

/// After so many a thread starts with an empty store and a clock at its beginning.
const FRESH: u64 = 1000;

fn variable(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

/// Leaves out whatever the failure does not need.
fn shrink(bench: &Bench, seed: u64, failure: Failure) -> (u64, Failure) {
    let mut mask = u64::MAX >> (64 - bench.visits(seed).clamp(1, 63));
    let mut smallest = failure;
    for bit in (0..64).filter(|bit| mask >> bit & 1 == 1).collect::<Vec<_>>() {
        if let Err(failure) = bench.run(seed, mask & !(1 << bit)) {
            mask &= !(1 << bit);
            smallest = failure;
        }
    }
    (mask, smallest)
}

/// Plays so many histories in two threads, each on a bench of its own; the first failures, shrunk.
pub fn failures(count: u64, bench: impl Fn() -> Bench + Sync) -> Vec<String> {
    const ENOUGH: usize = 5;
    let count = variable("MODEL_HISTORIES").unwrap_or(count);
    let from = variable("MODEL_FROM").unwrap_or(0);
    let failures = Mutex::new(Vec::new());
    let play = |shard| {
        let mut bench_in_use = None;
        for seed in (from..from + count).filter(|seed| seed % 2 == shard) {
            if seed / 2 % FRESH == 0 {
                bench_in_use = None;
            }
            let bench = bench_in_use.get_or_insert_with(&bench);
            if let Err(failure) = bench.run(seed, u64::MAX) {
                let (mask, failure) = shrink(bench, seed, failure);
                failures.lock().unwrap().push(format!("MODEL_SEED={seed}/{mask:x}: {failure}"));
            }
            if failures.lock().unwrap().len() >= ENOUGH {
                return;
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(0));
        scope.spawn(|| play(1));
    });
    failures.into_inner().unwrap()
}

#[test]
fn no_history_breaks_a_rule() {
    let failures = failures(times(HISTORIES), Bench::new);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_seed_is_a_history() {
    same_histories(&Bench::new(), &Bench::new());
    let memory = || Bench::on(async { AnyStore::new(MemoryStore::new()) });
    same_histories(&memory(), &memory());
}

fn same_histories(first: &Bench, second: &Bench) {
    // Neither from bench to bench, nor from run to run.
    for seed in 0..200 {
        let trace = first.trace(seed, u64::MAX);
        assert!(trace.len() > 2);
        assert_eq!(trace, second.trace(seed, u64::MAX), "seed {seed}");
        assert_eq!(trace, first.trace(seed, u64::MAX), "seed {seed} again");
    }
}

/// Shows one history: see the head of this file.
#[test]
fn replay() {
    let Ok(seed) = std::env::var("MODEL_SEED") else { return };
    let (seed, mask) = seed.split_once('/').unwrap_or((&seed, "ffffffffffffffff"));
    let (seed, mask) = (seed.parse().expect("a seed"), u64::from_str_radix(mask, 16).expect("a mask"));
    let bench = match std::env::var("MODEL_STORE") {
        Ok(url) => Bench::on(connect(&url, "replay")),
        Err(_) => Bench::new(),
    };
    println!("{}", bench.trace(seed, mask).join("\n"));
    if let Err(failure) = bench.run(seed, mask) {
        panic!("{failure}");
    }
}
