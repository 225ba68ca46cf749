//! Where this crate differs from express-session on purpose: each by name, with its reason.

use super::play::{Kind, Outcome, Record, UnsetOption};

/// A difference on purpose. What is not named here is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// express: with `unset: 'destroy'`, `req.session.destroy()` reaches the store twice, at the call and at the end. Here the
    /// awaited call was the end of it.
    DoubleDestroy,
    /// express destroys the id of a session that was never stored. Here there is nothing to destroy, and no call.
    NeverStoredNotDestroyed,
    /// express asks the store for the id of a session that was never stored. Here `reload` answers `Missing` at once.
    NeverStoredNotReread,
    /// express touches a session that an explicit `save` has just written. Here the write has prolonged it.
    TouchAfterSave,
    /// express writes a session that was regenerated and saved once more at the end. Here it is stored once, by the commit: a
    /// regenerated session cannot be saved before (R12).
    SecondSaveAfterRegenerate,
    /// express stores an unmodified new session on an explicit `save` and sends no cookie, so nobody ever finds the record. Here
    /// a stored session's cookie is on its way (R12).
    OrphanGetsItsCookie,
    /// express destroys the old session, then stores the regenerated one. Here the new one is stored first, so that nothing is
    /// lost between.
    InsertBeforeDestroy,
    /// express lets a handler modify the session after its headers have gone, and stores that, with the cookie missing. Here a
    /// response is returned, and a handle that outlives it changes nothing.
    WriteThenModify,
}

impl Difference {
    /// In the order in which they are applied.
    pub const ALL: [Self; 8] = [
        Self::DoubleDestroy,
        Self::NeverStoredNotDestroyed,
        Self::NeverStoredNotReread,
        Self::TouchAfterSave,
        Self::SecondSaveAfterRegenerate,
        Self::OrphanGetsItsCookie,
        Self::InsertBeforeDestroy,
        Self::WriteThenModify,
    ];

    /// Whether it shows in this situation. Judged by the situation alone, never by what express did.
    pub fn applies(self, record: &Record) -> bool {
        use Kind::*;
        let stored = record.has_stored_session();
        let kind = record.handler;
        let regenerates = matches!(kind, Regenerate | RegenerateModify | RegenerateModifySave);
        let unset_destroys = record.unset == UnsetOption::Destroy;
        match self {
            Self::DoubleDestroy => stored && kind == Destroy && unset_destroys,
            Self::NeverStoredNotDestroyed => {
                !stored && (kind == Destroy || regenerates || (matches!(kind, SetNull | Delete) && unset_destroys))
            }
            Self::NeverStoredNotReread => !stored && matches!(kind, Reload | ModifyReload | ReloadSave),
            Self::TouchAfterSave => stored && record.touch_impl && matches!(kind, Save | ModifySave | ReloadSave),
            Self::SecondSaveAfterRegenerate => kind == RegenerateModifySave,
            Self::OrphanGetsItsCookie => !stored && !record.save_uninitialized && matches!(kind, Save | ReloadSave),
            Self::InsertBeforeDestroy => stored && regenerates,
            Self::WriteThenModify => {
                kind == WriteThenModify && if stored { !record.resave } else { !record.save_uninitialized }
            }
        }
    }

    /// express's outcome, as it is here.
    pub fn rewrite(self, record: &Record, express: Outcome) -> Outcome {
        let Outcome { mut calls, mut cookie } = express;
        match self {
            Self::DoubleDestroy | Self::SecondSaveAfterRegenerate => {
                let again = calls.pop();
                assert_eq!(calls.last(), again.as_ref(), "not twice: {record:?}");
            }
            Self::NeverStoredNotDestroyed => calls.retain(|call| call != "destroy N1"),
            Self::NeverStoredNotReread => calls.retain(|call| call != "get N1"),
            Self::TouchAfterSave => calls.retain(|call| call != "touch C"),
            Self::OrphanGetsItsCookie => cookie = with_expiry("N1", record),
            Self::InsertBeforeDestroy => calls[1..].reverse(),
            Self::WriteThenModify => {
                calls.pop();
                if record.has_stored_session() && record.touch_impl {
                    calls.push("touch C".to_owned());
                }
            }
        }
        Outcome { calls, cookie }
    }
}

fn with_expiry(id: &str, record: &Record) -> String {
    let expiry = if record.max_age.is_some() { "+exp" } else { "" };
    format!("{id}{expiry}")
}
