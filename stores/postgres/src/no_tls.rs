//! `tls` without the crate feature of that name.

use http_session_store::error::ConnectError;

use super::connector::Connector;

pub(super) const fn preferred() -> Result<Connector, ConnectError> {
    Ok(Connector::Plain)
}

pub(super) const fn required(_authorities: Option<&str>) -> Result<Connector, ConnectError> {
    Err(ConnectError::InvalidUrl(
        "its `sslmode` needs TLS, which is the crate feature `tls` of `http-session-postgres`, or `postgres-tls` of \
         `http-session`",
    ))
}
