//! Merging outside of a store's lock.

use super::Updated;
use crate::record::{Fields, Patch, Row};

/// What merge functions made of the fields that an entry had: for [`Entry::update_merged`](super::Entry::update_merged).
///
/// ```
/// # use std::time::Duration;
/// # use http_session::record::*;
/// # use http_session::store::Merged;
/// # let row = Row::new(VerifierHash([7; 32]));
/// let merged = Merged::new(&Patch::unchanged(&row), row);
/// assert!(merged.is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Merged {
    pub(super) theirs: Fields,
    pub(super) result: Fields,
}

impl Merged {
    /// Runs the merge functions of a patch on the fields of a row. They are the user's code: hold no lock.
    ///
    /// # Errors
    /// A rule refuses; the error is the answer to the update, [`Updated::Conflict`].
    ///
    /// ```
    /// # use http_session::record::*;
    /// # use http_session::store::{Merged, Updated};
    /// # static NONCE: Field = Field::new("nonce");
    /// # let row = |nonce: &[u8]| Row {
    /// #     fields: Fields::from_iter([("nonce", Keep::No, nonce)]),
    /// #     ..Row::new(VerifierHash([7; 32]))
    /// # };
    /// let mut take = Patch::unchanged(&row(b"1"));
    /// take.touched.push(&NONCE);
    /// take.on_conflict = OnConflict::Refuse;
    /// assert!(matches!(Merged::new(&take, row(b"2")), Err(Updated::Conflict(_))));
    /// ```
    pub fn new(patch: &Patch, row: Row) -> Result<Self, Updated> {
        match patch.merge_into(&row.fields) {
            Ok(result) => Ok(Self { theirs: row.fields, result }),
            Err(_) => Err(Updated::Conflict(Box::new(row))),
        }
    }
}

/// How far [`Entry::update_merged`](super::Entry::update_merged) came.
///
/// ```
/// use http_session::store::UpdateStep;
///
/// fn is_written(step: &UpdateStep) -> bool {
///     matches!(step, UpdateStep::Done(http_session::store::Updated::Applied { .. }))
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum UpdateStep {
    /// The update has this answer.
    Done(Updated),
    /// Nothing was written: merge functions have to run on this row first ([`Merged::new`]).
    Merge(Box<Row>),
}

/// Whether joining a patch with these fields may call merge functions, which are the user's code.
pub(super) fn is_needed(patch: &Patch, theirs: &Fields) -> bool {
    !theirs.same_block(&patch.base)
        && patch.changes().any(|change| change.conditional && theirs.read(change.field) != change.base)
}
