//! What an error of SQLite means.

use std::error::Error as _;

use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};
use rusqlite::{Error, ErrorCode};

/// The error of a statement that wrote nothing.
pub(crate) fn of_statement(error: Error) -> StoreError {
    StoreError::new(kind(&error)).with_source(error)
}

fn kind(error: &Error) -> StoreErrorKind {
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => StoreErrorKind::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch => StoreErrorKind::Corrupt,
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OperationInterrupted
            | ErrorCode::SchemaChanged => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Refused,
        },
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Refused,
    }
}

/// The error of opening a file, with a reason. The reason is never a message of SQLite, which may hold a path (R26).
pub(crate) fn of_opening(error: ConnectError) -> ConnectError {
    let code = error.source().and_then(|source| source.downcast_ref::<Error>()?.sqlite_error_code());
    match code {
        Some(ErrorCode::NotADatabase) => ConnectError::Schema("the file is not a SQLite database, or it is encrypted"),
        Some(code) => error.map_store(|error| match reason(code) {
            Some(reason) => error.with_reason(reason),
            None => error,
        }),
        None => error,
    }
}

const fn reason(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::CannotOpen => "the file, or its `-wal` or `-shm` file, cannot be opened",
        ErrorCode::ReadOnly => "the file or its directory is read-only",
        ErrorCode::PermissionDenied => "the process is not allowed to use the file",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "another process keeps the file locked",
        ErrorCode::DiskFull => "the disk is full",
        ErrorCode::SystemIoFailure => "the disk or the file system failed",
        _ => return None,
    })
}

/// The error of a `BEGIN`, for one of its calls.
pub(crate) fn of_begin(error: &Error) -> StoreError {
    copied(kind(error), error)
}

/// The error of a `COMMIT`, for one of its calls.
///
/// When the disk fails meanwhile, the end of the transaction may have reached the file. Then the next process that opens the file
/// finds the transaction, or does not: `Unknown` (R10).
pub(crate) fn of_commit(error: &Error) -> StoreError {
    let kind = match kind(error) {
        _ if is_busy(error) => StoreErrorKind::Unavailable,
        kind @ (StoreErrorKind::Full | StoreErrorKind::Refused) => kind,
        _ => StoreErrorKind::Unknown,
    };
    copied(kind, error)
}

/// `rusqlite::Error` is not `Clone`, and each call of a transaction gets its own.
fn copied(kind: StoreErrorKind, error: &Error) -> StoreError {
    match error {
        Error::SqliteFailure(failure, message) => {
            StoreError::new(kind).with_source(Error::SqliteFailure(*failure, message.clone()))
        }
        _ => StoreError::new(kind),
    }
}

/// Another connection is writing.
pub(crate) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failure(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn r10_an_error_says_what_is_known_of_the_write() {
        use StoreErrorKind::{Corrupt, Full, Refused, Unavailable, Unknown};
        for (code, statement, commit) in [
            (ffi::SQLITE_BUSY, Unavailable, Unavailable),
            (ffi::SQLITE_FULL, Full, Full),
            (ffi::SQLITE_READONLY, Refused, Refused),
            (ffi::SQLITE_AUTH, Refused, Refused),
            (ffi::SQLITE_IOERR_FSYNC, Unavailable, Unknown),
            (ffi::SQLITE_IOERR_WRITE, Unavailable, Unknown),
            (ffi::SQLITE_NOMEM, Unavailable, Unknown),
            (ffi::SQLITE_CORRUPT, Corrupt, Unknown),
            (ffi::SQLITE_NOTADB, Corrupt, Unknown),
        ] {
            assert_eq!(of_statement(failure(code)).kind(), statement, "{code}");
            assert_eq!(of_commit(&failure(code)).kind(), commit, "{code}");
        }
    }
}
