//! The changes of one handle, on their way to the slot.

use smallvec::SmallVec;

use crate::error::MergeConflict;
use crate::telemetry;
use http_session_store::record::{Field, Fields, FieldsWriter, Patch, RawJson, StoredField};

/// Receives the changes of a handle, field by field.
pub(crate) trait ChangeSink {
    fn field(&mut self, field: &'static Field, value: &[u8]);
    /// A required field that was never stored. It goes along with the next write, but causes none (R16).
    fn fill(&mut self, field: &'static Field, value: &[u8]);
    fn identity(&mut self, value: Option<&[u8]>);
    fn unencodable(&mut self, field: &'static str);
}

/// Collects the changes of a handle. Up to four changed fields share one buffer, so they cost no allocation of their own.
#[derive(Default)]
pub(crate) struct ChangeList {
    bytes: Vec<u8>,
    /// Each field, and the start and end of its value in `bytes`.
    changed: SmallVec<[(&'static Field, usize, usize); 4]>,
    pub(crate) fillers: Vec<(&'static Field, Vec<u8>)>,
    /// `Some(None)`: the identity was removed.
    pub(crate) identity: Option<Option<RawJson>>,
    pub(crate) unencodable: bool,
}

impl ChangeList {
    /// Reuses a buffer from an earlier request.
    pub(crate) fn with_buffer(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.fillers.is_empty() && self.identity.is_none() && !self.unencodable
    }

    /// Whether there is no change, at most values that go along with a write.
    pub(crate) fn is_filler(&self) -> bool {
        self.changed.is_empty() && self.identity.is_none() && !self.unencodable
    }

    pub(crate) fn changed(&self) -> SmallVec<[&'static Field; 4]> {
        self.changed.iter().map(|(field, ..)| *field).collect()
    }

    /// The base with these changes. A changed field loses what is stored under its older names (R15).
    pub(crate) fn apply_to(&self, base: &Fields) -> Fields {
        if self.changed.is_empty() {
            return base.clone();
        }
        let mut writer = FieldsWriter::new();
        for stored in base.raw() {
            match self.changed.iter().find(|(field, ..)| field.owns_bytes(stored.name())) {
                None => writer.copy(stored),
                // A field keeps its position: readers ask for fields in the stored order, which is fast.
                Some(change) if change.0.name.as_bytes() == stored.name() => writer.push(self.stored(change)),
                Some(_) => {}
            }
        }
        for change in self.changed.iter().filter(|(field, ..)| base.find(field.name).is_none()) {
            writer.push(self.stored(change));
        }
        writer.finish()
    }

    fn stored(&self, &(field, from, to): &(&'static Field, usize, usize)) -> StoredField<'_> {
        StoredField::new(field.name, field.keep, self.bytes.get(from..to).unwrap_or_default())
    }

    /// These changes, merged with what other handles of this request have changed since the base.
    pub(crate) fn merge_into(&self, base: &Fields, current: &Fields) -> Result<Fields, MergeConflict> {
        let mut patch = Patch::default();
        patch.base = base.clone();
        patch.result = self.apply_to(base);
        self.changed().iter().for_each(|field| patch.write(field));
        patch.merge_into(current)
    }
}

impl ChangeSink for ChangeList {
    fn field(&mut self, field: &'static Field, value: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.changed.push((field, from, self.bytes.len()));
    }

    fn fill(&mut self, field: &'static Field, value: &[u8]) {
        self.fillers.push((field, value.to_vec()));
    }

    fn identity(&mut self, value: Option<&[u8]>) {
        self.identity = Some(value.map(RawJson::new));
    }

    fn unencodable(&mut self, field: &'static str) {
        telemetry::unencodable(field);
        self.unencodable = true;
    }
}
