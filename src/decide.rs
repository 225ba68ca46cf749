//! Stage 6: what a request did, and the policy, decide what happens in the store and what cookie goes out.
//!
//! Pure and total: [`decide`] has no wildcard arm, so the table in its source is the documentation, and a new fact or
//! policy does not compile before every record has an answer. It is checked against every recorded outcome of the real
//! express-session and, exhaustively, against the invariants at the end of this file.

/// What the request's session is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// No usable session was presented.
    New,
    /// A stored session was presented and loaded.
    Found,
    /// A superseded cookie of the last minute: an anonymous session that must not disturb the new one (R6).
    Late,
    /// Two different live sessions were presented (R3): an anonymous session, nothing stored.
    Ambiguous,
}

/// The strongest thing that was asked of the session. Later ones outweigh earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Intent {
    /// Go on.
    Keep,
    /// A new verifier.
    Rotate,
    /// Begin afresh, in a new record.
    Regenerate,
    /// express: the handler took the session off the request.
    Unset,
    /// End the session.
    Destroy,
}

/// What became of the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sign {
    /// Nothing.
    Unchanged,
    /// Signed in: the first identity, another one, or the same again.
    In,
    /// Signed out.
    Out,
    /// Signed out, then in: where the sign-in is not committed, the sign-out still is.
    OutIn,
}

/// The response, as far as it matters here (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    /// Below 400.
    Success,
    /// 400 to 499, but 408.
    Refused,
    /// 500 and above, 408, an error of the inner service, a panic, a dropped future.
    Failed,
}

/// Everything that the decision may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    pub(crate) origin: Origin,
    pub(crate) intent: Intent,
    pub(crate) sign: Sign,
    pub(crate) status: Status,
    /// The session differs from what it was when the request began.
    pub(crate) modified: bool,
    /// Something is not written yet.
    pub(crate) pending: bool,
    /// An awaited `save` has written the session in this request.
    pub(crate) saved: bool,
    /// The session's own cookie attributes changed, and the browser does not know it yet.
    pub(crate) cookie_changed: bool,
    /// The cookie has an expiry.
    pub(crate) expires: bool,
    /// The request is activity, and enough time has passed since the last touch.
    pub(crate) touch_due: bool,
    /// The verifier is older than the renewal period.
    pub(crate) renewal_due: bool,
    /// The cookie was signed with a previous secret.
    pub(crate) resign: bool,
    /// The presented verifier is the current one, so that sending it again cannot overwrite a newer cookie.
    pub(crate) current: bool,
    /// The cookie may travel on this connection.
    pub(crate) sendable: bool,
}

/// When an unmodified session is written (express: `resave`).
///
/// Given to [`Builder::resave`](crate::config::builder::Builder::resave).
///
/// ```
/// # use http_session::{MemoryStore, config::express::Resave, Secret, SessionConfig};
/// # let builder = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.resave(Resave::WhenModified).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resave {
    /// Never; it is touched instead. express: `resave: false`.
    #[default]
    WhenModified,
    /// With every request. express: `resave: true`.
    Always,
}

/// Whether a session that nobody wrote to is stored (express: `saveUninitialized`).
///
/// Given to [`Builder::save_uninitialized`](crate::config::builder::Builder::save_uninitialized).
///
/// ```
/// # use http_session::{MemoryStore, config::express::SaveUninitialized, Secret, SessionConfig};
/// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.save_uninitialized(SaveUninitialized::Always).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SaveUninitialized {
    /// No: no record and no cookie before there is something to keep. express: `saveUninitialized: false`.
    #[default]
    Never,
    /// Yes: a record and a cookie for every visitor. express: `saveUninitialized: true`.
    Always,
}

/// What [`Session::unset`](crate::Session::unset) does with the stored session (express: `unset`).
///
/// Given to [`Builder::unset`](crate::config::builder::Builder::unset).
///
/// ```
/// # use http_session::{MemoryStore, Secret, SessionConfig, config::express::Unset};
/// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.unset(Unset::Keep).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unset {
    /// The record stays as it was. express: `unset: 'keep'`.
    Keep,
    /// The record is destroyed. express: `unset: 'destroy'`.
    #[default]
    Destroy,
}

/// Which responses commit a request's changes (R11).
///
/// Given to [`Builder::commit_on`](crate::config::builder::Builder::commit_on).
///
/// ```
/// # use http_session::{config::CommitOn, MemoryStore, Secret, SessionConfig};
/// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.commit_on(CommitOn::AnyStatus).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommitOn {
    /// Ordinary changes below 500 (but 408), sign-ins below 400, sign-outs always.
    #[default]
    Success,
    /// All of them, as in express-session.
    AnyStatus,
}

/// Which cookie an ended session leaves (express-session 1.x: none).
///
/// Given to [`Builder::removal`](crate::config::builder::Builder::removal).
///
/// ```
/// # use http_session::{MemoryStore, config::Removal, Secret, SessionConfig};
/// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.removal(Removal::Nothing).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Removal {
    /// A removal cookie.
    #[default]
    Cookie,
    /// None: the browser keeps a cookie that fits nothing.
    Nothing,
}

/// When a known session's cookie is sent again without `rolling`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Resend {
    /// With a new verifier, or with new attributes of its own.
    #[default]
    WhenChanged,
    /// express: when the session was modified and the cookie has an expiry. A change of the cookie's attributes alone is
    /// no modification there: it is neither stored nor sent.
    WhenModified,
}

/// The configured policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    pub(crate) resave: Resave,
    pub(crate) save_uninitialized: SaveUninitialized,
    pub(crate) rolling: bool,
    pub(crate) unset: Unset,
    pub(crate) commit_on: CommitOn,
    pub(crate) removal: Removal,
    pub(crate) resend: Resend,
    pub(crate) can_touch: bool,
}

/// The one thing that happens in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StoreAction {
    Nothing,
    Insert,
    /// Insert a new session, then destroy the one it follows.
    Replace,
    Update(Write),
    Touch,
    Destroy,
}

/// How much of the request's changes an update carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    /// All.
    Everything,
    /// The sign-out alone: the response is a failure, or the rest was taken back.
    SignOut,
    /// None, but a renewal of the verifier.
    Renewal,
}

/// The cookie of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CookieAction {
    Nothing,
    Set,
    Remove,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decision {
    pub(crate) store: StoreAction,
    pub(crate) cookie: CookieAction,
}

impl Decision {
    pub(crate) const NOTHING: Self = Self { store: StoreAction::Nothing, cookie: CookieAction::Nothing };
}

/// How much of the request's changes the response allows (R11).
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
        // A sign-in that is not committed takes the request's other changes with it.
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

/// The decision. Records in the order of [`Origin`], then [`Intent`].
pub(crate) const fn decide(facts: Facts, policy: Policy) -> Decision {
    match facts.origin {
        // A new session that a `save` has stored is a stored one whose cookie is still to be sent.
        Origin::New if facts.saved => decide_stored(facts, policy),
        Origin::New => decide_new(facts, policy),
        Origin::Found => decide_stored(facts, policy),
        Origin::Late | Origin::Ambiguous => decide_aside(facts, policy),
    }
}

/// Nothing of this session is in the store.
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
    // A session whose cookie cannot be sent is not stored: nobody could ever find it (R12).
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
            // The new verifier cannot be sent: a sign-out ends the session, anything else must not lock the user out.
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
            // Of what the request did, the sign-out alone is not taken back.
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
        // Its cookie was never sent.
        (Removal::Cookie, Origin::New) => CookieAction::Nothing,
        (Removal::Cookie, Origin::Found | Origin::Late | Origin::Ambiguous) => CookieAction::Remove,
    };
    Decision { store: StoreAction::Destroy, cookie }
}

/// A stored session that goes on under its verifier.
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

/// An anonymous session beside the one that the browser has: only a new one may take its place (R3, R6).
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
        // A superseded cookie may always sign out; what it finds decides about the removal cookie.
        (Intent::Destroy, _, Origin::Late) => Decision { store: StoreAction::Destroy, cookie: CookieAction::Nothing },
        (Intent::Destroy, _, Origin::New | Origin::Found | Origin::Ambiguous) => Decision::NOTHING,
    }
}

#[cfg(test)]
mod tests;
