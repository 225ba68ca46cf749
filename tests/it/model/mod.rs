//! Random histories of several browsers, interleaved at every await, checked against what must hold in any order.
//!
//! A history is a function of its seed: which requests are sent, which store calls fail, and what happens next.
//! Everything waits at *gates* (`world`): each step of a handler, each store call before it acts and before its answer
//! arrives, and each response before it reaches the browser. One gate is opened at a time, and the seed chooses it.
//! `truth` and `course` check every act of the store (`store`) against the rules. `rounds` checks the browsers' cookies
//! when nothing is left to happen. An exception that a rule makes is named where the check makes it.
//!
//! A failure prints its seed and a mask of the visits that it needs. To see it step by step:
//!
//! ```text
//! MODEL_SEED=4711 cargo test --test it model::replay -- --nocapture
//! MODEL_SEED=4711/2b cargo test --test it model::replay -- --nocapture
//! ```
//!
//! `MODEL_HISTORIES` is the number of histories, and `MODEL_FROM` is the first seed.
//!
//! Any store can be behind the gates. Its calls run to completion on another runtime while the history stands still.
//! Its clock cannot be moved, so the pauses of the plans are left out. To see a history on a store:
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

/// Histories per run in CI, on two threads; a tenth of this elsewhere.
const HISTORIES: u64 = 100_000;

/// After this many histories, a thread starts again with an empty store and a new clock.
const HISTORIES_PER_BENCH: u64 = 1000;

fn variable(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

/// Leaves out the visits that the failure does not need.
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

/// Plays this many histories on two threads, each with its own bench. Returns the first failures, shrunk.
pub fn failures(count: u64, bench: impl Fn() -> Bench + Sync) -> Vec<String> {
    const ENOUGH: usize = 5;
    let count = variable("MODEL_HISTORIES").unwrap_or(count);
    let from = variable("MODEL_FROM").unwrap_or(0);
    let failures = Mutex::new(Vec::new());
    let play = |shard| {
        let mut bench_in_use = None;
        for seed in (from..from + count).filter(|seed| seed % 2 == shard) {
            if seed / 2 % HISTORIES_PER_BENCH == 0 {
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
fn a_seed_always_gives_the_same_history() {
    same_histories(&Bench::new(), &Bench::new());
    let memory = || Bench::on(async { AnyStore::new(MemoryStore::new()) });
    same_histories(&memory(), &memory());
}

fn same_histories(first: &Bench, second: &Bench) {
    // The trace depends neither on the bench nor on earlier runs.
    for seed in 0..200 {
        let trace = first.trace(seed, u64::MAX);
        assert!(trace.len() > 2);
        assert_eq!(trace, second.trace(seed, u64::MAX), "seed {seed}");
        assert_eq!(trace, first.trace(seed, u64::MAX), "seed {seed} again");
    }
}

/// Shows one history, as described at the top of this file.
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
