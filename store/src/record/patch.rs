//! One request's change to a record.

use smallvec::SmallVec;

use super::change::{Change, IdentityChange, OnConflict, VerifierChange};
use super::field::{Clear, Field};
use super::fields::{Fields, FieldsWriter, StoredField};
use super::raw::RawJson;
use super::stored::Record;
use super::verifier::Epoch;
use crate::error::MergeConflict;

/// One request's change to a record: applied as a whole, in one conditional write, or not at all.
///
/// The changed fields are [`changes`](Self::changes): for each, its value as loaded and its new value. What the patch does not
/// name stays as it is in the store, whoever wrote it.
///
/// ```
/// use http_session_store::record::{Field, Patch, Record, VerifierHash};
///
/// static VIEWS: Field = Field::new("views");
///
/// let mut record = Record::new(VerifierHash([7; 32]));
/// let mut patch = Patch::unchanged(&record);
/// patch.set(&VIEWS, Some(b"1"));
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
    /// All fields with this request's changes: what the record has if nobody else has changed it.
    pub result: Fields,
    // Hidden, so that the interface does not show the type. The crate's own tests use update syntax.
    pub(crate) written: SmallVec<[&'static Field; 4]>,
    pub(crate) filled: SmallVec<[&'static Field; 1]>,
    /// What is cleared before the fields are written.
    pub clear: Clear,
    /// What happens to a field that another request changed too.
    pub on_conflict: OnConflict,
    /// What happens to the identity.
    pub identity: IdentityChange,
    /// What happens to the verifier.
    pub verifier: VerifierChange,
    /// The session's own cookie attributes, if they changed; the inner `None` removes them.
    pub cookie: Option<Option<RawJson>>,
    /// How large the fields may become together with other requests' changes, in bytes of [`Fields::as_bytes`]; zero means
    /// without limit. A patch that would make them larger than this, and larger than they were, is refused.
    pub limit: usize,
}

impl Patch {
    /// A patch of a record that changes none of its values.
    #[must_use]
    pub fn unchanged(record: &Record) -> Self {
        Self { epoch: record.epoch, base: record.fields.clone(), result: record.fields.clone(), ..Self::default() }
    }

    /// Gives a field a new value; `None` removes it. For tests of a store: the middleware builds [`result`](Self::result) in one
    /// go, and then [names](Self::write) what it has changed.
    pub fn set(&mut self, field: &'static Field, value: Option<&[u8]>) {
        let others = self.result.iter().filter(|stored| !field.owns(stored.name));
        let new = value.map(|value| StoredField { name: field.name, keep: field.keep, value });
        self.result = others.chain(new).collect();
        self.write(field);
    }

    /// Names a field that the request has changed. Its new value is the one in [`result`](Self::result), or it is removed.
    pub fn write(&mut self, field: &'static Field) {
        self.written.push(field);
    }

    /// Names a required field that the request found absent. Its default is in [`result`](Self::result), and is written if
    /// the field is still absent.
    pub fn fill(&mut self, field: &'static Field) {
        self.filled.push(field);
    }

    /// The fields that the request has changed.
    #[must_use]
    pub fn written_fields(&self) -> &[&'static Field] {
        &self.written
    }

    /// The required fields that the request found absent. They are written if they are still absent.
    #[must_use]
    pub fn filled_fields(&self) -> &[&'static Field] {
        &self.filled
    }

    /// All changes of fields, those of the request and the filled fields. A store may write them all alike, on the condition that
    /// each [conditional](Change::conditional) change still finds its base. Or it takes [`written`](Self::written) and
    /// [`filled_fields`](Self::filled_fields), and writes a filled field only if it is still absent.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let filled = self.filled.iter().map(|field| self.change(field, true));
        self.written().chain(filled)
    }

    /// The changes of the request itself.
    pub fn written(&self) -> impl Iterator<Item = Change<'_>> {
        self.written.iter().map(|field| match self.on_conflict {
            OnConflict::Merge => self.change(field, field.merge.is_some() && self.clear.keeps(field.keep)),
            OnConflict::Refuse => self.change(field, true),
        })
    }

    fn change(&self, field: &'static Field, conditional: bool) -> Change<'_> {
        Change { field, base: self.base.read(field), value: self.result.find(field.name), conditional }
    }

    /// Applies this patch to a record of the right epoch, all of it or nothing. This is what the update of every store does, in
    /// whatever language it is written. It never runs a merge function. Ages and time left are for the store to set.
    ///
    /// Answers whether a renewal took place ([`VerifierChange::Renew`]); `true` if the patch has no renewal.
    ///
    /// # Errors
    /// A [conditional](Change::conditional) change does not find its base, or the fields would exceed [`limit`](Self::limit).
    /// The record is left as it was, and the store answers [`Conflict`](crate::Updated::Conflict) with it.
    ///
    /// ```
    /// # use http_session_store::record::{Field, Patch, Record, VerifierHash};
    /// static VIEWS: Field = Field::new("views").merge(|_base, theirs, _ours| Ok(theirs.to_vec()));
    ///
    /// let mut record = Record::new(VerifierHash([7; 32]));
    /// let mut patch = Patch::unchanged(&record);
    /// patch.set(&VIEWS, Some(b"1"));
    /// assert!(patch.apply_to(&mut record)?);
    ///
    /// // The field has a merge rule, and is no longer as it was loaded.
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

    /// The same patch, made from a record that another request has changed meanwhile. Its base is that record, and its values
    /// are merged from the original ones. The middleware does this after a [`Conflict`](crate::Updated::Conflict); it runs the
    /// user's merge functions.
    ///
    /// Always rebase the first patch: to merge what is merged already would count a change twice.
    ///
    /// # Errors
    /// A merge rule or the gate refuses to join the changes, or the fields would exceed [`limit`](Self::limit).
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep, Patch, Record, VerifierHash};
    /// static CART: Field = Field::new("cart").merge(|_base, theirs, ours| Ok([theirs, ours].concat()));
    ///
    /// let mut record = Record::new(VerifierHash([7; 32]));
    /// let mut patch = Patch::unchanged(&record);
    /// patch.set(&CART, Some(b"b"));
    /// record.fields = Fields::from_iter([("cart", Keep::No, b"a".as_slice())]); // by another request
    ///
    /// patch.rebase(&record.fields)?.apply_to(&mut record)?;
    /// assert_eq!(record.fields.find("cart"), Some(b"ab".as_slice()));
    /// # Ok::<_, http_session_store::error::MergeConflict>(())
    /// ```
    pub fn rebase(&self, theirs: &Fields) -> Result<Self, MergeConflict> {
        Ok(Self { result: self.merge_into(theirs)?, base: theirs.clone(), ..self.clone() })
    }

    /// The fields that [`rebase`](Self::rebase) gives. Hidden: only the middleware joins fields without writing them.
    #[doc(hidden)]
    pub fn merge_into(&self, theirs: &Fields) -> Result<Fields, MergeConflict> {
        self.join(theirs, |change, stored| match (self.on_conflict, change.field.merge) {
            (OnConflict::Merge, Some(merge)) => {
                merge(change.base.unwrap_or_default(), stored.unwrap_or_default(), change.value.unwrap_or_default())
            }
            _ => Err(MergeConflict::new()),
        })
    }

    /// The fields after this patch. `merge` decides about a conditional change that does not find its base.
    fn join(
        &self,
        theirs: &Fields,
        merge: impl Fn(Change<'_>, Option<&[u8]>) -> Result<Vec<u8>, MergeConflict>,
    ) -> Result<Fields, MergeConflict> {
        if self.clear == Clear::Nothing && theirs.same_block(&self.base) {
            return Ok(self.result.clone());
        }
        let mut writer = FieldsWriter::new();
        for stored in theirs.raw() {
            let written = self.written.iter().any(|field| field.owns_bytes(stored.name()));
            if !written && self.clear.keeps(stored.keep) {
                writer.copy(stored);
            }
        }
        for change in self.written() {
            let name = change.field.name;
            let stored = self.kept(theirs, change.field);
            // A field that this patch clears leaves nothing to join with.
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
        let kept = |name: &&str| theirs.field(name).filter(|stored| self.clear.keeps(stored.keep));
        names.find_map(kept).map(|stored| stored.value)
    }

    /// Whether the age since the last change of identity starts afresh.
    #[must_use]
    pub const fn resets_identity_age(&self) -> bool {
        !matches!(self.identity, IdentityChange::Unchanged)
    }

    /// Bytes that the values of this record would take, as far as this request can tell. Hidden: the middleware compares them
    /// with its limit before it asks a store.
    #[doc(hidden)]
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
