//! Nanoseconds of one request, in interleaved rounds, so that a slow moment of the machine hits every contender.

use std::time::Instant;

use http_session_benches::{Case, Contender, Program};

const ROUNDS: usize = 15;
const REQUESTS: u32 = 5000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("there is a runtime");
    let _guard = runtime.enter();

    println!("Nanoseconds of one request: median of {ROUNDS} rounds of {REQUESTS} requests (least)\n");
    print!("| request |");
    Contender::ALL.iter().for_each(|contender| print!(" {} |", contender.name()));
    println!("\n|---|{}", "---|".repeat(Contender::ALL.len()));
    for case in Case::ALL {
        let mut programs = Contender::ALL.map(|contender| contender.prepare(case));
        for (contender, program) in Contender::ALL.into_iter().zip(&mut programs) {
            program.iter_mut().for_each(|program| (0..500).for_each(|_| program.check(contender, case)));
        }
        let mut rounds = Contender::ALL.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (program, times) in programs.iter_mut().zip(&mut rounds) {
                times.extend(program.as_mut().map(round));
            }
        }
        print!("| {} |", case.name());
        for mut times in rounds {
            times.sort_unstable();
            match (times.get(times.len() / 2), times.first()) {
                (Some(median), Some(least)) => print!(" {median} ({least}) |"),
                _ => print!(" |"),
            }
        }
        println!();
    }
}

/// Nanoseconds of one request, on average over a round. Making the request is part of it.
fn round(program: &mut Program) -> u128 {
    let start = Instant::now();
    (0..REQUESTS).for_each(|_| program.run());
    start.elapsed().as_nanos() / u128::from(REQUESTS)
}
