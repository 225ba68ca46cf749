//! The URL: the driver's options, and the TLS modes that the driver does not know.

use std::time::Duration;

use http_session_store::error::ConnectError;
use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::connector::Connector;
use super::tls;

/// How long a connection may be idle before it is checked. The driver's default is two hours, so a server that vanished would
/// be noticed by the next call, at the cost of its time limit.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What to connect to, and how.
pub(super) fn parse(url: &str) -> Result<(Config, Connector), ConnectError> {
    // Checked here, because the driver also parses `host=db user=app`.
    match url.split_once(':') {
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {}
        Some(("postgres" | "postgresql", _)) => {
            return Err(ConnectError::InvalidUrl(
                "the scheme must be followed by `//`, as in `postgres://user@host/database`",
            ));
        }
        _ => return Err(ConnectError::UnknownScheme { known: &["postgres:", "postgresql:"], features: &[] }),
    }
    let (place, options) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut authorities) = ("prefer", None);
    // Taken out, because the driver knows fewer modes, and no file.
    let mut others = String::new();
    for option in options.split('&') {
        match option.split_once('=') {
            Some(("sslmode", value)) => mode = value,
            Some(("sslrootcert", value)) => authorities = Some(value),
            _ => others.extend([if others.is_empty() { "?" } else { "&" }, option]),
        }
    }
    let config = format!("{place}{others}").parse();
    let mut config: Config = config.map_err(|_| ConnectError::InvalidUrl("the PostgreSQL driver cannot parse it"))?;
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(KEEPALIVE);
    }
    let authorities = authorities.map(|file| percent_decode_str(file).decode_utf8()).transpose();
    let authorities = authorities.map_err(|_| ConnectError::InvalidUrl("its `sslrootcert` is not UTF-8"))?;
    let (ssl_mode, connector) = match (mode, authorities) {
        ("disable" | "prefer", Some(_)) => {
            return Err(ConnectError::InvalidUrl(
                "`sslrootcert` needs `sslmode=verify-full`: this `sslmode` checks no certificate",
            ));
        }
        ("disable", None) => (SslMode::Disable, Connector::Plain),
        ("prefer", None) => (SslMode::Prefer, tls::preferred()?),
        ("require" | "verify-ca" | "verify-full", file) => (SslMode::Require, tls::required(file.as_deref())?),
        _ => {
            return Err(ConnectError::InvalidUrl(
                "`sslmode` must be `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
            ));
        }
    };
    config.ssl_mode(ssl_mode);
    Ok((config, connector))
}

/// Gives each address its share of a call's time limit to accept a connection. Otherwise an address that vanished would use up
/// the whole limit of every call, and the next address would never be tried. One share more than there are hosts, because the
/// name of a host may stand for two addresses.
pub(super) fn divide_time(config: &mut Config, time_limit: Duration) {
    if config.get_connect_timeout().is_none() {
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
        let shares = u32::try_from(hosts + 1).unwrap_or(u32::MAX);
        config.connect_timeout(time_limit / shares);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        parse(url).map(|(config, _)| config.get_ssl_mode()).unwrap()
    }

    #[test]
    fn a_url_names_the_server_and_its_tls() {
        let (config, connector) =
            parse("postgres://app:secret@db:5433/shop?sslmode=disable&connect_timeout=3").unwrap();
        assert_eq!((config.get_ports(), config.get_dbname()), ([5433].as_slice(), Some("shop")));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(config.get_keepalives_idle(), KEEPALIVE);
        assert!(matches!(connector, Connector::Plain));
        assert_eq!(mode("postgresql://db/shop"), SslMode::Prefer);
        assert_eq!(mode("postgresql://db/shop?sslmode=prefer"), SslMode::Prefer);
        let given = parse("postgres://db?keepalives_idle=5").unwrap().0;
        assert_eq!(given.get_keepalives_idle(), Duration::from_secs(5));
    }

    #[test]
    fn no_address_gets_the_whole_time_limit() {
        for (url, milliseconds) in [
            // A name may have several addresses.
            ("postgres://db/shop", 1500),
            ("postgres://a,b/shop", 1000),
            ("postgres://a,b,c/shop", 750),
            ("postgres:///shop?hostaddr=10.0.0.1,10.0.0.2", 1000),
            ("postgres://a,b/shop?connect_timeout=2", 2000),
        ] {
            let mut config = parse(url).unwrap().0;
            divide_time(&mut config, Duration::from_secs(3));
            assert_eq!(config.get_connect_timeout().map(Duration::as_millis), Some(milliseconds), "{url}");
        }
    }

    #[test]
    fn r26_an_error_does_not_show_the_url() {
        for url in ["", "mysql://u:hunter2@h/d", "host=h password=hunter2"] {
            assert!(matches!(parse(url), Err(ConnectError::UnknownScheme { .. })), "{url}");
        }
        for url in [
            "postgres:hunter2",
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@h/d?sslrootcert=/nowhere",
            "postgres://u:hunter2@h/d?sslmode=prefer&sslrootcert=/nowhere",
            "postgres://u:hunter2@h/d?sslmode=often",
            "postgres://u:hunter2@h/d?unknown=1",
            "postgres://u:hunter2@h/d?sslmode=require&sslrootcert=/nowhere",
        ] {
            let Err(error @ ConnectError::InvalidUrl(_)) = parse(url).map(|_| ()) else { panic!("{url}") };
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
