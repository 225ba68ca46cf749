//! What the awaited calls of the handler have already done.

use super::ending::Ending;
use crate::token::Verifier;

/// What cannot be taken back, because the store has it.
#[derive(Clone, Default)]
pub(crate) struct Done {
    /// An awaited call has written the session in this request.
    pub(crate) saved: bool,
    /// The verifier that an awaited call has stored. Its cookie goes out even with a replaced response (R12).
    pub(crate) verifier: Option<Verifier>,
    /// The sessions that the handler has ended, in order. Endings are added, never removed: `awaited::destroy` remembers
    /// positions. As long as the intent is to destroy, no new session has begun since.
    pub(crate) endings: Vec<Ending>,
    /// Counts the events after which the changes of older handles no longer belong to this session, such as a change of
    /// identity. A handle remembers the view that it was decoded from, and loses its changes if the view has changed (R4).
    pub(crate) view: u32,
    /// Counts the records that the request has left. An awaited call must not note its answer here if it was under way for
    /// another record. A view can change while the record stays, so the two are counted separately.
    pub(crate) records: u32,
}

impl Done {
    /// From here on, changes of older handles are dropped.
    pub(super) fn begin_view(&mut self) {
        self.view = self.view.wrapping_add(1);
    }

    /// The request leaves its record, and with it what awaited calls stored there.
    pub(super) fn leave_record(&mut self) {
        self.records = self.records.wrapping_add(1);
        self.saved = false;
        self.verifier = None;
    }
}
