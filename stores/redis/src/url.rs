//! URLs of one server, of a cluster, and of sentinels. The driver parses each host; lists of hosts are split here.

use std::time::Duration;

use ::redis::io::tcp::socket2::TcpKeepalive;
use ::redis::{ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo};
use percent_encoding::percent_decode_str;

use crate::topology::Address;
use http_session_store::error::ConnectError;

pub(crate) enum Target {
    Single(ConnectionInfo),
    Cluster { info: ConnectionInfo, seeds: Vec<Address> },
    Sentinels { info: ConnectionInfo, sentinel_info: Box<ConnectionInfo>, sentinels: Vec<Address>, service: String },
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

const SERVER_PORT: u16 = 6_379;
const SENTINEL_PORT: u16 = 26_379;

pub(crate) fn parse(url: &str) -> Result<Target, ConnectError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    if !SCHEMES.iter().any(|known| known.strip_suffix(':') == Some(scheme)) {
        return Err(ConnectError::UnknownScheme { known: SCHEMES, features: &[] });
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(ConnectError::InvalidUrl("the scheme must be followed by `//`, as in `redis://host`"));
    };
    // The driver ignores what it does not know, and would then open another database than the one that was meant.
    if rest.contains('#') {
        return Err(ConnectError::InvalidUrl("it has a `#`; in a user or a password, `#` is written `%23`"));
    }
    let parts = Parts::split(scheme, rest);
    match scheme {
        "redis+unix" if parts.options().any(|option| !matches!(option.0, "db" | "user" | "pass")) => {
            Err(ConnectError::InvalidUrl("the only query parameters are `db`, `user` and `pass`"))
        }
        "redis" | "rediss" if rest.contains('?') => Err(ConnectError::InvalidUrl(
            "it has a query; a database is written `redis://host/3`, and a `?` in a password `%3F`",
        )),
        "redis" | "rediss" | "redis+unix" => {
            let info = url.into_connection_info();
            let info =
                info.map_err(|_| ConnectError::InvalidUrl("it is not `redis://user:password@host:port/database`"));
            Ok(Target::Single(with_own_settings(info?)))
        }
        "redis+cluster" | "rediss+cluster" => {
            if !matches!(parts.path, "" | "0") {
                return Err(ConnectError::InvalidUrl("a cluster has no databases"));
            }
            if !parts.query.is_empty() {
                return Err(ConnectError::InvalidUrl("a cluster has no query parameters"));
            }
            let (info, seeds) = parts.hosts(SERVER_PORT, "")?;
            Ok(Target::Cluster { info, seeds })
        }
        _ => sentinels(&parts),
    }
}

fn sentinels(parts: &Parts<'_>) -> Result<Target, ConnectError> {
    let (service, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    if service.is_empty() {
        return Err(ConnectError::InvalidUrl("the name of the service is missing after the hosts, as in `/mymaster`"));
    }
    let (info, sentinels) = parts.hosts(SENTINEL_PORT, database)?;
    let mut settings = RedisConnectionInfo::default();
    for option in parts.options() {
        settings = match option {
            ("sentinel_user", user) => settings.set_username(decoded(user)?),
            ("sentinel_password", password) => settings.set_password(decoded(password)?),
            _ => {
                return Err(ConnectError::InvalidUrl(
                    "the only query parameters are `sentinel_user` and `sentinel_password`",
                ));
            }
        };
    }
    let sentinel_info = Box::new(with_own_settings(info.clone().set_redis_settings(settings)));
    Ok(Target::Sentinels { info, sentinel_info, sentinels, service: decoded(service)? })
}

/// Sets what every connection has: RESP3, with which the driver tells that the server has closed the connection; no delay
/// before data is sent; and limits after which the system closes a connection whose other side is gone.
fn with_own_settings(info: ConnectionInfo) -> ConnectionInfo {
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

/// A URL with several hosts.
struct Parts<'a> {
    /// `redis` or `rediss`: what the driver knows.
    scheme: &'a str,
    /// User and password, with the `@`.
    user: &'a str,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn split(scheme: &'a str, rest: &'a str) -> Self {
        let scheme = scheme.split('+').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Self { scheme, user, hosts, path: path.trim_end_matches('/'), query }
    }

    /// The query parameters, still percent-encoded.
    fn options(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let options = self.query.split('&').filter(|option| !option.is_empty());
        options.map(|option| option.split_once('=').unwrap_or((option, "")))
    }

    /// The options of the first host, and the addresses of all.
    fn hosts(&self, default_port: u16, database: &str) -> Result<(ConnectionInfo, Vec<Address>), ConnectError> {
        let invalid =
            || ConnectError::InvalidUrl("it is not `redis+cluster://user:password@host:port,host:port` or the like");
        let infos = self.hosts.split(',').map(|host| {
            // A colon inside brackets belongs to an IPv6 address.
            let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
            let port = if has_port { String::new() } else { format!(":{default_port}") };
            format!("{}://{}{host}{port}/{database}", self.scheme, self.user).into_connection_info()
        });
        let infos: Vec<_> = infos.collect::<Result<_, _>>().map_err(|_| invalid())?;
        let addresses = infos.iter().filter_map(Address::of).collect();
        let first = infos.into_iter().next().ok_or_else(invalid)?;
        Ok((with_own_settings(first), addresses))
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
        let Ok(Target::Cluster { info, seeds }) = parse("redis+cluster://app:p%40ss@one,two:7001,[::1]:7002,[::2]")
        else {
            panic!("a cluster");
        };
        assert_eq!(addresses(&seeds), ["one 6379", "two 7001", "::1 7002", "::2 6379"]);
        assert_eq!(info.redis_settings().username(), Some("app"));
        assert_eq!(info.redis_settings().password(), Some("p@ss"));
        assert!(problem("redis+cluster://one/3").contains("no databases"));
        assert!(problem("redis+cluster://one?db=1").contains("no query parameters"));
        assert!(problem("redis+cluster://one,:7000").contains("host:port"));
        assert!(problem("redis+cluster://").contains("host:port"));
    }

    #[test]
    fn sentinels_have_a_service_and_passwords_of_their_own() {
        let url = "redis+sentinel://:secret@one,two:5000/my%20service/2?sentinel_user=ada&sentinel_password=x%26y";
        let Ok(Target::Sentinels { info, sentinel_info, sentinels, service }) = parse(url) else {
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
    fn an_error_explains_the_url_without_repeating_it() {
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
        assert!(problem("redis:one").contains("followed by `//`"));
        assert!(problem("redis://one?db=3").contains("`redis://host/3`"));
        assert!(problem("redis://:pw@one#3").contains("`%23`"));
        assert!(problem("redis+unix:///run/redis.sock?database=3").contains("`db`"));
        assert!(problem("redis+unix:///run/redis.sock?db=3&user=app&pass=a").is_empty());
    }
}
