//! Between the handle and the slot: what changed goes in, what is there now comes out.

use std::cell::Cell;

use super::data::{FieldReader, FieldWriter};
use super::{Access, Session, SessionData};
use crate::error::SessionRejection;
use crate::request::change_list::ChangeList;
use crate::request::slot::Window;
use http_session_store::record::{FieldCursor, Fields, RawJson};

thread_local! {
    /// Buffers for encoding, so that a change costs no allocation of its own.
    static BUFFERS: Cell<(Vec<u8>, Vec<u8>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

impl<T: SessionData> Session<T> {
    /// What differs from the bytes that the value was decoded from.
    pub(super) fn changes(&self) -> ChangeList {
        self.compare(T::encode)
    }

    fn compare(&self, encode: impl FnOnce(&T, &mut FieldWriter<'_>)) -> ChangeList {
        compare(&self.value, &self.window.fields, self.window.identity.as_ref(), encode)
    }

    /// Hands what changed to the slot.
    pub(super) fn flush(&mut self) {
        if let Some(settled) = self.settled.take() {
            // What was in place is in the slot already.
            self.put(*settled);
        }
        self.hand_over();
        self.mutable = Access::Read;
    }

    pub(super) fn hand_over(&self) {
        let fills = const { has_required::<T>() };
        if self.mutable == Access::Read && !fills {
            return;
        }
        let mut changes = self.changes();
        if !changes.is_empty() {
            self.slot.take(&self.window, &mut changes);
        }
        recycle(changes);
    }

    /// Decodes the value anew from the slot. Where that fails (the response is committed), the old one stays.
    pub(super) fn refresh(&mut self) {
        self.settled.take();
        if let Some(fresh) = self.read() {
            self.put(fresh);
        }
    }

    pub(super) fn read(&self) -> Option<(T, Window)> {
        let window = self.slot.window().ok()?;
        let value = decode(&window).ok()?;
        Some((value, window))
    }

    fn put(&mut self, (mut value, window): (T, Window)) {
        value.carry_skipped(&mut self.value);
        self.value = value;
        self.window = window;
        self.mutable = Access::Read;
    }

    /// An identity that was assigned is not taken back with the rest (R11).
    pub(super) fn settle_identity(&self) {
        if self.identity_changed() {
            self.hand_over();
        }
    }

    /// Whether an identity was assigned since the value was decoded: what follows, reads too, belongs to the new one (R5).
    pub(super) fn identity_changed(&self) -> bool {
        T::HAS_IDENTITY && self.mutable == Access::Written && self.compare(T::encode_identity).identity.is_some()
    }
}

const fn has_required<T: SessionData>() -> bool {
    let mut index = 0;
    while index < T::FIELDS.len() {
        #[expect(clippy::indexing_slicing, reason = "bounded by the loop; const code has no iterators")]
        if T::FIELDS[index].required {
            return true;
        }
        index += 1;
    }
    false
}

pub(super) fn decode<T: SessionData>(window: &Window) -> Result<T, SessionRejection> {
    T::decode(&mut FieldReader::new(&window.fields, window.identity.as_ref())).map_err(|_| SessionRejection::Unreadable)
}

/// Finds what changed in a value. The user's code runs here, under no lock.
pub(super) fn compare<T: SessionData>(
    value: &T,
    base: &Fields,
    base_identity: Option<&RawJson>,
    encode: impl FnOnce(&T, &mut FieldWriter<'_>),
) -> ChangeList {
    let (scratch, bytes) = BUFFERS.take();
    let mut changes = ChangeList::with_buffer(bytes);
    let mut writer = FieldWriter { base: FieldCursor::new(base), base_identity, scratch, changed: &mut changes };
    encode(value, &mut writer);
    let scratch = std::mem::take(&mut writer.scratch);
    BUFFERS.set((scratch, Vec::new()));
    changes
}

/// Gives the buffer back to the thread, unless a large value has blown it up.
fn recycle(changes: ChangeList) {
    const LARGE: usize = 16 * 1024;
    let (mut scratch, _) = BUFFERS.take();
    let mut bytes = changes.into_buffer();
    bytes.clear();
    bytes.shrink_to(LARGE);
    scratch.shrink_to(LARGE);
    BUFFERS.set((scratch, bytes));
}
