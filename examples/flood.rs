//! Ten million visitors who never come back, in a store of 100,000 sessions. The memory that the process uses stops growing.
//!
//! Run it with `cargo run --release --example flood`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, Instant};

use http_session::SessionStore;
use http_session::record::{Keep, Lifetime, Record, VerifierHash};
use http_session::store::EnumerateSessions;
use http_session::{MemoryStore, SessionId};

const VISITORS: u64 = 10_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = MemoryStore::new().max_sessions(100_000);
    let lifetime = Lifetime::new(Duration::from_secs(600), Duration::from_secs(30 * 24 * 3600));
    let start = Instant::now();
    report(&store, 0, start).await?;
    for visitor in 1..=VISITORS {
        // Multiplying by an odd number repeats no id, and gives the store no order that it could profit from.
        let id = SessionId::try_from(format!("{:022}", visitor.wrapping_mul(0x9E37_79B9_7F4A_7C15)).as_str())?;
        let mut record = Record::new(VerifierHash([7; 32]));
        let views = visitor.to_string();
        record.fields =
            [("views", Keep::No, views.as_bytes()), ("theme", Keep::Always, b"\"dark\"")].into_iter().collect();
        let _ = store.insert(&id, &record, lifetime).await?;
        if visitor % 1_000_000 == 0 {
            report(&store, visitor, start).await?;
        }
    }
    Ok(())
}

async fn report(store: &MemoryStore, visitors: u64, start: Instant) -> Result<(), Box<dyn Error>> {
    let usage = store.usage();
    println!(
        "{visitors:>10} visitors {:>7.1} s | {:>6} sessions {:>6.1} MiB accounted, {:>8} evicted | {} resident",
        start.elapsed().as_secs_f64(),
        store.len().await?,
        usage.bytes as f64 / f64::from(1 << 20),
        usage.evicted,
        resident(),
    );
    Ok(())
}

/// The memory of this process, if the system reports it as Linux does.
fn resident() -> String {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok());
    pages.map_or_else(|| "unknown".to_owned(), |pages| format!("{:.1} MiB", pages * 4096.0 / f64::from(1 << 20)))
}
