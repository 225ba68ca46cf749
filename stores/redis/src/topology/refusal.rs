//! What an error reply means for the next attempt. A server that answers with an error has executed nothing.

use ::redis::RedisError;

use http_session_store::error::StoreErrorKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another server has the slot.
    Moved,
    /// The slot is being moved, and the key may be on another server already: ask there, this once.
    Ask,
    /// The script is not loaded.
    NoScript,
    /// The server is not the primary, or does not serve the slot.
    WrongServer,
    /// A later attempt may succeed.
    Busy,
    /// No attempt would succeed.
    Final(StoreErrorKind),
}

impl Refusal {
    pub(super) fn of(error: &RedisError) -> Self {
        match code(error) {
            "MOVED" => Self::Moved,
            "ASK" => Self::Ask,
            "NOSCRIPT" => Self::NoScript,
            "READONLY" | "CLUSTERDOWN" | "MASTERDOWN" => Self::WrongServer,
            "LOADING" | "TRYAGAIN" | "BUSY" => Self::Busy,
            "WRONGTYPE" => Self::Final(StoreErrorKind::Corrupt),
            "OOM" => Self::Final(StoreErrorKind::Full),
            // The disk is full, or the server has fewer replicas than its settings demand.
            "MISCONF" | "NOREPLICAS" => Self::Final(StoreErrorKind::Unavailable),
            _ => Self::Final(StoreErrorKind::Refused),
        }
    }
}

/// The code of an error, also of an error inside a script. Redis 6.2 puts that code in the middle of the text, perhaps after a
/// dash: `ERR Error running script (call to f_1f3c): @user_script:12: @user_script: 12: -READONLY You can't write ..`.
fn code(error: &RedisError) -> &str {
    const CODES_IN_SCRIPTS: [&str; 5] = ["READONLY", "OOM", "MISCONF", "NOREPLICAS", "WRONGTYPE"];
    let code = error.code().unwrap_or_default();
    let script_error = error.detail().filter(|detail| code == "ERR" && detail.starts_with("Error running script"));
    let inner = script_error.and_then(|detail| {
        let mut parts = detail.split(": ").map(|part| part.trim_start_matches('-'));
        parts.find_map(|part| CODES_IN_SCRIPTS.into_iter().find(|inner| part.starts_with(inner)))
    });
    inner.unwrap_or(code)
}
