//! Why a store cannot be opened, in our own words: a server may repeat what it was sent, which may be a password (R26).

use std::borrow::Cow;
use std::error::Error as _;

use ::redis::{ErrorKind, RedisError};

use http_session_store::error::StoreError;

/// Whether a person has to change something first. No attempt within the next seconds would succeed.
pub(super) fn is_mistake(error: &RedisError) -> bool {
    mistake(error).is_some()
}

/// The error that says more, of the errors of two servers. A mistake says least: the other server may be the right one, and
/// may come back. A server that answers says more than a server that is gone.
pub(super) fn more_telling(first: Option<RedisError>, second: RedisError) -> RedisError {
    match first {
        Some(first) if !is_mistake(&first) && (!first.is_io_error() || is_mistake(&second)) => first,
        _ => second,
    }
}

/// The error with its reason, for the caller who opens a store.
pub(crate) fn explained(error: StoreError) -> StoreError {
    let Some(source) = error.source().and_then(|source| source.downcast_ref::<RedisError>()) else { return error };
    let reason = mistake(source).map(Cow::Borrowed).or_else(|| match source.code() {
        // A proxy may begin its error with other words than a code.
        Some(code) if code.len() <= 16 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            Some(Cow::Owned(format!("the server answers {code}")))
        }
        Some(_) => None,
        None if source.kind() == ErrorKind::MasterNameNotFoundBySentinel => {
            Some(Cow::Borrowed("the sentinels do not know the service"))
        }
        None => StoreError::system_reason(source),
    });
    match reason {
        Some(reason) => error.with_reason(reason),
        None => error,
    }
}

fn mistake(error: &RedisError) -> Option<&'static str> {
    // Recognised by their text: the driver drops the code of an error that answers `SELECT`.
    const TEXTS: [(&str, &str); 5] = [
        ("cluster support disabled", "the server is not part of a cluster; use `redis:` instead of `redis+cluster:`"),
        (
            "not allowed in cluster mode",
            "the server is part of a cluster, which has one database; use `redis+cluster:`",
        ),
        ("unknown command", "the server lacks a command: it is too old, a proxy, or not a sentinel"),
        ("DB index is out of range", "the server has no such database"),
        ("has no permissions", "the user may not use a command"),
    ];
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => Some("the user or the password is wrong"),
        (_, Some("NOAUTH")) => Some("the server asks for a password"),
        (_, Some("NOPERM")) => Some("the user may not use a command or a key"),
        (ErrorKind::RESP3NotSupported, _) => Some("the server lacks a command: it is too old, or a proxy"),
        (ErrorKind::InvalidClientConfig, _) => Some("the driver refuses the options"),
        (_, Some("ERR")) => {
            let detail = error.detail()?;
            TEXTS.iter().find(|(text, _)| detail.contains(text)).map(|(_, meaning)| *meaning)
        }
        _ => None,
    }
}
