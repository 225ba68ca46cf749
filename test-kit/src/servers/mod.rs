//! Real servers for the tests of stores, and a proxy that breaks connections to them.
//!
//! A test asks for a server with the words for what: the one of a variable, else one that is started from the installed
//! programs. Where there is none the test does not run, and one line on stderr says so; with `CI=true` it fails.
//!
//! ```text
//! let Some(redis) = servers::redis("commits in one round trip") else { return };
//! ```

mod certificate;
mod cluster;
#[cfg(test)]
mod leaving;
mod pgbouncer;
mod postgres;
mod process;
#[cfg(test)]
mod proxied;
mod proxy;
mod redis;
mod sentinel;
#[cfg(test)]
mod tests;

pub use cluster::Cluster;
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, psql};
pub use process::wait_until;
pub use proxy::{Counts, Proxy};
pub use redis::{Redis, Reply};
pub use sentinel::Sentinel;

use std::io::Write as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// A server that all tests of this binary share, so a test keeps to keys or a schema of its own.
#[derive(Clone, Debug)]
pub struct Shared(String);

impl Shared {
    pub fn url(&self) -> &str {
        &self.0
    }

    /// The host and port of its URL, the first of several.
    ///
    /// # Panics
    ///
    /// When the variable has no URL with a host and a port in it.
    pub fn address(&self) -> SocketAddr {
        let host = self.0[hosts(&self.0)].split(',').next().unwrap_or_default();
        let found = host.to_socket_addrs().ok().and_then(|mut found| found.next());
        found.expect("the variable has a URL with a host and a port")
    }

    /// The URL with another host and port: a [`Proxy`]'s.
    pub fn url_through(&self, address: SocketAddr) -> String {
        url_through(&self.0, address)
    }
}

/// Where the hosts and ports of a URL are: after user and password.
fn hosts(url: &str) -> Range<usize> {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |length| start + length);
    url[start..end].rfind('@').map_or(start, |at| start + at + 1)..end
}

/// A URL with its host and port replaced.
pub fn url_through(url: &str, address: SocketAddr) -> String {
    let mut through = url.to_owned();
    through.replace_range(hosts(url), &address.to_string());
    through
}

/// What to install, and which variable names a server instead.
struct Family {
    name: &'static str,
    variable: &'static str,
}

const REDIS: Family = Family { name: "redis-server", variable: "HTTP_SESSION_TEST_REDIS_URL" };
const POSTGRES: Family = Family { name: "postgresql", variable: "HTTP_SESSION_TEST_POSTGRES_URL" };
const CLUSTER: Family = Family { name: "redis-server", variable: "HTTP_SESSION_TEST_REDIS_CLUSTER_URL" };
const SENTINEL: Family = Family { name: "redis-server", variable: "HTTP_SESSION_TEST_SENTINEL_URL" };
const PGBOUNCER: Family = Family { name: "pgbouncer", variable: "HTTP_SESSION_TEST_PGBOUNCER_URL" };

impl Family {
    /// Says that a test is not run.
    ///
    /// # Panics
    ///
    /// With `CI=true`.
    fn missing(purpose: &str, name: &str, remedy: &str) {
        let missing = format!("{purpose}: no {name} on this machine ({remedy})");
        assert!(!is_ci(), "{missing}");
        // Not `eprintln`, which is kept from the terminal while the test passes.
        let _ = writeln!(std::io::stderr(), "not run: {missing}");
    }

    /// A private server is made of installed programs, whatever the variable says.
    fn program(&self, purpose: &str, found: Option<PathBuf>) -> Option<PathBuf> {
        self.usable(purpose, found, "install it with .ci/servers")
    }

    /// The programs, if there is also what ends them.
    fn usable(&self, purpose: &str, found: Option<PathBuf>, remedy: &str) -> Option<PathBuf> {
        if let Some(name) = found.is_none().then_some(self.name).or_else(process::missing) {
            Self::missing(purpose, name, remedy);
            return None;
        }
        found
    }

    /// The server of the variable, else the one in `place`, which the first test starts.
    fn shared<T: Sync>(
        &self,
        purpose: &str,
        place: &'static OnceLock<T>,
        found: Option<PathBuf>,
        start: impl FnOnce(PathBuf) -> T,
        url: impl FnOnce(&T) -> String,
    ) -> Option<Shared> {
        if let Ok(url) = std::env::var(self.variable) {
            return Some(Shared(url));
        }
        let remedy = format!("{}, or install it with .ci/servers", self.variable);
        let program = self.usable(purpose, found, &remedy)?;
        Some(Shared(url(place.get_or_init(|| start(program)))))
    }
}

/// Whether a variable names the server of this URL: it was there before, and stays.
pub fn is_given(url: &str) -> bool {
    let families = [REDIS, POSTGRES, CLUSTER, SENTINEL, PGBOUNCER];
    families.iter().any(|family| std::env::var(family.variable).is_ok_and(|given| given == url))
}

/// Whether this is a run of `.ci/run`, in which no test may be left out.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
}

/// In CI, each of these must be the start of an installed version.
fn require_in_ci<'a>(name: &str, wanted: &[&str], installed: impl Iterator<Item = &'a str>) {
    let installed: Vec<_> = installed.collect();
    for start in wanted {
        let found = installed.iter().any(|version| version.starts_with(start));
        assert!(found || !is_ci(), "no {name} {start}x among {installed:?}: `.ci/servers` installs it");
    }
}

/// All installed versions of Redis, the oldest first.
pub fn redis_versions(purpose: &str) -> Vec<redis::Version> {
    redis::versions(purpose)
}

/// All installed versions of PostgreSQL, first the one that the other tests have.
pub fn postgres_versions(purpose: &str) -> Vec<postgres::Version> {
    postgres::versions(purpose)
}

/// The shared Redis.
pub fn redis(purpose: &str) -> Option<Shared> {
    static SHARED: OnceLock<Redis> = OnceLock::new();
    REDIS.shared(purpose, &SHARED, redis::program(), |program| Redis::options().run(&program), Redis::url)
}

/// The shared PostgreSQL.
pub fn postgres(purpose: &str) -> Option<Shared> {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    POSTGRES.shared(purpose, &SHARED, postgres::folder(), |folder| Postgres::options().run(&folder), Postgres::url)
}

/// A shared server that a loaded machine keeps from answering for less than this is not replaced.
const PATIENCE: Duration = Duration::from_secs(15);

/// The shared Redis Cluster.
pub fn redis_cluster(purpose: &str) -> Option<Shared> {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.shared(purpose, &SHARED, redis::program(), |program| Cluster::run(&program, PATIENCE), Cluster::url)
}

/// The shared Redis with Sentinel.
pub fn redis_sentinel(purpose: &str) -> Option<Shared> {
    static SHARED: OnceLock<Sentinel> = OnceLock::new();
    SENTINEL.shared(purpose, &SHARED, redis::program(), |program| Sentinel::run(&program, PATIENCE), Sentinel::url)
}

/// The shared pgbouncer, in transaction mode.
pub fn pgbouncer(purpose: &str) -> Option<Shared> {
    static SHARED: OnceLock<PgBouncer> = OnceLock::new();
    PGBOUNCER.shared(purpose, &SHARED, pgbouncer::program(), |program| PgBouncer::run(&program), PgBouncer::url)
}
