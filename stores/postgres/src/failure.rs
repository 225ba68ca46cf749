//! What an error of the driver or the server means, and whether the statement may be sent again.

use std::error::Error as _;
use std::fmt::Display;

use deadpool_postgres::PoolError;
use deadpool_postgres::tokio_postgres::Error;
use deadpool_postgres::tokio_postgres::error::{DbError, Severity, SqlState};

use http_session_store::error::{StoreError, StoreErrorKind};

/// What is lost when an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    /// Nobody knows what became of the statement (R10).
    pub(super) const fn lost(self) -> StoreErrorKind {
        match self {
            Self::Read => StoreErrorKind::Unavailable,
            Self::Write => StoreErrorKind::Unknown,
        }
    }
}

/// Whether a statement may be sent again: only where it is known that it did nothing (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    No,
    /// It was in the way of another one, or the server is not up yet.
    Soon,
    /// This connection is of no use.
    Elsewhere,
    /// What was prepared no longer fits.
    Afresh,
}

pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) again: Again,
}

/// Of a statement that was sent.
pub(super) fn of_statement(error: Error, access: Access) -> Failure {
    let (kind, again) = match refusal(&error) {
        // The end of the transaction: nothing of it was written.
        Some(said) => refused(said.code()),
        // The connection is gone. With FATAL too the transaction may have been committed before.
        None => (access.lost(), if access == Access::Read { Again::Elsewhere } else { Again::No }),
    };
    Failure { error: StoreError::new(kind).with_source(error), again }
}

/// Whether the connection may be used after this error. After FATAL its end may not have arrived yet.
pub(super) fn leaves_connection(error: &Error) -> bool {
    refusal(error).is_some()
}

/// An error that does not end the connection.
fn refusal(error: &Error) -> Option<&DbError> {
    error.as_db_error().filter(|said| said.parsed_severity() == Some(Severity::Error) && !is_open(said.code()))
}

/// Errors that say that nobody knows what became of the transaction: of proxies, and of servers that only speak like
/// PostgreSQL.
fn is_open(code: &SqlState) -> bool {
    *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN || code.code().starts_with("08")
}

fn refused(code: &SqlState) -> (StoreErrorKind, Again) {
    use StoreErrorKind::{Corrupt, Full, Refused, Unavailable};
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => (Unavailable, Again::Soon),
        // A standby, or a primary that has become one: the next connection may lead to the new primary.
        SqlState::READ_ONLY_SQL_TRANSACTION => (Unavailable, Again::Elsewhere),
        SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT | SqlState::FEATURE_NOT_SUPPORTED => {
            (Refused, Again::Afresh)
        }
        SqlState::DISK_FULL => (Full, Again::No),
        ref other => {
            // The class.
            let kind = match other.code().get(..2) {
                // Data: a row that somebody else wrote.
                Some("22") => Corrupt,
                // Resources, an operator's intervention (and our own, after the time limit), locks, the system.
                Some("53" | "55" | "57" | "58" | "XX") => Unavailable,
                _ => Refused,
            };
            (kind, Again::No)
        }
    }
}

/// Of looking for a connection: nothing was sent.
pub(super) fn of_connection(error: PoolError) -> Failure {
    let (kind, again) = match &error {
        PoolError::Backend(error) => unconnected(error.code(), error),
        _ => (StoreErrorKind::Unavailable, Again::No),
    };
    Failure { error: StoreError::new(kind).with_source(error), again }
}

fn unconnected(code: Option<&SqlState>, error: &dyn Display) -> (StoreErrorKind, Again) {
    let kind = match code.and_then(|code| code.code().get(..2)) {
        // Who may not, or to a database that there is not.
        Some("28" | "3D" | "42") => StoreErrorKind::Refused,
        // The driver has no other words for a password that the URL lacks, and for a server that does not prove that it knows it.
        None if is_one_of(error, &["invalid configuration", "authentication error"]) => StoreErrorKind::Refused,
        _ => StoreErrorKind::Unavailable,
    };
    (kind, if code == Some(&SqlState::CANNOT_CONNECT_NOW) { Again::Soon } else { Again::No })
}

/// The time for a connection is over: nothing was sent.
pub(super) fn no_connection() -> Failure {
    Failure { error: late(StoreErrorKind::Unavailable), again: Again::No }
}

/// The time for an answer is over.
pub(super) fn no_answer(access: Access) -> Failure {
    Failure { error: late(access.lost()), again: Again::No }
}

/// Whether it is what a server of PostgreSQL answers, and not what somebody else may.
fn is_code(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The driver does not give its kinds away otherwise.
fn is_one_of(error: &dyn Display, kinds: &[&str]) -> bool {
    let text = error.to_string();
    kinds.iter().any(|kind| text.starts_with(kind))
}

/// With the reason, for whoever opens a store. In words of ours (R26).
pub(super) fn explained(error: StoreError) -> StoreError {
    let Some(first) = error.source() else { return error };
    let mut sources = std::iter::successors(Some(first), |&error| error.source());
    let driver = sources.find_map(|source| source.downcast_ref::<Error>());
    let is = |kind| driver.is_some_and(|driver| is_one_of(driver, &[kind]));
    let reason = match driver.and_then(Error::code).map(SqlState::code) {
        Some("28P01") => "the user or the password is wrong".into(),
        Some("28000") => "the server does not take this user over this connection, perhaps without tls".into(),
        Some("3D000") => "there is no such database".into(),
        Some("42501") => "the role lacks a right".into(),
        Some("53300") => "the server has as many connections as it takes".into(),
        Some("57P03") => "the server is starting or ending".into(),
        Some(code) if is_code(code) => format!("the server answers {code}"),
        Some(_) => return error,
        None if is("invalid configuration") => "the URL lacks a password, a user or a host, or has too many".into(),
        None if is("authentication error") => {
            "the server asks for another kind of proof, or cannot prove itself".into()
        }
        None if is("error performing TLS handshake") => StoreError::TLS_FAILED.into(),
        None => match StoreError::system_reason(first) {
            Some(reason) => reason.into_owned(),
            None => return error,
        },
    };
    error.with_reason(reason)
}

fn late(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind).with_source(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_refused_where_somebody_has_to_change_something() {
        let kind = |code: Option<&str>, text| {
            let code = code.map(SqlState::from_code);
            unconnected(code.as_ref(), &text)
        };
        let (refused, unavailable) = (StoreErrorKind::Refused, StoreErrorKind::Unavailable);
        for code in ["28P01", "28000", "3D000", "42501"] {
            assert_eq!(kind(Some(code), "db error"), (refused, Again::No), "{code}");
        }
        assert_eq!(kind(None, "invalid configuration"), (refused, Again::No));
        assert_eq!(kind(None, "error connecting to server"), (unavailable, Again::No));
        assert_eq!(kind(Some("53300"), "db error"), (unavailable, Again::No));
        assert_eq!(kind(Some("57P03"), "db error"), (unavailable, Again::Soon));
    }

    #[test]
    fn r10_only_what_did_nothing_is_sent_again() {
        use StoreErrorKind::{Corrupt, Full, Refused, Unavailable};
        for (code, kind, again) in [
            ("40001", Unavailable, Again::Soon),
            ("40P01", Unavailable, Again::Soon),
            ("25006", Unavailable, Again::Elsewhere),
            ("26000", Refused, Again::Afresh),
            ("0A000", Refused, Again::Afresh),
            ("53100", Full, Again::No),
            ("53200", Unavailable, Again::No),
            ("57014", Unavailable, Again::No),
            ("55P03", Unavailable, Again::No),
            ("58030", Unavailable, Again::No),
            ("22023", Corrupt, Again::No),
            ("42P01", Refused, Again::No),
            ("42501", Refused, Again::No),
            ("23505", Refused, Again::No),
        ] {
            assert_eq!(refused(&SqlState::from_code(code)), (kind, again), "{code}");
        }
        for code in ["40003", "08007", "08006", "08P01"] {
            assert!(is_open(&SqlState::from_code(code)), "{code}");
        }
        assert!(!is_open(&SqlState::T_R_SERIALIZATION_FAILURE));
        assert_eq!((Access::Read.lost(), Access::Write.lost()), (Unavailable, StoreErrorKind::Unknown));
    }
}
