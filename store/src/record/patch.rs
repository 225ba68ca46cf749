//! One request's change to a record.

use std::fmt;

use smallvec::SmallVec;

use super::fields::FieldsWriter;
use super::{Clear, Epoch, Field, Fields, RawJson, Record, StoredField, VerifierHash};
use crate::error::MergeConflict;

/// What a patch does to the identity.
///
/// ```
/// # use http_session_store::record::*;
/// # static VIEWS: Field = Field::new("views");
/// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
/// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
/// # let mut patch = Patch::unchanged(&record);
/// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
/// # patch.touched.push(&VIEWS);
/// patch.identity = IdentityChange::Set(RawJson::new(b"42"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IdentityChange {
    /// Nothing.
    #[default]
    Unchanged,
    /// The same identity signed in again: its age starts afresh, its value and epoch stay.
    Affirmed,
    /// Another identity, or the first.
    Set(RawJson),
    /// Signed out.
    Removed,
}

/// What a patch does to the verifier.
///
/// ```
/// # use http_session_store::record::*;
/// # static VIEWS: Field = Field::new("views");
/// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
/// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
/// # let mut patch = Patch::unchanged(&record);
/// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
/// # patch.touched.push(&VIEWS);
/// let renewal = VerifierChange::Renew { current: record.verifier, new: VerifierHash([8; 32]) };
/// patch.verifier = renewal;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifierChange {
    /// Nothing.
    #[default]
    Unchanged,
    /// A new one: the epoch is raised, the old verifier and the one before it are void (R4).
    Rotate(VerifierHash),
    /// Periodic renewal (R6): `new` replaces `current`, which stays valid as the previous one; the epoch stays. Where the
    /// record's verifier is no longer `current`, only this part of the patch does not happen.
    Renew {
        /// The verifier that was presented.
        current: VerifierHash,
        /// Its successor.
        new: VerifierHash,
    },
}

/// What happens when a field that the patch writes was changed meanwhile.
///
/// ```
/// # use http_session_store::record::*;
/// # static VIEWS: Field = Field::new("views");
/// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
/// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
/// # let mut patch = Patch::unchanged(&record);
/// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
/// # patch.touched.push(&VIEWS);
/// patch.on_conflict = OnConflict::Refuse; // an immediate gate
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The field's merge rule decides.
    #[default]
    Merge,
    /// The patch is refused: an immediate gate (R13).
    Refuse,
}

/// One request's change to a record: applied as a whole, in one conditional write, or not at all (R9).
///
/// The changed fields are [`changes`](Self::changes): for each its value as loaded and as it shall be. What the patch does
/// not name stays as it is in the store, whoever wrote it.
///
/// ```
/// use http_session_store::record::{Field, Fields, Keep, Patch, Record, VerifierHash};
///
/// static VIEWS: Field = Field::new("views");
///
/// let mut record = Record::new(VerifierHash([7; 32]));
/// let mut patch = Patch::unchanged(&record);
/// patch.result = Fields::from_iter([("views", Keep::No, b"1".as_slice())]);
/// patch.touched.push(&VIEWS);
///
/// patch.apply_to(&mut record)?;
/// assert_eq!(record.fields.find("views"), Some(b"1".as_slice()));
/// # Ok::<_, http_session_store::error::MergeConflict>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Patch {
    /// The epoch that was loaded. A record in another epoch is superseded.
    pub epoch: Epoch,
    /// The fields as loaded.
    pub base: Fields,
    /// The base with this request's changes, whole: what the record has when nobody else has changed it.
    pub result: Fields,
    /// The fields that the request changed.
    pub touched: SmallVec<[&'static Field; 4]>,
    /// Required fields that the request found absent (R16): `result` has their default, which is written where they are
    /// absent still.
    pub filled: SmallVec<[&'static Field; 1]>,
    /// What is cleared before the fields are written.
    pub clear: Clear,
    /// What happens to a field that somebody else changed too.
    pub on_conflict: OnConflict,
    /// The identity.
    pub identity: IdentityChange,
    /// The verifier.
    pub verifier: VerifierChange,
    /// The session's own cookie attributes, when they changed; the inner `None` removes them.
    pub cookie: Option<Option<RawJson>>,
    /// What the fields may grow to by merging, in bytes; zero is no limit (R14). A merge over it is refused.
    pub limit: usize,
}

/// One changed field of a patch.
///
/// ```
/// # use http_session_store::record::*;
/// # static VIEWS: Field = Field::new("views");
/// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
/// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
/// # let mut patch = Patch::unchanged(&record);
/// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
/// # patch.touched.push(&VIEWS);
/// let change = patch.changes().next().unwrap();
/// assert_eq!((change.base, change.value), (Some(b"3".as_slice()), Some(b"4".as_slice())));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Change<'a> {
    /// The field.
    pub field: &'static Field,
    /// Its raw value as loaded.
    pub base: Option<&'a [u8]>,
    /// Its raw value from now on; `None` removes it.
    pub value: Option<&'a [u8]>,
    /// Whether the write depends on the store still having `base`: the field has a merge rule, the patch is a gate, or the
    /// field is required and was absent.
    pub conditional: bool,
}

/// Without the values (R26).
impl fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("field", &self.field.name)
            .field("was_stored", &self.base.is_some())
            .field("is_stored", &self.value.is_some())
            .field("conditional", &self.conditional)
            .finish()
    }
}

impl Patch {
    /// A patch of a record that changes none of its values.
    ///
    /// ```
    /// # use http_session_store::record::*;
    /// # static VIEWS: Field = Field::new("views");
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
    /// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
    /// # let mut patch = Patch::unchanged(&record);
    /// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
    /// # patch.touched.push(&VIEWS);
    /// assert_eq!(Patch::unchanged(&record).changes().count(), 0);
    /// ```
    #[must_use]
    pub fn unchanged(record: &Record) -> Self {
        Self { epoch: record.epoch, base: record.fields.clone(), result: record.fields.clone(), ..Self::default() }
    }

    /// The changed fields.
    ///
    /// ```
    /// # use http_session_store::record::*;
    /// # static VIEWS: Field = Field::new("views");
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
    /// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
    /// # let mut patch = Patch::unchanged(&record);
    /// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
    /// # patch.touched.push(&VIEWS);
    /// let names: Vec<&str> = patch.changes().map(|change| change.field.name).collect();
    /// assert_eq!(names, ["views"]);
    /// ```
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let filled = self.filled.iter().map(|field| self.change(field, true));
        self.written().chain(filled)
    }

    /// The changes that the request made itself.
    pub fn written(&self) -> impl Iterator<Item = Change<'_>> {
        self.touched.iter().map(|field| match self.on_conflict {
            OnConflict::Merge => self.change(field, field.merge.is_some() && self.clear.keeps(field.keep)),
            OnConflict::Refuse => self.change(field, true),
        })
    }

    fn change(&self, field: &'static Field, conditional: bool) -> Change<'_> {
        Change { field, base: self.base.read(field), value: self.result.find(field.name), conditional }
    }

    /// The fields of a record after this patch, merged where another request has changed the same field. Runs the user's
    /// merge functions, so a store never calls this: [`apply_to`](Self::apply_to) does not run them.
    ///
    /// # Errors
    /// Another request changed the same field, and its merge rule or the gate refuses to join the two changes; or the merged
    /// fields are larger than [`limit`](Self::limit) and than they were.
    ///
    /// ```
    /// # use http_session_store::record::*;
    /// # static VIEWS: Field = Field::new("views");
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
    /// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
    /// # let mut patch = Patch::unchanged(&record);
    /// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
    /// # patch.touched.push(&VIEWS);
    /// // Another request has stored a field that this patch does not name.
    /// let theirs = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::No, b"1")]);
    /// let merged = patch.merge_into(&theirs)?;
    /// assert_eq!((merged.find("views"), merged.find("theme")), (Some(b"4".as_slice()), Some(b"1".as_slice())));
    /// # Ok::<_, http_session_store::error::MergeConflict>(())
    /// ```
    pub fn merge_into(&self, theirs: &Fields) -> Result<Fields, MergeConflict> {
        self.join(theirs, |change, stored| match (self.on_conflict, change.field.merge) {
            (OnConflict::Merge, Some(merge)) => {
                merge(change.base.unwrap_or_default(), stored.unwrap_or_default(), change.value.unwrap_or_default())
            }
            _ => Err(MergeConflict::new()),
        })
    }

    /// The fields after this patch; `merge` decides about a conditional change that does not find its base.
    fn join(
        &self,
        theirs: &Fields,
        merge: impl Fn(Change<'_>, Option<&[u8]>) -> Result<Vec<u8>, MergeConflict>,
    ) -> Result<Fields, MergeConflict> {
        if self.clear == Clear::Nothing && theirs.same_block(&self.base) {
            return Ok(self.result.clone());
        }
        let mut writer = FieldsWriter::new();
        for stored in theirs.entries() {
            let written = self.touched.iter().any(|field| field.owns_bytes(stored.name));
            if !written && self.clear.keeps(stored.keep) {
                writer.copy(stored);
            }
        }
        for change in self.written() {
            let name = change.field.name;
            let stored = self.kept(theirs, change.field);
            // What the change of identity clears is nothing to join with.
            let is_cleared = self.clear != Clear::Nothing && stored.is_none();
            let merged;
            let value = if !change.conditional || is_cleared || stored == change.base {
                change.value
            } else {
                merged = merge(change, stored)?;
                (!merged.is_empty()).then_some(merged.as_slice())
            };
            if let Some(value) = value {
                writer.push(StoredField { name, keep: change.field.keep, value });
            }
        }
        for field in &self.filled {
            if self.kept(theirs, field).is_none()
                && let Some(value) = self.result.find(field.name)
            {
                writer.push(StoredField { name: field.name, keep: field.keep, value });
            }
        }
        let fields = writer.finish();
        let size = fields.as_bytes().len();
        if self.limit > 0 && size > self.limit && size > theirs.as_bytes().len() {
            return Err(MergeConflict::new());
        }
        Ok(fields)
    }

    /// The raw value of a field that is not cleared, as [`Fields::read`] finds it.
    fn kept<'a>(&self, theirs: &'a Fields, field: &Field) -> Option<&'a [u8]> {
        if self.clear == Clear::Nothing {
            return theirs.read(field);
        }
        let mut names = std::iter::once(&field.name).chain(field.aliases);
        let kept = |name: &&str| theirs.entry(name).filter(|stored| self.clear.keeps(stored.keep));
        names.find_map(kept).map(|stored| stored.value)
    }

    /// Applies this patch to a record of the right epoch, all of it or nothing. This is what a store's update does, whatever
    /// it is written in. It never runs a merge function. Ages and time left are for the store to set.
    ///
    /// Answers whether a renewal took place ([`VerifierChange::Renew`]); `true` when none was asked for.
    ///
    /// # Errors
    /// A [conditional](Change::conditional) change does not find its base, or the fields would be larger than
    /// [`limit`](Self::limit) and than they were. The record is left as it was, and the store answers
    /// [`Conflict`](crate::Updated::Conflict) with it.
    ///
    /// ```
    /// # use http_session_store::record::*;
    /// # static VIEWS: Field = Field::new("views").merge(|_, theirs, _| Ok(theirs.to_vec()));
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
    /// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
    /// # let mut patch = Patch::unchanged(&record);
    /// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
    /// # patch.touched.push(&VIEWS);
    /// assert!(patch.apply_to(&mut record)?);
    /// assert_eq!(record.fields.find("views"), Some(b"4".as_slice()));
    ///
    /// // The field has a merge rule, and is no longer what the patch was made from.
    /// assert!(patch.apply_to(&mut record).is_err());
    /// # Ok::<_, http_session_store::error::MergeConflict>(())
    /// ```
    pub fn apply_to(&self, record: &mut Record) -> Result<bool, MergeConflict> {
        record.fields = self.join(&record.fields, |_, _| Err(MergeConflict::new()))?;
        let mut renewed = true;
        match self.verifier {
            VerifierChange::Unchanged => {}
            VerifierChange::Rotate(verifier) => {
                record.epoch = record.epoch.next();
                record.verifier = verifier;
                record.previous = None;
            }
            VerifierChange::Renew { current, new } => {
                renewed = record.verifier == current;
                if renewed {
                    record.previous = Some(current);
                    record.verifier = new;
                }
            }
        }
        match &self.identity {
            IdentityChange::Unchanged | IdentityChange::Affirmed => {}
            IdentityChange::Set(identity) => {
                record.identity = Some(identity.clone());
                record.identity_epoch = record.epoch;
            }
            IdentityChange::Removed => {
                record.identity = None;
                record.identity_epoch = record.epoch;
            }
        }
        if let Some(cookie) = &self.cookie {
            record.cookie.clone_from(cookie);
        }
        Ok(renewed)
    }

    /// The same patch, made from a record that another request has changed meanwhile. Its base is that record, and its values are
    /// merged from the original ones. For another attempt after a [`Conflict`](crate::Updated::Conflict), always from the first
    /// patch: to merge what is merged already would count a change twice.
    ///
    /// # Errors
    /// As [`merge_into`](Self::merge_into).
    ///
    /// ```
    /// # use http_session_store::record::*;
    /// # static VIEWS: Field = Field::new("views");
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
    /// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
    /// # let mut patch = Patch::unchanged(&record);
    /// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
    /// # patch.touched.push(&VIEWS);
    /// let theirs = Fields::from_iter([("views", Keep::No, b"9".as_slice())]);
    /// assert_eq!(patch.rebase(&theirs)?.base, theirs);
    /// # Ok::<_, http_session_store::error::MergeConflict>(())
    /// ```
    pub fn rebase(&self, theirs: &Fields) -> Result<Self, MergeConflict> {
        Ok(Self { result: self.merge_into(theirs)?, base: theirs.clone(), ..self.clone() })
    }

    /// Whether the age since the last change of identity starts afresh.
    ///
    /// ```
    /// # use http_session_store::record::*;
    /// # static VIEWS: Field = Field::new("views");
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
    /// # let mut record = Record { fields, ..Record::new(VerifierHash([7; 32])) };
    /// # let mut patch = Patch::unchanged(&record);
    /// # patch.result = Fields::from_iter([("views", Keep::No, b"4".as_slice())]);
    /// # patch.touched.push(&VIEWS);
    /// assert!(!patch.resets_identity_age());
    /// ```
    #[must_use]
    pub const fn resets_identity_age(&self) -> bool {
        !matches!(self.identity, IdentityChange::Unchanged)
    }

    /// Bytes that the values of this record would take, as far as this request can tell.
    #[must_use]
    pub fn size(&self, record: &Record) -> usize {
        let identity = match &self.identity {
            IdentityChange::Unchanged | IdentityChange::Affirmed => record.identity.as_ref(),
            IdentityChange::Set(raw) => Some(raw),
            IdentityChange::Removed => None,
        };
        let cookie = self.cookie.as_ref().unwrap_or(&record.cookie).as_ref();
        let raw = |value: Option<&RawJson>| value.map_or(0, |raw| raw.as_bytes().len());
        self.result.as_bytes().len() + raw(identity) + raw(cookie)
    }
}
