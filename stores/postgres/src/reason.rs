//! Why a store could not be opened, in words of our own: a driver's message may hold the URL with its password (R26).

use std::error::Error as _;

use http_session_store::error::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::retry::{is_authentication, is_invalid_configuration, is_tls};

/// The error with its reason, if that is known.
pub(super) fn explain(error: StoreError) -> StoreError {
    let Some(first) = error.source() else { return error };
    let mut sources = std::iter::successors(Some(first), |&error| error.source());
    let driver = sources.find_map(|source| source.downcast_ref::<Error>());
    let reason = match (driver, driver.and_then(Error::code).map(SqlState::code)) {
        (_, Some("28P01")) => "the user or the password is wrong".into(),
        (_, Some("28000")) => {
            "the server does not accept this user over this connection, perhaps for lack of TLS".into()
        }
        (_, Some("3D000")) => "the database does not exist".into(),
        (_, Some("42501")) => "the role lacks a right".into(),
        (_, Some("53300")) => "the server has no connection left".into(),
        (_, Some("57P03")) => "the server is starting or shutting down".into(),
        (_, Some(code)) if is_code(code) => format!("the server answered with the error code {code}").into(),
        (_, Some(_)) => return error,
        (Some(driver), None) if is_invalid_configuration(driver) => {
            "the URL lacks a host, a user or a password, or does not have one port for each host".into()
        }
        (Some(driver), None) if is_authentication(driver) => {
            "the server wants an authentication method that is not supported, or failed to authenticate itself".into()
        }
        (Some(driver), None) if is_tls(driver) => StoreError::TLS_FAILED.into(),
        (_, None) => match StoreError::system_reason(first) {
            Some(reason) => reason,
            None => return error,
        },
    };
    error.with_reason(reason)
}

/// Whether it is an error code of PostgreSQL. A server that is not PostgreSQL may send any text as the code.
fn is_code(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
