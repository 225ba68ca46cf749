//! Checks every combination of facts and policy, reachable or not, against the rules: 63 million decisions.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::nonminimal_bool, reason = "each rule reads as it is said")]

use super::*;

const POLICIES: usize = 256;
const FLAGS: u32 = 10;

const STATUSES: [Status; 3] = [Status::Success, Status::Refused, Status::Failed];
const INTENTS: [Intent; 5] = [Intent::Keep, Intent::Rotate, Intent::Regenerate, Intent::Unset, Intent::Destroy];
const SIGNS: [Sign; 4] = [Sign::Unchanged, Sign::In, Sign::Out, Sign::OutIn];

/// The bits of an index into [`ALL`].
const RESAVE: usize = 1;
const SAVE_UNINITIALIZED: usize = 2;
const ROLLING: usize = 4;
const UNSET: usize = 8;
const COMMIT_ON: usize = 16;
const REMOVAL: usize = 32;
const RESEND: usize = 64;
const CAN_TOUCH: usize = 128;

const fn policy(index: usize) -> Policy {
    const fn has(index: usize, bit: usize) -> bool {
        index & bit != 0
    }
    Policy {
        resave: if has(index, RESAVE) { Resave::Always } else { Resave::WhenModified },
        save_uninitialized: if has(index, SAVE_UNINITIALIZED) {
            SaveUninitialized::Always
        } else {
            SaveUninitialized::Never
        },
        rolling: has(index, ROLLING),
        unset: if has(index, UNSET) { Unset::Destroy } else { Unset::Keep },
        commit_on: if has(index, COMMIT_ON) { CommitOn::AnyStatus } else { CommitOn::Success },
        removal: if has(index, REMOVAL) { Removal::Nothing } else { Removal::Cookie },
        resend: if has(index, RESEND) { Resend::WhenModified } else { Resend::WhenChanged },
        can_touch: has(index, CAN_TOUCH),
    }
}

/// All policies, each at its index.
static ALL: [Policy; POLICIES] = {
    let mut all = [policy(0); POLICIES];
    let mut index = 0;
    while index < POLICIES {
        all[index] = policy(index);
        index += 1;
    }
    all
};

const fn flags(facts: Facts, bits: u32) -> Facts {
    Facts {
        modified: bits & 1 != 0,
        pending: bits & 2 != 0,
        saved: bits & 4 != 0,
        cookie_changed: bits & 8 != 0,
        expires: bits & 16 != 0,
        touch_due: bits & 32 != 0,
        renewal_due: bits & 64 != 0,
        resign: bits & 128 != 0,
        current: bits & 256 != 0,
        sendable: bits & 512 != 0,
        ..facts
    }
}

/// A session of this origin, with all flags false.
const fn facts(origin: Origin) -> Facts {
    flags(
        Facts {
            origin,
            intent: Intent::Keep,
            sign: Sign::Unchanged,
            status: Status::Success,
            modified: false,
            pending: false,
            saved: false,
            cookie_changed: false,
            expires: false,
            touch_due: false,
            renewal_due: false,
            resign: false,
            current: false,
            sendable: false,
        },
        0,
    )
}

/// The decisions of one situation, by status and policy.
type Decisions = [[Decision; POLICIES]; 3];

/// Calls `check` for every situation of an origin, the status aside.
fn for_all(origin: Origin, check: impl Fn(Facts, &Decisions)) {
    let mut decisions = [[Decision::NOTHING; POLICIES]; 3];
    for intent in INTENTS {
        for sign in SIGNS {
            for bits in 0..1 << FLAGS {
                let facts = flags(Facts { intent, sign, ..facts(origin) }, bits);
                for (status, record) in STATUSES.into_iter().zip(&mut decisions) {
                    for (&policy, decision) in ALL.iter().zip(record) {
                        *decision = decide(Facts { status, ..facts }, policy);
                    }
                }
                check(facts, &decisions);
            }
        }
    }
}

/// Whether the request signed in.
const fn is_in(sign: Sign) -> bool {
    matches!(sign, Sign::In | Sign::OutIn)
}

/// Whether the request signed out.
const fn is_out(sign: Sign) -> bool {
    matches!(sign, Sign::Out | Sign::OutIn)
}

/// Whether ordinary changes may be written (R11), written differently from the code under test.
const fn allows(facts: Facts, policy: Policy) -> bool {
    match policy.commit_on {
        CommitOn::AnyStatus => true,
        CommitOn::Success => match facts.status {
            Status::Success => true,
            Status::Refused => !is_in(facts.sign),
            Status::Failed => false,
        },
    }
}

const fn is_stored(facts: Facts) -> bool {
    match facts.origin {
        Origin::New => facts.saved,
        Origin::Found => true,
        Origin::Late | Origin::Ambiguous => false,
    }
}

const fn writes_everything(decision: Decision) -> bool {
    matches!(decision.store, StoreAction::Insert | StoreAction::Replace | StoreAction::Update(Write::Everything))
}

fn store_follows_the_rules(facts: Facts, policy: Policy, decision: Decision) -> bool {
    let stored = is_stored(facts);
    let allowed = allows(facts, policy);
    let rule = match decision.store {
        StoreAction::Nothing => true,
        // R8: nothing is inserted while the stored session continues.
        StoreAction::Insert => allowed && !stored && facts.sendable,
        // Only `regenerate`, or a sign-in in place of tossed sessions, replaces.
        StoreAction::Replace => {
            allowed
                && facts.sendable
                && (facts.intent == Intent::Regenerate && (stored || facts.origin == Origin::Ambiguous)
                    || facts.origin == Origin::Ambiguous && is_in(facts.sign))
        }
        StoreAction::Update(Write::Everything) => allowed && stored && facts.intent <= Intent::Rotate,
        StoreAction::Update(Write::SignOut) => stored && is_out(facts.sign) && facts.sendable,
        StoreAction::Update(Write::Renewal) => {
            stored && facts.renewal_due && facts.current && facts.sendable && decision.cookie == CookieAction::Set
        }
        StoreAction::Touch => stored && facts.touch_due && policy.can_touch && !facts.saved,
        StoreAction::Destroy => {
            let ends = facts.intent == Intent::Destroy
                || facts.intent == Intent::Unset && policy.unset == Unset::Destroy
                || !facts.sendable && (facts.intent == Intent::Regenerate || is_out(facts.sign));
            ends && (stored || facts.origin == Origin::Late)
        }
    };
    // R3, R6: if the browser has another session, only the beginning or end of a session reaches the store.
    let aside = matches!(facts.origin, Origin::Late | Origin::Ambiguous)
        && !is_in(facts.sign)
        && !matches!(facts.intent, Intent::Regenerate | Intent::Destroy);
    // A session that the handler keeps is not destroyed.
    let goes_on = facts.intent == Intent::Keep && decision.store == StoreAction::Destroy;
    rule && !(aside && decision.store != StoreAction::Nothing) && !goes_on
}

fn cookie_follows_the_rules(facts: Facts, policy: Policy, decision: Decision) -> bool {
    let begins = matches!(decision.store, StoreAction::Insert | StoreAction::Replace);
    match decision.cookie {
        // R12: if a session is stored now, its cookie is sent, unless it cannot be sent.
        CookieAction::Nothing => !begins && !(facts.origin == Origin::New && is_first_sent(facts, decision)),
        CookieAction::Set => {
            let fresh = begins || facts.intent == Intent::Rotate && matches!(decision.store, StoreAction::Update(_));
            let fresh = fresh || matches!(decision.store, StoreAction::Update(Write::SignOut));
            facts.sendable
                // R12: a cookie with a value is sent only for a stored session.
                && (is_stored(facts) || begins)
                && decision.store != StoreAction::Destroy
                // R6: only the current verifier is sent again.
                && (facts.current || fresh || facts.origin == Origin::New)
        }
        CookieAction::Remove => {
            policy.removal == Removal::Cookie && facts.origin == Origin::Found && decision.store == StoreAction::Destroy
        }
    }
}

/// A new session that a `save` has stored and that is not destroyed.
fn is_first_sent(facts: Facts, decision: Decision) -> bool {
    facts.saved && facts.sendable && decision.store != StoreAction::Destroy
}

/// The cookie of a kept session is sent again exactly if there is a reason to (R7, R12, R25).
fn a_cookie_is_sent_again_for_a_reason(facts: Facts, policy: Policy, decision: Decision) -> bool {
    if facts.intent != Intent::Keep || !is_stored(facts) {
        return true;
    }
    let written = decision.store == StoreAction::Update(Write::Everything);
    let rolls = policy.rolling && (facts.touch_due || written);
    let changed = match policy.resend {
        Resend::WhenChanged => facts.cookie_changed,
        Resend::WhenModified => facts.modified && facts.expires,
    };
    let again = rolls || facts.resign || facts.renewal_due || changed && allows(facts, policy);
    let sent = facts.sendable && (facts.origin == Origin::New || facts.current && again);
    (decision.cookie == CookieAction::Set) == sent
}

/// Everything that the handler asked for and the response allows happens.
fn nothing_is_lost(facts: Facts, policy: Policy, decision: Decision) -> bool {
    let stored = is_stored(facts);
    let allowed = allows(facts, policy);
    let reaches = writes_everything(decision)
        || matches!(decision.store, StoreAction::Update(Write::SignOut) | StoreAction::Destroy);
    // Every change of identity comes with at least a rotation.
    let signs_out = is_out(facts.sign) && facts.intent >= Intent::Rotate && stored;
    let signs_in = is_in(facts.sign) && matches!(facts.intent, Intent::Rotate | Intent::Regenerate);
    let resaves = policy.resave == Resave::Always && !facts.saved;
    let writes = facts.intent == Intent::Keep && (facts.pending || resaves) && stored;
    let creates = facts.intent == Intent::Keep && facts.modified && facts.origin == Origin::New && facts.sendable;
    let destroys = facts.intent == Intent::Destroy && (stored || facts.origin == Origin::Late);
    (!signs_out || reaches)
        && (!(signs_in && allowed && facts.sendable) || writes_everything(decision))
        && (!(writes && allowed) || decision.store == StoreAction::Update(Write::Everything))
        && (!(creates && allowed && !facts.saved) || decision.store == StoreAction::Insert)
        && (!destroys || decision.store == StoreAction::Destroy)
}

/// A request that only reads causes at most a touch or a renewal of its verifier. The same holds after a `save` of all
/// changes.
fn a_read_stays_a_read(facts: Facts, policy: Policy, decision: Decision) -> bool {
    let reads = facts.intent == Intent::Keep
        && facts.sign == Sign::Unchanged
        && !(facts.modified || facts.pending || facts.cookie_changed)
        && policy.resave == Resave::WhenModified
        && policy.save_uninitialized == SaveUninitialized::Never;
    let has_saved = facts.intent == Intent::Keep && facts.saved && is_stored(facts) && !facts.pending;
    !(reads || has_saved)
        || matches!(decision.store, StoreAction::Nothing | StoreAction::Touch | StoreAction::Update(Write::Renewal))
}

/// Each setting changes only what it is for.
fn each_setting_has_its_own_effect(facts: Facts, record: &[Decision; POLICIES]) -> bool {
    let first_write = facts.origin == Origin::New && !facts.saved;
    let pairs = |bit: usize| (0..POLICIES).filter(move |index| index & bit == 0).map(move |index| (index, index | bit));
    let same = |bit: usize| pairs(bit).all(|(without, with)| record[without] == record[with]);
    pairs(ROLLING).all(|(without, with)| record[without].store == record[with].store)
        && pairs(CAN_TOUCH).all(|(without, with)| record[without].cookie == record[with].cookie)
        && pairs(REMOVAL).all(|(with, without)| record[without].store == record[with].store)
        && (facts.intent == Intent::Unset || same(UNSET))
        && (first_write || same(SAVE_UNINITIALIZED))
}

/// Whatever a failure commits, a success commits too.
fn better_responses_commit_more(decisions: &Decisions) -> bool {
    let [success, refused, failed] = decisions;
    let writes = |record: &[Decision; POLICIES], index: usize| writes_everything(record[index]);
    (0..POLICIES).filter(|index| index & COMMIT_ON == 0).all(|index| {
        (!writes(failed, index) || writes(refused, index)) && (!writes(refused, index) || writes(success, index))
    })
}

fn each_follows_the_rules(origin: Origin) {
    for_all(origin, |facts, decisions| {
        assert!(each_setting_has_its_own_effect(facts, &decisions[0]), "{facts:?}");
        assert!(better_responses_commit_more(decisions), "{facts:?}");
        for (status, record) in STATUSES.into_iter().zip(decisions) {
            let facts = Facts { status, ..facts };
            for (index, &decision) in record.iter().enumerate() {
                if index & COMMIT_ON != 0 && status != Status::Success {
                    assert!(decision == decisions[0][index], "{facts:?}: the status counts");
                    continue;
                }
                let policy = ALL[index];
                let holds = store_follows_the_rules(facts, policy, decision)
                    && permits_everything(facts, policy) == allows(facts, policy)
                    && cookie_follows_the_rules(facts, policy, decision)
                    && a_cookie_is_sent_again_for_a_reason(facts, policy, decision)
                    && nothing_is_lost(facts, policy, decision)
                    && a_read_stays_a_read(facts, policy, decision);
                assert!(holds, "{facts:?}\n{policy:?}\n{decision:?}");
            }
        }
    });
}

#[test]
fn r8_r11_r12_every_decision_on_a_new_session_follows_the_rules() {
    each_follows_the_rules(Origin::New);
}

#[test]
fn r8_r11_r12_every_decision_on_a_found_session_follows_the_rules() {
    each_follows_the_rules(Origin::Found);
}

#[test]
fn r6_every_decision_beside_a_superseded_session_follows_the_rules() {
    each_follows_the_rules(Origin::Late);
}

#[test]
fn r3_every_decision_beside_tossed_sessions_follows_the_rules() {
    each_follows_the_rules(Origin::Ambiguous);
}
