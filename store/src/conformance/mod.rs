//! Whether a store keeps the contract: every rule that concerns stores, in one call.
//!
//! ```
//! use http_session_store::MemoryStore;
//! use http_session_store::clock::ManualClock;
//! use http_session_store::conformance::Suite;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let clock = ManualClock::new();
//! let store = MemoryStore::new().clock(clock.clone());
//! let report = Suite::new(store)
//!     // What the store promises. Each is a trait that it implements.
//!     .enumerates()
//!     .indexes()
//!     .express()
//!     .clock(move |by| clock.advance(by))
//!     .run()
//!     .await;
//! report.assert();
//! # });
//! # Ok::<_, std::io::Error>(())
//! ```
//!
//! Each check uses sessions of its own, under random ids, and destroys them when it is over. So the store may hold other sessions,
//! and the suite may run more than once at the same time. Races run in threads of their own. Any runtime of tokio will do, if
//! its timer is enabled.

// From below: time, records; result, setup, run; check; checks; report, suite.
mod check;
mod checks;
mod records;
mod report;
mod result;
mod run;
mod setup;
mod suite;
mod time;

pub use report::{Finding, Outcome, Report};
pub use suite::Suite;
