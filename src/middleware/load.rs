//! Stages 2 and 3: from the cookies of our name to a session, or to the reason why there is none.

use std::mem;
use std::pin::pin;
use std::time::Duration;

use smallvec::SmallVec;
use tracing::Instrument as _;

use crate::config::{CookieKeys, Core};
use crate::csrf::Subject;
use crate::decide::Origin;
use crate::error::StoreError;
use crate::record::{Epoch, Record, VerifierHash};
use crate::session::changes::{Live, Presented, Verifier};
use crate::session::slot::{Slot, State};
use crate::store::SessionId;
use crate::telemetry;
use crate::token::{SignedBy, hashes_match};

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
        let mut live = Live::new(Origin::New, Record::new(VerifierHash::NONE));
        let found = pin!(find(self, &mut live)).instrument(telemetry::load_span()).await;
        telemetry::load_ended(found.as_ref().map(|()| live.origin));
        let loaded = match found {
            Ok(()) => {
                self.begin(&mut live);
                State::Live(live)
            }
            Err(error) => {
                telemetry::load_failed(&error);
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
            live.record.cookie.clone_from(&live.cookie);
            live.fresh_cookie.clone_from(&live.cookie);
            return;
        }
        live.subject = live.id.clone().map(|id| Subject::presented(&self.core, id, &live.record));
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
        let Some(record) = core.load_record(&claim.id).await? else {
            telemetry::missing(core, &claim.id);
            continue;
        };
        match judge(slot, &claim, &record) {
            Finding::Found(_) if live.origin == Origin::Found => live.tossed.push((claim.id, record.epoch)),
            Finding::Found(presented) => {
                telemetry::loaded(core, &claim.id);
                live.found(record);
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
        toss(core, live);
    } else if let (Origin::New, Some((claim, origin))) = (live.origin, superseded) {
        live.origin = origin;
        live.claim = Some((claim.id, claim.epoch));
    }
    Ok(())
}

/// Two live sessions in one request: one of them was planted (R3).
fn toss(core: &Core, live: &mut Live) {
    let first = live.id.take().map(|id| (id, live.record.epoch));
    let tossed: Vec<_> = first.into_iter().chain(mem::take(&mut live.tossed)).collect();
    tossed.iter().for_each(|(id, _)| telemetry::tossed(core, id));
    *live = Live::new(Origin::Tossed, Record::new(VerifierHash::NONE));
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
fn judge(slot: &Slot, claim: &Claim, record: &Record) -> Finding {
    let hash = slot.core.settings.format.verifier_hash(&claim.verifier);
    if hashes_match(&record.verifier, &hash) {
        Finding::Found(Presented::Current(claim.verifier))
    } else if record.previous.is_some_and(|previous| hashes_match(&previous, &hash)) {
        Finding::Found(Presented::Previous)
    } else {
        if claim.epoch == record.epoch {
            telemetry::outdated(&slot.core, &claim.id);
        }
        let late = is_late(slot, record.ages.verifier);
        telemetry::superseded(&slot.core, &claim.id, late);
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
