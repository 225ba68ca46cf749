//! Stages 2 and 3: from the cookies of our name to a session, or to the reason why there is none.

use std::mem;
use std::time::Duration;

use smallvec::SmallVec;

use crate::config::CookieKeys;
use crate::csrf::Subject;
use crate::decide::Origin;
use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::{Epoch, Row, VerifierHash};
use crate::session::changes::{Live, Presented, Verifier};
use crate::session::slot::{Slot, State};
use crate::token::SignedBy;

/// A cookie whose MAC is ours.
struct Claim {
    id: SessionId,
    epoch: Epoch,
    verifier: Verifier,
    resign: bool,
}

/// What the store says of a claim (R6).
enum Finding {
    Found(Presented),
    /// Late, or exactly a request without a session; it may sign out all the same.
    Superseded(Origin),
}

impl Slot {
    /// Loads the session unless somebody has. Two that ask at the same moment both read; the first answer counts.
    pub(crate) async fn load(&self) {
        if !matches!(*self.lock(), State::Unloaded) {
            return;
        }
        let mut live = Live::new(Origin::New, Row::new(VerifierHash::NONE));
        let loaded = match find(self, &mut live).await {
            Ok(()) => {
                self.begin(&mut live);
                State::Live(live)
            }
            Err(error) => {
                tracing::error!(name: "session.load.failed", %error, "a session could not be loaded");
                State::Failed
            }
        };
        let mut state = self.lock();
        if matches!(*state, State::Unloaded) {
            *state = loaded;
        }
    }

    /// What the request itself brings to its session: cookie attributes, and the first use over https.
    fn begin(&self, live: &mut Live) {
        if live.origin != Origin::Found {
            live.cookie = self.core.first_cookie(self);
            live.row.cookie.clone_from(&live.cookie);
            live.fresh_cookie.clone_from(&live.cookie);
            return;
        }
        live.subject = live.id.clone().map(|id| Subject::presented(&self.core, id, &live.row));
        live.fresh_cookie = live.cookie.as_ref().and_then(|cookie| self.core.fresh_cookie(self, cookie));
        if let Some(cookie) = self.core.secured_cookie(self, live.cookie.as_ref()) {
            live.secured = Some(cookie);
            live.secure();
        }
    }
}

/// Makes of a new session the one that was presented, if there is one.
async fn find(slot: &Slot, live: &mut Live) -> Result<(), StoreError> {
    let core = &*slot.core;
    let mut superseded: Option<(Claim, Origin)> = None;
    for claim in claims(slot) {
        if live.id.as_ref() == Some(&claim.id) || live.tossed.iter().any(|(id, _)| *id == claim.id) {
            continue;
        }
        let Some(row) = core.store().load(&claim.id).within(core.settings.store_timeout).await? else {
            continue;
        };
        match judge(slot, &claim, &row) {
            Finding::Found(_) if live.origin == Origin::Found => live.tossed.push((claim.id, row.epoch)),
            Finding::Found(presented) => {
                live.found(row);
                live.id = Some(claim.id);
                live.presented = presented;
                live.resign = claim.resign;
            }
            Finding::Superseded(origin) => {
                if origin == Origin::Late || superseded.is_none() {
                    superseded = Some((claim, origin));
                }
            }
        }
    }
    if !live.tossed.is_empty() {
        toss(live);
    } else if let (Origin::New, Some((claim, origin))) = (live.origin, superseded) {
        live.origin = origin;
        live.claim = Some((claim.id, claim.epoch));
    }
    Ok(())
}

/// Two live sessions in one request: one of them was planted (R3).
fn toss(live: &mut Live) {
    tracing::warn!(name: "session.tossed", "two different sessions were presented; neither is used");
    let first = live.id.take().map(|id| (id, live.row.epoch));
    let tossed = first.into_iter().chain(mem::take(&mut live.tossed)).collect();
    *live = Live::new(Origin::Tossed, Row::new(VerifierHash::NONE));
    live.tossed = tossed;
}

/// The cookies that verify (R2, R3).
fn claims(slot: &Slot) -> SmallVec<[Claim; 1]> {
    let received = &slot.received;
    let candidates = received.candidates.iter().map(SmallVec::as_slice);
    match slot.core.keys() {
        CookieKeys::Native(keys) => keys
            .verify_all(candidates, received.fingerprint.as_deref().unwrap_or_default())
            .into_iter()
            .map(|verified| Claim {
                id: SessionId::from_selector(&verified.value.selector),
                epoch: verified.value.epoch,
                verifier: verified.value.verifier,
                resign: verified.signed_by == SignedBy::Previous,
            })
            .collect(),
        CookieKeys::Express(keys) => keys
            .verify_all(candidates)
            .into_iter()
            .map(|verified| Claim {
                id: verified.value,
                epoch: Epoch::default(),
                verifier: Verifier::default(),
                resign: verified.signed_by == SignedBy::Previous,
            })
            .collect(),
    }
}

/// Found or superseded (R6). A verifier that was renewed is as good as the current one until the next renewal.
fn judge(slot: &Slot, claim: &Claim, row: &Row) -> Finding {
    let hash = slot.core.settings.format.verifier_hash(&claim.verifier);
    if row.verifier.matches(&hash) {
        Finding::Found(Presented::Current(claim.verifier))
    } else if row.previous.is_some_and(|previous| previous.matches(&hash)) {
        Finding::Found(Presented::Previous)
    } else {
        if claim.epoch == row.epoch {
            tracing::warn!(name: "session.verifier.outdated", "a cookie came from before the last two renewals; it may be stolen");
        }
        let late = is_late(slot, row.ages.verifier);
        tracing::info!(name: "session.superseded", late, "a superseded cookie was presented");
        Finding::Superseded(if late { Origin::Late } else { Origin::New })
    }
}

/// Whether the request reached us before the verifier changed, or within the window after.
fn is_late(slot: &Slot, verifier_age: Duration) -> bool {
    let since_arrival = slot.core.elapsed().saturating_sub(slot.received.arrived);
    let window = slot.core.settings.late_window;
    let after = verifier_age.saturating_sub(since_arrival);
    verifier_age < since_arrival || (!window.is_zero() && after <= window)
}
