//! What an error of the driver or the server means, and whether the statement may be sent again.

use std::fmt::Display;

use deadpool_postgres::PoolError;
use http_session_store::error::{StoreError, StoreErrorKind};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// Whether a statement writes, which decides what it means if its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
}

impl Operation {
    /// The answer was lost. A write may have happened or not (R10).
    const fn without_answer(self) -> StoreErrorKind {
        match self {
            Self::Read => StoreErrorKind::Unavailable,
            Self::Write => StoreErrorKind::Unknown,
        }
    }
}

/// Whether a statement may be sent again: only if it is known that it did nothing (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// It met another transaction, or the server is still starting.
    AfterPause,
    /// This connection cannot carry it out, or is gone.
    OnAnotherConnection,
    /// The server no longer has what was prepared, or the table has changed since.
    PreparedAgain,
}

/// Why one attempt at a statement failed.
pub(super) struct AttemptError {
    pub(super) error: StoreError,
    pub(super) retry: Retry,
    /// The connection must not go back to the pool.
    pub(super) ends_connection: bool,
}

impl AttemptError {
    fn new(kind: StoreErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>, retry: Retry) -> Self {
        Self { error: StoreError::new(kind).with_source(source), retry, ends_connection: false }
    }

    /// A statement was sent, and an error came back.
    pub(super) fn of_statement(error: Error, operation: Operation) -> Self {
        let refusal = refusal(&error).map(|refusal| refused(refusal.code()));
        let (kind, retry) = refusal.unwrap_or_else(|| {
            // The connection is gone, or about to go. A transaction may have been committed before.
            let retry = if operation == Operation::Read { Retry::OnAnotherConnection } else { Retry::Never };
            (operation.without_answer(), retry)
        });
        let ends_connection = refusal.is_none() || retry == Retry::OnAnotherConnection;
        Self { ends_connection, ..Self::new(kind, error, retry) }
    }

    /// There is no connection: nothing was sent.
    pub(super) fn of_connection(error: PoolError) -> Self {
        let (kind, retry) = match &error {
            PoolError::Backend(error) => unconnected(error.code(), error),
            _ => (StoreErrorKind::Unavailable, Retry::Never),
        };
        Self::new(kind, error, retry)
    }

    /// The time limit ended before there was a connection: nothing was sent.
    pub(super) fn no_connection_in_time() -> Self {
        Self::new(StoreErrorKind::Unavailable, timed_out(), Retry::Never)
    }

    /// The time limit ended before the answer came.
    pub(super) fn no_answer_in_time(operation: Operation) -> Self {
        Self::new(operation.without_answer(), timed_out(), Retry::Never)
    }
}

/// The server's error, if it ended the transaction without a write and left the connection open. After FATAL and PANIC the
/// connection ends, although the end may not have arrived yet.
fn refusal(error: &Error) -> Option<&DbError> {
    let error = error.as_db_error().filter(|error| error.parsed_severity() == Some(Severity::Error))?;
    (!leaves_open(error.code())).then_some(error)
}

/// Errors that leave open what became of the transaction. They come from proxies, and from servers that only speak the
/// protocol of PostgreSQL.
fn leaves_open(code: &SqlState) -> bool {
    *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN || code.code().starts_with("08")
}

fn refused(code: &SqlState) -> (StoreErrorKind, Retry) {
    use StoreErrorKind::{Corrupt, Full, Refused, Unavailable};
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => (Unavailable, Retry::AfterPause),
        // A standby, or a primary that has become a standby: the next connection may lead to the new primary.
        SqlState::READ_ONLY_SQL_TRANSACTION => (Unavailable, Retry::OnAnotherConnection),
        // The last is "cached plan must not change result type".
        SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT | SqlState::FEATURE_NOT_SUPPORTED => {
            (Refused, Retry::PreparedAgain)
        }
        SqlState::DISK_FULL => (Full, Retry::Never),
        ref other => {
            let class = other.code().get(..2);
            let kind = match class {
                // Data that cannot be right: another program wrote this row.
                Some("22") => Corrupt,
                // Resources, locks, an operator (or our own request to cancel), the system, an internal error.
                Some("53" | "55" | "57" | "58" | "XX") => Unavailable,
                _ => Refused,
            };
            (kind, Retry::Never)
        }
    }
}

fn unconnected(code: Option<&SqlState>, error: &dyn Display) -> (StoreErrorKind, Retry) {
    let kind = match code.and_then(|code| code.code().get(..2)) {
        // Authentication, a database that does not exist, a right.
        Some("28" | "3D" | "42") => StoreErrorKind::Refused,
        None if is_invalid_configuration(error) || is_authentication(error) => StoreErrorKind::Refused,
        _ => StoreErrorKind::Unavailable,
    };
    (kind, if code == Some(&SqlState::CANNOT_CONNECT_NOW) { Retry::AfterPause } else { Retry::Never })
}

// The driver keeps the kind of an error to itself, except in the first words of its text.

/// The URL lacks a password that the server asks for, for example.
pub(super) fn is_invalid_configuration(error: &dyn Display) -> bool {
    error.to_string().starts_with("invalid configuration")
}

/// The server does not prove that it knows the password, for example.
pub(super) fn is_authentication(error: &dyn Display) -> bool {
    error.to_string().starts_with("authentication error")
}

pub(super) fn is_tls(error: &dyn Display) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

fn timed_out() -> std::io::Error {
    std::io::ErrorKind::TimedOut.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_refused_if_somebody_has_to_change_something() {
        let kind = |code: Option<&str>, text| {
            let code = code.map(SqlState::from_code);
            unconnected(code.as_ref(), &text)
        };
        let (refused, unavailable) = (StoreErrorKind::Refused, StoreErrorKind::Unavailable);
        for code in ["28P01", "28000", "3D000", "42501"] {
            assert_eq!(kind(Some(code), "db error"), (refused, Retry::Never), "{code}");
        }
        assert_eq!(kind(None, "invalid configuration"), (refused, Retry::Never));
        assert_eq!(kind(None, "error connecting to server"), (unavailable, Retry::Never));
        assert_eq!(kind(Some("53300"), "db error"), (unavailable, Retry::Never));
        assert_eq!(kind(Some("57P03"), "db error"), (unavailable, Retry::AfterPause));
    }

    #[test]
    fn r10_only_a_statement_that_did_nothing_is_sent_again() {
        use StoreErrorKind::{Corrupt, Full, Refused, Unavailable};
        for (code, kind, retry) in [
            ("40001", Unavailable, Retry::AfterPause),
            ("40P01", Unavailable, Retry::AfterPause),
            ("25006", Unavailable, Retry::OnAnotherConnection),
            ("26000", Refused, Retry::PreparedAgain),
            ("0A000", Refused, Retry::PreparedAgain),
            ("53100", Full, Retry::Never),
            ("53200", Unavailable, Retry::Never),
            ("57014", Unavailable, Retry::Never),
            ("55P03", Unavailable, Retry::Never),
            ("58030", Unavailable, Retry::Never),
            ("22023", Corrupt, Retry::Never),
            ("42P01", Refused, Retry::Never),
            ("42501", Refused, Retry::Never),
            ("23505", Refused, Retry::Never),
        ] {
            assert_eq!(refused(&SqlState::from_code(code)), (kind, retry), "{code}");
        }
        for code in ["40003", "08007", "08006", "08P01"] {
            assert!(leaves_open(&SqlState::from_code(code)), "{code}");
        }
        assert!(!leaves_open(&SqlState::T_R_SERIALIZATION_FAILURE));
        let without_answer = (Operation::Read.without_answer(), Operation::Write.without_answer());
        assert_eq!(without_answer, (Unavailable, StoreErrorKind::Unknown));
    }
}
