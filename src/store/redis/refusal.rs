//! What a server says when it does not do what it was asked for: then nothing has happened.

use ::redis::{ErrorKind, RedisError};

use crate::error::StoreErrorKind;

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

/// Whether it is for the operator to mend: no attempt of the next seconds would fare better.
pub(super) fn is_mistake(error: &RedisError) -> bool {
    // Of a server that is no cluster, one that is no sentinel, and of `SELECT`, whose own code the driver leaves out.
    const SAID: [&str; 4] =
        ["cluster support disabled", "unknown command", "DB index is out of range", "has no permissions"];
    let is_said = |detail: &str| SAID.iter().any(|said| detail.contains(said));
    matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig)
        || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"))
        || error.code() == Some("ERR") && error.detail().is_some_and(is_said)
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
