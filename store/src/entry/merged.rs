//! Merging outside of a store's lock.

use super::Updated;
use crate::error::StoreError;
use crate::record::{Fields, Patch, Record};

/// What merge functions made of the fields that an entry had: for [`Entry::update_merged`](super::Entry::update_merged).
///
/// ```
/// # use std::time::Duration;
/// # use http_session_store::record::*;
/// # use http_session_store::Merged;
/// # let record = Record::new(VerifierHash([7; 32]));
/// let merged = Merged::new(&Patch::unchanged(&record), record);
/// assert!(merged.is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Merged {
    pub(super) theirs: Fields,
    pub(super) result: Fields,
}

impl Merged {
    /// Runs the merge functions of a patch on the fields of a record. They are the user's code: hold no lock.
    ///
    /// # Errors
    /// A rule refuses; the error is the answer to the update, [`Updated::Conflict`].
    ///
    /// ```
    /// # use http_session_store::record::*;
    /// # use http_session_store::{Merged, Updated};
    /// # static NONCE: Field = Field::new("nonce");
    /// # let record = |nonce: &[u8]| Record {
    /// #     fields: Fields::from_iter([("nonce", Keep::No, nonce)]),
    /// #     ..Record::new(VerifierHash([7; 32]))
    /// # };
    /// let mut take = Patch::unchanged(&record(b"1"));
    /// take.touched.push(&NONCE);
    /// take.on_conflict = OnConflict::Refuse;
    /// assert!(matches!(Merged::new(&take, record(b"2")), Err(Updated::Conflict(_))));
    /// ```
    pub fn new(patch: &Patch, record: Record) -> Result<Self, Updated> {
        match patch.merge_into(&record.fields) {
            Ok(result) => Ok(Self { theirs: record.fields, result }),
            Err(_) => Err(Updated::Conflict(Box::new(record))),
        }
    }

    /// Attempts an update with what was merged so far, merges what it answers with, and goes on until there is an answer. Each
    /// attempt begins with the patch as it came: merging what is merged already would count changes twice.
    ///
    /// # Errors
    /// An attempt failed.
    ///
    /// ```
    /// # use std::future::ready;
    /// # use std::sync::Mutex;
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = || 20_000 * day;
    /// # let (entry, patch) = (Mutex::new(Entry::new(&record, lifetime, now())), Patch::unchanged(&record));
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let attempt = |merged| ready(Ok(entry.lock().unwrap().update_merged(&patch, merged, lifetime, now())));
    /// let updated = Merged::attempt(&patch, attempt).await?;
    /// # assert_eq!(updated, Updated::Applied { renewed: true });
    /// # Ok::<_, http_session_store::error::StoreError>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn attempt<F>(patch: &Patch, mut update: impl FnMut(Option<Self>) -> F) -> Result<Updated, StoreError>
    where
        F: Future<Output = Result<UpdateStep, StoreError>>,
    {
        let mut merged = None;
        loop {
            let record = match update(merged.take()).await? {
                UpdateStep::Done(updated) => return Ok(updated),
                UpdateStep::Merge(record) => record,
            };
            match Self::new(patch, *record) {
                Ok(fields) => merged = Some(fields),
                Err(conflict) => return Ok(conflict),
            }
        }
    }
}

/// How far [`Entry::update_merged`](super::Entry::update_merged) came.
///
/// ```
/// use http_session_store::UpdateStep;
///
/// fn is_written(step: &UpdateStep) -> bool {
///     matches!(step, UpdateStep::Done(http_session_store::Updated::Applied { .. }))
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum UpdateStep {
    /// The update has this answer.
    Done(Updated),
    /// Nothing was written: merge functions have to run on this record first ([`Merged::new`]).
    Merge(Box<Record>),
}

/// Whether joining a patch with these fields may call merge functions, which are the user's code.
pub(super) fn is_needed(patch: &Patch, theirs: &Fields) -> bool {
    !theirs.same_block(&patch.base)
        && patch.changes().any(|change| change.conditional && theirs.read(change.field) != change.base)
}
