//! Stage 6: decides one change in the store and one cookie, from what the request did and from the configured policy.
//!
//! [`decide`] is the only place that makes this decision, as one function of [`Facts`] and [`Policy`]: it reads no
//! clock, calls no store and has no state. So a test can go through all combinations, and it does: `tests.rs` checks
//! each one against the rules, and `tests/it/express` plays recorded requests of the real express-session. A condition
//! that is decided elsewhere, for example in the commit, escapes the first of these tests.
//!
//! The code is written as tables. No `match` ends in a bare `_`, so a new variant does not compile until each table has
//! a row for it.

/// Where the session of this request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// The request presented no usable session.
    New,
    /// The request presented a stored session, which was loaded.
    Found,
    /// The request presented a superseded cookie within the late window. Its anonymous session must not replace the new
    /// session that the browser is about to get (R6).
    Late,
    /// The request presented two different live sessions, so one was planted. Its anonymous session is not stored (R3).
    Ambiguous,
}

/// What the handler asked to do with the session as a whole. A later variant replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Intent {
    /// Keep the session as it is.
    Keep,
    /// Replace the verifier.
    Rotate,
    /// Begin a new session, in a new record.
    Regenerate,
    /// Drop the session from the request (express: `delete req.session`).
    Unset,
    /// End the session.
    Destroy,
}

/// How the request changed the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sign {
    /// Not at all.
    Unchanged,
    /// Sign-in: from anonymous, to another identity, or as the same identity again.
    In,
    /// Sign-out.
    Out,
    /// Sign-out, then sign-in. If the response does not allow the sign-in, the sign-out is still committed.
    OutIn,
}

/// Whether the response is a success, which decides what may be committed (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    /// Below 400.
    Success,
    /// 400 to 499, except 408.
    Refused,
    /// 500 and above, 408, an error of the inner service, a panic, or a dropped future.
    Failed,
}

/// Everything about the request that the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    pub(crate) origin: Origin,
    pub(crate) intent: Intent,
    pub(crate) sign: Sign,
    pub(crate) status: Status,
    /// The session differs from what it was when the request began.
    pub(crate) modified: bool,
    /// Some changes are not written to the store yet.
    pub(crate) pending: bool,
    /// An awaited `save` has written the session in this request.
    pub(crate) saved: bool,
    /// The session's own cookie attributes changed, and the browser has not received them yet.
    pub(crate) cookie_changed: bool,
    /// The cookie has an expiry.
    pub(crate) expires: bool,
    /// The request counts as activity, and enough time has passed since the last touch.
    pub(crate) touch_due: bool,
    /// The verifier is older than the renewal period.
    pub(crate) renewal_due: bool,
    /// The presented cookie was signed with a previous secret.
    pub(crate) resign: bool,
    /// The presented verifier is the current one. Otherwise the browser may already have a newer cookie, which sending
    /// this one again would overwrite.
    pub(crate) current: bool,
    /// The cookie can be sent with this response.
    pub(crate) sendable: bool,
}

/// Whether an unmodified session is written again (express: `resave`). Set with
/// [`Builder::resave`](crate::config::builder::Builder::resave).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resave {
    /// It is not written, only touched (express: `resave: false`).
    #[default]
    WhenModified,
    /// Each request writes it (express: `resave: true`).
    Always,
}

/// Whether a new session is stored before anything is written to it (express: `saveUninitialized`). Set with
/// [`Builder::save_uninitialized`](crate::config::builder::Builder::save_uninitialized).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SaveUninitialized {
    /// There is no record and no cookie until there is something to keep (express: `saveUninitialized: false`).
    #[default]
    Never,
    /// Every visitor gets a record and a cookie (express: `saveUninitialized: true`).
    Always,
}

/// What [`Session::unset`](crate::Session::unset) does with the stored session (express: `unset`). Set with
/// [`Builder::unset`](crate::config::builder::Builder::unset).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unset {
    /// The record stays as it was (express: `unset: 'keep'`).
    Keep,
    /// The record is destroyed (express: `unset: 'destroy'`).
    #[default]
    Destroy,
}

/// Which responses commit the changes of their request. Set with
/// [`Builder::commit_on`](crate::config::builder::Builder::commit_on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommitOn {
    /// A sign-in is committed below 400, other changes below 500 except 408, and a sign-out always.
    #[default]
    Success,
    /// Every response commits all changes, as in express-session.
    AnyStatus,
}

/// What happens to the browser's cookie when its session ends. Set with
/// [`Builder::removal`](crate::config::builder::Builder::removal).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Removal {
    /// The response removes it.
    #[default]
    Cookie,
    /// The browser keeps it, although it is no longer valid, as with express-session 1.x.
    Nothing,
}

/// When the cookie of a stored session is sent again, apart from `rolling`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Resend {
    /// If the verifier or the session's own cookie attributes changed.
    #[default]
    WhenChanged,
    /// If the session was modified and the cookie has an expiry, as in express-session. There, a change of the cookie's
    /// attributes alone does not count as a modification, and is neither stored nor sent.
    WhenModified,
}

/// The configured options that the decision depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    pub(crate) resave: Resave,
    pub(crate) save_uninitialized: SaveUninitialized,
    pub(crate) rolling: bool,
    pub(crate) unset: Unset,
    pub(crate) commit_on: CommitOn,
    pub(crate) removal: Removal,
    pub(crate) resend: Resend,
    /// The store supports `touch`. Otherwise only a write extends a session's life.
    pub(crate) can_touch: bool,
}

/// The one change that the commit makes in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StoreAction {
    Nothing,
    Insert,
    /// Insert a new session, then destroy the one that it replaces.
    Replace,
    Update(Write),
    Touch,
    Destroy,
}

/// What an update writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    /// All changes of the request.
    Everything,
    /// Only the sign-out, because the response was a failure or the handler called `unset`.
    SignOut,
    /// None of the changes, only a renewed verifier.
    Renewal,
}

/// What the response does with the browser's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CookieAction {
    Nothing,
    Set,
    Remove,
}

/// The result of [`decide`]: one change in the store, and one cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decision {
    pub(crate) store: StoreAction,
    pub(crate) cookie: CookieAction,
}

impl Decision {
    pub(crate) const NOTHING: Self = Self { store: StoreAction::Nothing, cookie: CookieAction::Nothing };
}

/// Which of the request's changes the response allows (R11).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Permitted {
    Everything,
    SignOut,
    Nothing,
}

const fn permitted(facts: Facts, policy: Policy) -> Permitted {
    match (policy.commit_on, facts.status, facts.sign) {
        (CommitOn::AnyStatus, _, _) | (CommitOn::Success, Status::Success, _) => Permitted::Everything,
        (CommitOn::Success, Status::Refused, Sign::Unchanged | Sign::Out) => Permitted::Everything,
        // If the sign-in is not committed, the other changes are not either: the handler made them for that user.
        (CommitOn::Success, Status::Refused | Status::Failed, Sign::In) => Permitted::Nothing,
        (CommitOn::Success, Status::Refused | Status::Failed, Sign::OutIn)
        | (CommitOn::Success, Status::Failed, Sign::Out) => Permitted::SignOut,
        (CommitOn::Success, Status::Failed, Sign::Unchanged) => Permitted::Nothing,
    }
}

/// Whether the response allows all of the request's changes.
pub(crate) const fn permits_everything(facts: Facts, policy: Policy) -> bool {
    matches!(permitted(facts, policy), Permitted::Everything)
}

/// Decides what a request changes in the store, and which cookie its response carries. Rows by [`Origin`], then
/// [`Intent`].
pub(crate) const fn decide(facts: Facts, policy: Policy) -> Decision {
    match facts.origin {
        // An awaited `save` has already inserted this session. Only its cookie has not been sent.
        Origin::New if facts.saved => decide_stored(facts, policy),
        Origin::New => decide_new(facts, policy),
        Origin::Found => decide_stored(facts, policy),
        Origin::Late | Origin::Ambiguous => decide_aside(facts, policy),
    }
}

/// The session is not in the store.
const fn decide_new(facts: Facts, policy: Policy) -> Decision {
    let permitted = matches!(permitted(facts, policy), Permitted::Everything);
    let wanted = match facts.intent {
        Intent::Keep | Intent::Rotate => match policy.save_uninitialized {
            SaveUninitialized::Always => true,
            SaveUninitialized::Never => facts.modified || matches!(facts.sign, Sign::In | Sign::OutIn),
        },
        // A regenerated session is stored even when it is empty, as in express.
        Intent::Regenerate => true,
        Intent::Unset | Intent::Destroy => false,
    };
    // A session whose cookie cannot be sent is not stored, because no request could ever present it (R12).
    if permitted && wanted && facts.sendable {
        Decision { store: StoreAction::Insert, cookie: CookieAction::Set }
    } else {
        Decision::NOTHING
    }
}

/// The session is in the store.
const fn decide_stored(facts: Facts, policy: Policy) -> Decision {
    let permitted = permitted(facts, policy);
    match facts.intent {
        Intent::Keep => keep(facts, policy, matches!(permitted, Permitted::Everything)),
        Intent::Rotate => match (permitted, facts.sign, facts.sendable) {
            (Permitted::Everything, _, true) => set(StoreAction::Update(Write::Everything)),
            (Permitted::SignOut, _, true) => set(StoreAction::Update(Write::SignOut)),
            // The new verifier cannot be sent, so writing it would lock the user out. A sign-out destroys the session
            // instead; anything else keeps the old verifier and writes no changes.
            (Permitted::Everything | Permitted::SignOut, Sign::Out | Sign::OutIn, false) => {
                Decision { store: StoreAction::Destroy, cookie: CookieAction::Nothing }
            }
            (Permitted::Everything | Permitted::SignOut, Sign::Unchanged | Sign::In, false) => {
                keep(facts, policy, false)
            }
            (Permitted::Nothing, _, _) => keep(facts, policy, false),
        },
        Intent::Regenerate => match (permitted, facts.sendable) {
            (Permitted::Everything, true) => set(StoreAction::Replace),
            (Permitted::Everything, false) => Decision { store: StoreAction::Destroy, cookie: CookieAction::Nothing },
            (Permitted::SignOut, true) => set(StoreAction::Update(Write::SignOut)),
            (Permitted::SignOut, false) => Decision { store: StoreAction::Destroy, cookie: CookieAction::Nothing },
            (Permitted::Nothing, _) => keep(facts, policy, false),
        },
        Intent::Unset => match (policy.unset, facts.sign, facts.origin) {
            (Unset::Destroy, _, _) => destroy(facts, policy),
            // `unset` takes back all changes of the request except a sign-out.
            (Unset::Keep, Sign::Out | Sign::OutIn, _) if facts.sendable => set(StoreAction::Update(Write::SignOut)),
            (Unset::Keep, Sign::Out | Sign::OutIn, _) => {
                Decision { store: StoreAction::Destroy, cookie: CookieAction::Nothing }
            }
            (Unset::Keep, Sign::Unchanged | Sign::In, Origin::New) => keep(facts, policy, false),
            (Unset::Keep, Sign::Unchanged | Sign::In, Origin::Found | Origin::Late | Origin::Ambiguous) => {
                Decision::NOTHING
            }
        },
        Intent::Destroy => destroy(facts, policy),
    }
}

const fn set(store: StoreAction) -> Decision {
    Decision { store, cookie: CookieAction::Set }
}

const fn destroy(facts: Facts, policy: Policy) -> Decision {
    let cookie = match (policy.removal, facts.origin) {
        (Removal::Nothing, _) => CookieAction::Nothing,
        // The browser never received its cookie.
        (Removal::Cookie, Origin::New) => CookieAction::Nothing,
        (Removal::Cookie, Origin::Found | Origin::Late | Origin::Ambiguous) => CookieAction::Remove,
    };
    Decision { store: StoreAction::Destroy, cookie }
}

/// A stored session that keeps its verifier. With `everything`, the request's changes may be written.
const fn keep(facts: Facts, policy: Policy, everything: bool) -> Decision {
    let resave = match policy.resave {
        Resave::Always => !facts.saved,
        Resave::WhenModified => false,
    };
    let renew = facts.renewal_due && facts.current && facts.sendable;
    let write = everything && (facts.pending || resave);
    let store = if write {
        StoreAction::Update(Write::Everything)
    } else if renew {
        StoreAction::Update(Write::Renewal)
    } else if facts.touch_due && policy.can_touch && !facts.saved {
        StoreAction::Touch
    } else {
        StoreAction::Nothing
    };
    let rolling = policy.rolling && (facts.touch_due || write);
    let changed = match policy.resend {
        Resend::WhenChanged => everything && facts.cookie_changed,
        Resend::WhenModified => everything && facts.modified && facts.expires,
    };
    let first = matches!(facts.origin, Origin::New);
    let again = rolling || changed || renew || facts.resign;
    let cookie =
        if facts.sendable && (first || (again && facts.current)) { CookieAction::Set } else { CookieAction::Nothing };
    Decision { store, cookie }
}

/// An anonymous session of a browser that has another session. Only a sign-in or `regenerate` may replace the browser's
/// cookie (R3, R6).
const fn decide_aside(facts: Facts, policy: Policy) -> Decision {
    let permitted = matches!(permitted(facts, policy), Permitted::Everything) && facts.sendable;
    let follows = match facts.origin {
        Origin::Ambiguous => StoreAction::Replace,
        Origin::New | Origin::Found | Origin::Late => StoreAction::Insert,
    };
    match (facts.intent, facts.sign, facts.origin) {
        (Intent::Keep | Intent::Rotate, Sign::In | Sign::OutIn, _) | (Intent::Regenerate, _, _) if permitted => {
            set(follows)
        }
        (Intent::Keep | Intent::Rotate | Intent::Regenerate, _, _) => Decision::NOTHING,
        (Intent::Unset, _, _) => Decision::NOTHING,
        // A superseded cookie can still sign out. Whether the cookie is removed depends on what the store answers, so
        // the commit decides that later.
        (Intent::Destroy, _, Origin::Late) => Decision { store: StoreAction::Destroy, cookie: CookieAction::Nothing },
        (Intent::Destroy, _, Origin::New | Origin::Found | Origin::Ambiguous) => Decision::NOTHING,
    }
}

#[cfg(test)]
mod tests;
