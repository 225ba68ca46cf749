//! What an error of SQLite means.

use std::error::Error as _;

use rusqlite::{Error, ErrorCode};

use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};

/// Of a statement, or of the beginning of a transaction: nothing of it was written.
pub(super) fn of_statement(error: Error) -> StoreError {
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

/// Of opening a file.
pub(super) fn of_opening(error: ConnectError) -> ConnectError {
    let code = error.source().and_then(|source| source.downcast_ref::<Error>()?.sqlite_error_code());
    match code {
        Some(ErrorCode::NotADatabase) => ConnectError::Schema("its file is no database of SQLite, or an encrypted one"),
        Some(code) => error.map_store(|error| match reason(code) {
            Some(reason) => error.with_reason(reason),
            None => error,
        }),
        None => error,
    }
}

const fn reason(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::CannotOpen => "the file, or one beside it, cannot be opened",
        ErrorCode::ReadOnly => "the file or its folder is read-only",
        ErrorCode::PermissionDenied => "the process may not use the file",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "somebody keeps the file locked",
        ErrorCode::DiskFull => "the disk is full",
        ErrorCode::SystemIoFailure => "the disk, or the file system, fails",
        _ => return None,
    })
}

/// Of the beginning of a transaction, for one of the calls that it concerns.
pub(super) fn of_begin(error: &Error) -> StoreError {
    copied(kind(error), error)
}

/// Of a `COMMIT`, for one of the calls that it concerns. Where the storage failed while the end of the transaction was on
/// its way to the file, the next one who opens the file may find it there or not (R10).
pub(super) fn of_commit(error: &Error) -> StoreError {
    let kind = match kind(error) {
        _ if is_busy(error) => StoreErrorKind::Unavailable,
        kind @ (StoreErrorKind::Full | StoreErrorKind::Refused) => kind,
        _ => StoreErrorKind::Unknown,
    };
    copied(kind, error)
}

fn copied(kind: StoreErrorKind, error: &Error) -> StoreError {
    match error {
        Error::SqliteFailure(failure, message) => {
            StoreError::new(kind).with_source(Error::SqliteFailure(*failure, message.clone()))
        }
        _ => StoreError::new(kind),
    }
}

/// Somebody else writes at the moment.
pub(super) fn is_busy(error: &Error) -> bool {
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
    fn r10_what_is_known_of_a_write_is_said() {
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
