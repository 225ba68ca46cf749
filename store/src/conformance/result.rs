//! What a check comes to, and how it says so.

use super::records::difference;
use crate::error::StoreError;
use crate::record::{Patch, Record};

/// The result of a check.
pub(super) type CheckResult = Result<(), Problem>;

/// Why a check did not pass.
pub(super) enum Problem {
    Broken(String),
    Failed(StoreError),
    Skipped(&'static str),
    /// The machine stood still for so long that the check says nothing. It is run again.
    Late,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

pub(super) fn broken<T>(how: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Broken(how.into()))
}

pub(super) fn ensure(holds: bool, otherwise: &str) -> CheckResult {
    if holds { Ok(()) } else { broken(otherwise) }
}

/// `what` begins a sentence, such as "a second insert answered".
pub(super) fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> CheckResult {
    if found == expected { Ok(()) } else { broken(format!("{what} {found:?} instead of {expected:?}")) }
}

/// All that a store keeps is as expected. `when` ends a sentence, such as "after the insert".
pub(super) fn same(found: &Record, expected: &Record, when: &str) -> CheckResult {
    difference(found, expected).map_or(Ok(()), |part| broken(format!("{part} is not as it should be {when}")))
}

/// What the record is after a patch, by the reference.
pub(super) fn applied(patch: &Patch, record: &Record) -> Result<Record, Problem> {
    let mut record = record.clone();
    match patch.apply_to(&mut record) {
        Ok(_) => Ok(record),
        Err(_) => broken("the suite's own patch is refused by the reference"),
    }
}
