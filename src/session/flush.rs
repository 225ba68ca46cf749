//! Between the handle and the slot: changes go in, and the handle is decoded again from what the slot has now.

use std::cell::Cell;

use super::data::{FieldReader, FieldWriter};
use super::{Session, SessionData};
use crate::error::SessionRejection;
use crate::request::change_list::ChangeList;
use crate::request::slot::Window;
use http_session_store::record::{FieldCursor, Fields, RawJson};

thread_local! {
    /// Buffers for encoding, so that finding a change usually allocates nothing. They belong to the thread, because a handle
    /// lives only for one request.
    ///
    /// They are taken out of the cell while in use. The user's code runs in between and may drop another handle on this
    /// thread, which then begins with empty buffers.
    static BUFFERS: Cell<(Vec<u8>, Vec<u8>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

impl<T: SessionData> Session<T> {
    /// The fields that differ from those that the value was decoded from.
    pub(super) fn changes(&self) -> ChangeList {
        self.compare(T::encode)
    }

    fn compare(&self, encode: impl FnOnce(&T, &mut FieldWriter<'_>)) -> ChangeList {
        compare(&self.value, &self.window.fields, self.window.identity.as_ref(), encode)
    }

    /// Hands the changes to the slot. The value stays as it is: [`refresh`](Self::refresh) decodes it again.
    pub(super) fn flush(&mut self) {
        if let Some(settled) = self.settled.take() {
            // `deref` has handed over the changes of the value that this one replaces.
            self.put(*settled);
        }
        self.hand_over();
        self.may_have_changed = false;
    }

    /// Hands the changes to the slot, without noting in the handle that this was done.
    pub(super) fn hand_over(&self) {
        // A required field that was never stored is handed over even by a handle that only reads (R16).
        let fills = const { has_required::<T>() };
        if !self.may_have_changed && !fills {
            return;
        }
        let mut changes = self.changes();
        if !changes.is_empty() {
            self.slot.take(&self.window, &mut changes);
        }
        recycle(changes);
    }

    /// Decodes the value again from the slot. If that fails, because the response has been committed, the old value stays.
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
        self.may_have_changed = false;
    }

    /// Hands over an identity that was assigned. Calls that drop a handle's changes begin with this, because a sign-out is
    /// not dropped with the rest (R11). So do calls that read the identity from the slot.
    pub(super) fn settle_identity(&self) {
        if self.identity_changed() {
            self.hand_over();
        }
    }

    /// Whether another identity was assigned since the value was decoded. From then on everything, reads included, belongs to
    /// the new identity (R5).
    pub(super) fn identity_changed(&self) -> bool {
        T::HAS_IDENTITY && self.may_have_changed && self.compare(T::encode_identity).identity.is_some()
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

/// Finds the fields of a value that changed. This runs the user's code (`Serialize`, `Deserialize`, `PartialEq`), so the
/// caller must not hold the slot's lock.
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

/// Gives the buffers back to the thread, without the room that a large value has left in them.
fn recycle(changes: ChangeList) {
    const MAX_KEPT_BYTES: usize = 16 * 1024;
    let (mut scratch, _) = BUFFERS.take();
    let mut bytes = changes.into_buffer();
    bytes.clear();
    bytes.shrink_to(MAX_KEPT_BYTES);
    scratch.shrink_to(MAX_KEPT_BYTES);
    BUFFERS.set((scratch, bytes));
}
