//! The intended differences from express-session, each with a name and a reason.

use super::play::{Decision, Kind, Outcome, UnsetOption};

/// An intended difference. Everything else is the same as in express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// With `unset: 'destroy'`, express's `req.session.destroy()` calls the store twice: at once and at the end of the
    /// request. Here the awaited call is the only store call.
    DoubleDestroy,
    /// express destroys a session that was never stored. Here there is nothing to destroy, so there is no store call.
    NeverStoredNotDestroyed,
    /// express loads a session that was never stored. Here `reload` answers `Missing` at once.
    NeverStoredNotReread,
    /// express touches a session that an explicit `save` has just written. Here the write itself extends its life.
    TouchAfterSave,
    /// express writes a session that was regenerated and saved a second time at the end. Here only the commit stores
    /// it: a regenerated session cannot be saved earlier (R12).
    SecondSaveAfterRegenerate,
    /// On an explicit `save`, express stores an unmodified new session without sending a cookie, so no client can ever
    /// return to it. Here the cookie of a stored session is always sent (R12).
    OrphanGetsItsCookie,
    /// express destroys the old session before it stores the regenerated one. Here the new session is stored first, so
    /// that a failure between the two calls loses nothing.
    InsertBeforeDestroy,
    /// express lets a handler modify the session after the headers have been sent, and stores the change without a
    /// cookie. Here a handler returns its response, and a handle that outlives it changes nothing.
    WriteThenModify,
}

impl Difference {
    /// All differences, in the order in which they are applied.
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

    /// Whether the difference applies. This depends on the situation alone, never on what express did.
    pub fn applies(self, decision: &Decision) -> bool {
        use Kind::*;
        let stored = decision.has_stored_session();
        let kind = decision.handler;
        let regenerates = matches!(kind, Regenerate | RegenerateModify | RegenerateModifySave);
        let unset_destroys = decision.unset == UnsetOption::Destroy;
        match self {
            Self::DoubleDestroy => stored && kind == Destroy && unset_destroys,
            Self::NeverStoredNotDestroyed => {
                !stored && (kind == Destroy || regenerates || (matches!(kind, SetNull | Delete) && unset_destroys))
            }
            Self::NeverStoredNotReread => !stored && matches!(kind, Reload | ModifyReload | ReloadSave),
            Self::TouchAfterSave => stored && decision.touch_impl && matches!(kind, Save | ModifySave | ReloadSave),
            Self::SecondSaveAfterRegenerate => kind == RegenerateModifySave,
            Self::OrphanGetsItsCookie => !stored && !decision.save_uninitialized && matches!(kind, Save | ReloadSave),
            Self::InsertBeforeDestroy => stored && regenerates,
            Self::WriteThenModify => {
                kind == WriteThenModify && if stored { !decision.resave } else { !decision.save_uninitialized }
            }
        }
    }

    /// Turns express's outcome into the outcome that is expected here.
    pub fn rewrite(self, decision: &Decision, express: Outcome) -> Outcome {
        let Outcome { mut calls, mut cookie } = express;
        match self {
            Self::DoubleDestroy | Self::SecondSaveAfterRegenerate => {
                let again = calls.pop();
                assert_eq!(calls.last(), again.as_ref(), "the last call is not repeated: {decision:?}");
            }
            Self::NeverStoredNotDestroyed => calls.retain(|call| call != "destroy N1"),
            Self::NeverStoredNotReread => calls.retain(|call| call != "get N1"),
            Self::TouchAfterSave => calls.retain(|call| call != "touch C"),
            Self::OrphanGetsItsCookie => cookie = with_expiry("N1", decision),
            Self::InsertBeforeDestroy => calls[1..].reverse(),
            Self::WriteThenModify => {
                calls.pop();
                if decision.has_stored_session() && decision.touch_impl {
                    calls.push("touch C".to_owned());
                }
            }
        }
        Outcome { calls, cookie }
    }
}

fn with_expiry(id: &str, decision: &Decision) -> String {
    let expiry = if decision.max_age.is_some() { "+exp" } else { "" };
    format!("{id}{expiry}")
}
