//! URLs: one server as the driver reads them, several hosts for a cluster or sentinels.

use std::time::Duration;

use ::redis::io::tcp::socket2::TcpKeepalive;
use ::redis::{ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo};
use percent_encoding::percent_decode_str;

use super::server::Address;
use http_session_store::error::ConnectError;

pub(super) enum Target {
    Single(ConnectionInfo),
    Cluster { info: ConnectionInfo, nodes: Vec<Address> },
    Sentinel { info: ConnectionInfo, sentinel_info: Box<ConnectionInfo>, sentinels: Vec<Address>, service: String },
}

const SCHEMES: &[&str] = &[
    "redis:",
    #[cfg(feature = "tls")]
    "rediss:",
    "redis+unix:",
    "redis+cluster:",
    #[cfg(feature = "tls")]
    "rediss+cluster:",
    "redis+sentinel:",
    #[cfg(feature = "tls")]
    "rediss+sentinel:",
];

const SENTINEL_PORT: u16 = 26_379;
const PORT: u16 = 6_379;

pub(super) fn parse(url: &str) -> Result<Target, ConnectError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        let is_known = SCHEMES.iter().any(|scheme| url.starts_with(scheme));
        return Err(if is_known {
            ConnectError::InvalidUrl("after `redis:`, or what it has instead, comes `//`")
        } else {
            ConnectError::UnknownScheme { known: SCHEMES, features: &[] }
        });
    };
    if !cfg!(feature = "tls") && scheme.starts_with("rediss") {
        return Err(ConnectError::UnknownScheme { known: SCHEMES, features: &[] });
    }
    let single = |url: &str| {
        let info = url.into_connection_info();
        info.map(ours).map_err(|_| ConnectError::InvalidUrl("it is not `redis://user:password@host:port/database`"))
    };
    match scheme {
        // The driver passes over what it does not know, and would open another database than the one that was meant.
        "redis" | "rediss" if rest.contains(['?', '#']) => Err(ConnectError::InvalidUrl(
            "its database is behind a `/`, as in `redis://host/3`; in a password `?` is `%3F`, and `#` is `%23`",
        )),
        "redis+unix" if !has_options(rest, &["db", "user", "pass"]) => {
            Err(ConnectError::InvalidUrl("only `db`, `user` and `pass` come after the `?`"))
        }
        "redis" | "rediss" | "redis+unix" => single(url).map(Target::Single),
        "redis+cluster" | "rediss+cluster" => {
            let parts = Parts::of(rest)?;
            if !matches!(parts.path, "" | "0") {
                return Err(ConnectError::InvalidUrl("a cluster has no databases"));
            }
            if !parts.query.is_empty() {
                return Err(ConnectError::InvalidUrl("for a cluster nothing comes after the `?`"));
            }
            let nodes = parts.hosts(PORT)?;
            let info = single(&parts.of_first(scheme, &nodes, ""))?;
            Ok(Target::Cluster { info, nodes })
        }
        "redis+sentinel" | "rediss+sentinel" => sentinel(scheme, &Parts::of(rest)?, single),
        _ => Err(ConnectError::UnknownScheme { known: SCHEMES, features: &[] }),
    }
}

/// Whether nothing else comes after the `?`.
fn has_options(rest: &str, known: &[&str]) -> bool {
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    let mut names = options.split('&').filter(|option| !option.is_empty()).map(|option| option.split('=').next());
    names.all(|name| name.is_some_and(|name| known.contains(&name))) && !rest.contains('#')
}

fn sentinel(
    scheme: &str,
    parts: &Parts<'_>,
    single: impl Fn(&str) -> Result<ConnectionInfo, ConnectError>,
) -> Result<Target, ConnectError> {
    let (service, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    if service.is_empty() {
        return Err(ConnectError::InvalidUrl("after the hosts comes the name of the service, as in `/mymaster`"));
    }
    let sentinels = parts.hosts(SENTINEL_PORT)?;
    let info = single(&parts.of_first(scheme, &sentinels, database))?;
    let mut settings = RedisConnectionInfo::default();
    for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
        settings = match pair.split_once('=') {
            Some(("sentinel_user", user)) => settings.set_username(decoded(user)?),
            Some(("sentinel_password", password)) => settings.set_password(decoded(password)?),
            _ => {
                return Err(ConnectError::InvalidUrl(
                    "only `sentinel_user` and `sentinel_password` come after the `?`",
                ));
            }
        };
    }
    let sentinel_info = Box::new(ours(info.clone().set_redis_settings(settings)));
    Ok(Target::Sentinel { info, sentinel_info, sentinels, service: decoded(service)? })
}

/// What every connection of ours has: the protocol that tells when the server has closed it, no waiting for more to send, and
/// an end that the system notices by itself when the other side is gone.
fn ours(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    let tcp = info.tcp_settings().clone().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(Duration::from_secs(30));
    info.set_redis_settings(settings).set_tcp_settings(tcp)
}

fn decoded(text: &str) -> Result<String, ConnectError> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| ConnectError::InvalidUrl("it is not UTF-8"))
}

/// A URL of several hosts.
struct Parts<'a> {
    /// With the `@`.
    user: &'a str,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, ConnectError> {
        if rest.contains('#') {
            return Err(ConnectError::InvalidUrl("what follows the `#` means nothing"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |place| place + 1));
        Ok(Self { user, hosts, path: path.trim_end_matches('/'), query })
    }

    fn hosts(&self, port: u16) -> Result<Vec<Address>, ConnectError> {
        let host = |text: &str| {
            // With colons of its own an address stands in brackets.
            let has_port = text.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
            if has_port {
                Address::named(text, None)
            } else {
                Some(Address { host: text.trim_matches(['[', ']']).to_owned(), port })
            }
        };
        let hosts = self.hosts.split(',').map(|text| host(text).filter(|address| !address.host.is_empty()));
        hosts.collect::<Option<_>>().ok_or(ConnectError::InvalidUrl("its hosts are not `host:port,host:port`"))
    }

    /// The URL of the first host alone, for the driver.
    fn of_first(&self, scheme: &str, hosts: &[Address], database: &str) -> String {
        let scheme = scheme.split('+').next().unwrap_or_default();
        let (host, port) = hosts.first().map_or(("", 0), |address| (address.host.as_str(), address.port));
        let brackets = if host.contains(':') { ["[", "]"] } else { ["", ""] };
        let [open, close] = brackets;
        format!("{scheme}://{}{open}{host}{close}:{port}/{database}", self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[Address]) -> Vec<String> {
        list.iter().map(|address| format!("{} {}", address.host, address.port)).collect()
    }

    fn problem(url: &str) -> String {
        parse(url).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_cluster_has_several_hosts_and_one_password() {
        let Ok(Target::Cluster { info, nodes }) = parse("redis+cluster://app:p%40ss@one,two:7001,[::1]:7002,[::2]")
        else {
            panic!("a cluster");
        };
        assert_eq!(addresses(&nodes), ["one 6379", "two 7001", "::1 7002", "::2 6379"]);
        assert_eq!(info.redis_settings().username(), Some("app"));
        assert_eq!(info.redis_settings().password(), Some("p@ss"));
        assert!(problem("redis+cluster://one/3").contains("no databases"));
        assert!(problem("redis+cluster://one?db=1").contains("`?`"));
        assert!(problem("redis+cluster://one,:7000").contains("host:port"));
        assert!(problem("redis+cluster://").contains("host:port"));
    }

    #[test]
    fn sentinels_have_a_service_and_passwords_of_their_own() {
        let url = "redis+sentinel://:secret@one,two:5000/my%20service/2?sentinel_user=ada&sentinel_password=x%26y";
        let Ok(Target::Sentinel { info, sentinel_info, sentinels, service }) = parse(url) else {
            panic!("sentinels");
        };
        assert_eq!(addresses(&sentinels), ["one 26379", "two 5000"]);
        assert_eq!((service.as_str(), info.redis_settings().db()), ("my service", 2));
        assert_eq!(info.redis_settings().password(), Some("secret"));
        assert_eq!(sentinel_info.redis_settings().username(), Some("ada"));
        assert_eq!(sentinel_info.redis_settings().password(), Some("x&y"));
        assert_eq!(sentinel_info.redis_settings().db(), 0);
        assert!(problem("redis+sentinel://one").contains("name of the service"));
        assert!(problem("redis+sentinel://one/name?timeout=3").contains("sentinel_user"));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_it() {
        for url in [
            "http://app:hunter2@one",
            "hunter2",
            "redis://app:hunter2@one/three",
            "redis://:hunter2@",
            "redis:hunter2",
            "redis://:hunter2@one?db=3",
        ] {
            let problem = problem(url);
            assert!(!problem.is_empty() && !problem.contains("hunter2"), "{problem}");
        }
        assert!(problem("amqp://one").contains("`redis+cluster:`"));
        assert!(problem("redis:one").contains("comes `//`"));
        assert!(problem("redis://one?db=3").contains("behind a `/`"));
        assert!(problem("redis://:pw@one#3").contains("`%23`"));
        assert!(problem("redis+unix:///run/redis.sock?database=3").contains("`db`"));
        assert!(problem("redis+unix:///run/redis.sock?db=3&user=app&pass=a").is_empty());
    }
}
