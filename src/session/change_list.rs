//! What one handle's value changed, on its way to the slot.

use smallvec::SmallVec;

use super::data::ChangeSink;
use crate::error::MergeConflict;
use crate::record::{Field, Fields, FieldsWriter, Patch, RawJson, StoredField};
use crate::telemetry;

/// Collects what a handle's value changed, without allocating for a field or two.
#[derive(Default)]
pub(crate) struct ChangeList {
    bytes: Vec<u8>,
    changed: SmallVec<[(&'static Field, usize, usize); 4]>,
    pub(crate) fillers: Vec<(&'static Field, Vec<u8>)>,
    pub(crate) identity: Option<Option<RawJson>>,
    pub(crate) unencodable: bool,
}

impl ChangeList {
    /// With a buffer from an earlier request.
    pub(crate) fn with_buffer(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.fillers.is_empty() && self.identity.is_none() && !self.unencodable
    }

    /// Whether there are only values to go along with a write, and no change.
    pub(crate) fn is_filler(&self) -> bool {
        self.changed.is_empty() && self.identity.is_none() && !self.unencodable
    }

    pub(crate) fn changed(&self) -> SmallVec<[&'static Field; 4]> {
        self.changed.iter().map(|(field, ..)| *field).collect()
    }

    /// The base with these changes; what a field's older names held goes (R15).
    pub(crate) fn apply_to(&self, base: &Fields) -> Fields {
        if self.changed.is_empty() {
            return base.clone();
        }
        let mut writer = FieldsWriter::new();
        for stored in base.raw() {
            match self.changed.iter().find(|(field, ..)| field.owns_bytes(stored.name())) {
                None => writer.copy(stored),
                // A field keeps its place, so that readers find them all in the order in which they ask.
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

    /// These changes, joined with what other handles of the request have put in place of the base.
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
