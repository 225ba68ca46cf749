//! The URL: what the driver reads of it, and what tls it asks for.

use std::time::Duration;

use deadpool_postgres::tokio_postgres::Config;
use deadpool_postgres::tokio_postgres::config::SslMode;
use percent_encoding::percent_decode_str;

use super::connection::Connector;
use http_session_store::error::ConnectError;

/// How soon a peer that is gone is noticed on a connection without a request; the driver's default is two hours.
const KEEPALIVE: Duration = Duration::from_secs(60);
const DRIVERS_KEEPALIVE: Duration = Duration::from_secs(2 * 60 * 60);

/// What to connect to, and how.
pub(super) fn parse(url: &str) -> Result<(Config, Connector), ConnectError> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => ConnectError::InvalidUrl("after `postgres:` comes `//`"),
            _ => ConnectError::UnknownScheme { known: &["postgres:", "postgresql:"], features: &[] },
        });
    }
    let (place, options) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut authorities) = (None, None);
    // The driver knows fewer modes, and no file.
    let others: Vec<&str> = options
        .split('&')
        .filter(|option| {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => authorities = Some(value),
                _ => return true,
            }
            false
        })
        .collect();
    let rest = format!("{place}?{}", others.join("&"));
    let mut config: Config = rest
        .trim_end_matches('?')
        .parse()
        .map_err(|_| ConnectError::InvalidUrl("the driver does not understand it"))?;
    if config.get_keepalives_idle() == DRIVERS_KEEPALIVE {
        config.keepalives_idle(KEEPALIVE);
    }
    let authorities = authorities
        .map(|file| {
            percent_decode_str(file).decode_utf8().map_err(|_| ConnectError::InvalidUrl("`sslrootcert` is no text"))
        })
        .transpose()?;
    if authorities.is_some() && matches!(mode, None | Some("disable" | "prefer")) {
        return Err(ConnectError::InvalidUrl(
            "with `sslrootcert` comes `sslmode=verify-full`: else nothing is verified",
        ));
    }
    let connector = match mode.unwrap_or("prefer") {
        "disable" => {
            config.ssl_mode(SslMode::Disable);
            Connector::Plain
        }
        "prefer" => {
            config.ssl_mode(SslMode::Prefer);
            tls::preferred()?
        }
        "require" | "verify-ca" | "verify-full" => {
            config.ssl_mode(SslMode::Require);
            tls::required(authorities.as_deref())?
        }
        _ => {
            return Err(ConnectError::InvalidUrl(
                "`sslmode` is one of `disable`, `prefer`, `require`, `verify-ca`, `verify-full`",
            ));
        }
    };
    Ok((config, connector))
}

/// Each address has its share of a call's time to accept a connection: one that is gone without a word would else use up all
/// of it, at every call, and the next one would never be asked. A name may stand for two addresses.
pub(super) fn divide_time(config: &mut Config, time_limit: Duration) {
    if config.get_connect_timeout().is_none() {
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
        let shares = u32::try_from(hosts + 1).unwrap_or(u32::MAX);
        config.connect_timeout(time_limit / shares);
    }
}

#[cfg(feature = "tls")]
use super::tls;

/// Without tls.
#[cfg(not(feature = "tls"))]
mod tls {
    use super::{ConnectError, Connector};

    pub(super) const fn preferred() -> Result<Connector, ConnectError> {
        Ok(Connector::Plain)
    }

    pub(super) const fn required(_authorities: Option<&str>) -> Result<Connector, ConnectError> {
        Err(ConnectError::InvalidUrl("its `sslmode` asks for tls, for which there is the crate feature `postgres-tls`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        parse(url).map(|(config, _)| config.get_ssl_mode()).unwrap()
    }

    #[test]
    fn urls_say_where_and_whether_with_tls() {
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
    fn no_address_has_the_whole_limit() {
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
    fn r26_a_url_that_is_refused_is_not_shown() {
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
