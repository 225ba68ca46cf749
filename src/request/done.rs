//! What awaited calls of the handler have already done.

use super::ending::Ending;
use crate::token::Verifier;

/// What cannot be taken back, since the store has it.
#[derive(Clone, Default)]
pub(crate) struct Done {
    /// An awaited call has stored the session in this request.
    pub(crate) saved: bool,
    /// A verifier that an awaited call has stored. It goes out whatever becomes of the response (R12).
    pub(crate) verifier: Option<Verifier>,
    /// The sessions that the handler has ended. As long as the intent is to destroy, nothing has begun since.
    pub(crate) endings: Vec<Ending>,
    /// Counts the moments from which the changes of older handles no longer belong here (R4).
    pub(crate) view: u32,
    /// Counts the records that the request has left behind. A call that was under way for another record must not note its
    /// answer here.
    pub(crate) records: u32,
}

impl Done {
    /// From here on, what handles computed before is dropped.
    pub(super) fn begin_view(&mut self) {
        self.view = self.view.wrapping_add(1);
    }

    /// The record stays behind, and what was stored of it with it.
    pub(super) fn leave_record(&mut self) {
        self.records = self.records.wrapping_add(1);
        self.saved = false;
        self.verifier = None;
    }
}
