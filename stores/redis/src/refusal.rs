//! What a server says when it does not do what it was asked for: then nothing has happened.

use std::borrow::Cow;
use std::error::Error as _;

use ::redis::{ErrorKind, RedisError};

use http_session_store::error::{StoreError, StoreErrorKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another server has the slot.
    Moved,
    /// Another server may have the key already: ask there, this once.
    Ask,
    /// The script is not loaded.
    NoScript,
    /// It is not the primary, or does not serve the slot.
    Elsewhere,
    /// Not now.
    Later,
    Final(StoreErrorKind),
}

impl Refusal {
    pub(super) fn of(error: &RedisError) -> Self {
        match code(error) {
            "MOVED" => Self::Moved,
            "ASK" => Self::Ask,
            "NOSCRIPT" => Self::NoScript,
            "READONLY" | "CLUSTERDOWN" | "MASTERDOWN" => Self::Elsewhere,
            "LOADING" | "TRYAGAIN" | "BUSY" => Self::Later,
            "WRONGTYPE" => Self::Final(StoreErrorKind::Corrupt),
            "OOM" => Self::Final(StoreErrorKind::Full),
            // The disk is full, or replicas are missing that the settings ask for.
            "MISCONF" | "NOREPLICAS" => Self::Final(StoreErrorKind::Unavailable),
            _ => Self::Final(StoreErrorKind::Refused),
        }
    }
}

/// Whether somebody has to change something: no attempt of the next seconds would fare better.
pub(super) fn is_mistake(error: &RedisError) -> bool {
    mistake(error).is_some()
}

/// Whether, of what two of several servers said, the first is to be forgotten: one that answers wrongly is no reason to give up
/// while others may come back, and one that is gone says less than any that answers.
pub(super) fn is_worse(known: &RedisError, other: &RedisError) -> bool {
    is_mistake(known) || known.is_io_error() && !is_mistake(other)
}

/// What that is. In words of ours: a server may repeat what it was sent, and that may be a password (R26).
fn mistake(error: &RedisError) -> Option<&'static str> {
    // The driver leaves out the code of what `SELECT` is answered.
    const SAID: [(&str, &str); 5] = [
        ("cluster support disabled", "the server is not part of a cluster, as `redis+cluster:` says"),
        (
            "not allowed in cluster mode",
            "the server is part of a cluster, which has one database: use `redis+cluster:`",
        ),
        (
            "unknown command",
            "the server lacks a command: it is too old, a proxy, or no sentinel as `redis+sentinel:` says",
        ),
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
            SAID.iter().find(|(said, _)| detail.contains(said)).map(|(_, meaning)| *meaning)
        }
        _ => None,
    }
}

/// With the reason, for whoever opens a store.
pub(super) fn explained(error: StoreError) -> StoreError {
    let Some(source) = error.source().and_then(|source| source.downcast_ref::<RedisError>()) else { return error };
    let reason = mistake(source).map(Cow::Borrowed).or_else(|| match source.code() {
        // Where it is one: a proxy may begin with other words.
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

/// The code of an error, also of one inside of a script: up to 6.2 it stands in the middle of the text, perhaps after a dash,
/// as in `ERR Error running script (call to f_1f3c): @user_script:12: @user_script: 12: -READONLY You can't write ..`.
fn code(error: &RedisError) -> &str {
    const INSIDE: [&str; 5] = ["READONLY", "OOM", "MISCONF", "NOREPLICAS", "WRONGTYPE"];
    let code = error.code().unwrap_or_default();
    let script = error.detail().filter(|detail| code == "ERR" && detail.starts_with("Error running script"));
    let inside = script.and_then(|detail| {
        let mut parts = detail.split(": ").map(|part| part.trim_start_matches('-'));
        parts.find_map(|part| INSIDE.into_iter().find(|inside| part.starts_with(inside)))
    });
    inside.unwrap_or(code)
}
