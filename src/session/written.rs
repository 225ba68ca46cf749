//! What an awaited write leaves of the pending changes. Pure, as [`changes`](super::changes).

use std::time::Duration;

use super::change_list::ChangeList;
use super::changes::{Flaw, Live, Verifier};
use crate::decide::{Intent, Sign};
use crate::error::MergeConflict;
use crate::record::{Clear, Fields, IdentityChange, RawJson, Record, VerifierHash};

impl Live {
    /// The store has these fields now: they are the base of what is still to be written.
    fn rebase(&mut self, stored: Fields) {
        self.base = match self.intent {
            Intent::Regenerate => Fields::EMPTY,
            Intent::Keep | Intent::Rotate | Intent::Unset | Intent::Destroy => {
                if self.clear == Clear::Nothing {
                    stored.clone()
                } else {
                    stored.iter().filter(|field| self.clear.keeps(field.keep)).collect()
                }
            }
        };
        // What no handle touched is as it is stored, in another view too.
        if self.intent != Intent::Regenerate {
            let own = |name: &str| self.touched.iter().any(|field| field.owns(name));
            let mine = self.fields.iter().filter(|field| own(field.name));
            let fields: Fields = self.base.iter().filter(|field| !own(field.name)).chain(mine).collect();
            if self.fields.as_bytes() != fields.as_bytes() {
                self.fields = fields;
            }
        }
        self.record.fields = stored;
        self.forget_unchanged();
    }

    /// An awaited write of `sent` is in the store as `stored`. What was changed since stays pending, and so does all that
    /// belongs to another view (R4).
    pub(crate) fn written(&mut self, sent: &Self, mut stored: Fields) {
        self.saved = true;
        self.cookie_written(sent.cookie.clone());
        if self.view == sent.view {
            self.fields = if self.fields.same_block(&sent.fields) {
                stored.clone()
            } else {
                let since = |name: &str| {
                    let mut touched = self.touched.iter().chain(&sent.touched);
                    touched.any(|field| field.owns(name) && self.fields.read(field) != sent.fields.read(field))
                };
                let changed = self.fields.iter().filter(|field| since(field.name));
                let fields = stored.iter().filter(|field| !since(field.name)).chain(changed).collect();
                // Such a field goes on from what was sent: if the store has joined it with another request's change, then
                // the next write finds another value than its base, and joins them too.
                let base = sent.fields.iter().filter(|field| since(field.name));
                stored = stored.iter().filter(|field| !since(field.name)).chain(base).collect();
                fields
            };
            // Changed back while it was being written: that is a change now.
            for field in &sent.touched {
                if !self.touched.iter().any(|own| own.name == field.name) {
                    self.touched.push(field);
                }
            }
        }
        self.rebase(stored);
    }

    /// An awaited gate has stored what it changed, and nothing else of the request.
    pub(crate) fn gated(&mut self, view: u32, changes: &ChangeList, stored: Fields) {
        self.saved = true;
        self.modified = true;
        if self.view == view {
            self.fields = changes.apply_to(&self.fields);
        }
        self.rebase(stored);
    }

    /// The own cookie attributes are in the store.
    fn cookie_written(&mut self, cookie: Option<RawJson>) {
        self.cookie_changed &= self.cookie != cookie;
        self.record.cookie = cookie;
    }

    /// The session is stored under an id and a verifier that the browser does not have yet.
    pub(crate) fn inserted(&mut self, stored: &Self, verifier: Verifier) {
        if self.records != stored.records {
            // It was ended while it was being stored.
            self.endings.extend(Self { saved: true, ..stored.clone() }.endable());
            return;
        }
        self.id.clone_from(&stored.id);
        self.new_id = None;
        self.record = stored.record.clone();
        self.stored_verifier = Some(verifier);
        self.written(stored, stored.record.fields.clone());
    }

    /// An awaited rotation is in the store.
    pub(crate) fn rotated(&mut self, sent: &Self, verifier: Verifier, hash: VerifierHash) {
        if self.records != sent.records {
            // It was ended while it was being rotated: the end must name the new epoch.
            for ending in self.endings.iter_mut().filter(|ending| Some(&ending.id) == sent.id.as_ref()) {
                ending.loaded = Some(sent.record.epoch.next());
                ending.claimed = sent.record.epoch.next();
            }
            return;
        }
        self.record.epoch = self.record.epoch.next();
        self.record.verifier = hash;
        self.record.previous = None;
        self.record.ages.verifier = Duration::ZERO;
        self.stored_verifier = Some(verifier);
    }

    /// The record was moved to another id.
    pub(crate) fn moved(&mut self, sent: &Self, moved: &Self, verifier: Verifier) {
        if self.records != sent.records {
            for ending in self.endings.iter_mut().filter(|ending| Some(&ending.id) == sent.id.as_ref()) {
                if let Some(id) = &moved.id {
                    ending.id = id.clone();
                }
                ending.loaded = Some(moved.record.epoch);
                ending.claimed = moved.record.epoch;
            }
            return;
        }
        self.id.clone_from(&moved.id);
        let (ages, expires_in) = (self.record.ages, self.record.expires_in);
        self.record = moved.record.clone();
        (self.record.ages, self.record.expires_in) = (ages, expires_in);
        self.stored_verifier = Some(verifier);
        self.rebase(moved.record.fields.clone());
    }

    /// An awaited sign-out is in the store: an anonymous session with a new verifier goes on.
    pub(crate) fn signed_out(&mut self, sent: &Self, verifier: Verifier, hash: VerifierHash, kept: Fields) {
        self.rotated(sent, verifier, hash);
        if self.records != sent.records {
            return;
        }
        self.record.identity_epoch = self.record.epoch;
        self.record.identity = None;
        self.record.ages.identity = Duration::ZERO;
        self.record.cookie.clone_from(&self.fresh_cookie);
        self.cookie_changed &= self.cookie != self.record.cookie;
        match self.sign {
            Sign::Out if self.view == sent.view => {
                self.sign = Sign::Unchanged;
                self.identity_change = IdentityChange::Unchanged;
                self.clear = Clear::Nothing;
                if self.intent == Intent::Rotate {
                    self.intent = Intent::Keep;
                }
            }
            Sign::OutIn => self.sign = Sign::In,
            Sign::Unchanged | Sign::In | Sign::Out => {}
        }
        self.rebase(kept);
    }

    /// Somebody else wrote the record since it was loaded: what is pending, `merged` with it, moves on top of it. The merge is
    /// the caller's, because it runs the user's code.
    pub(crate) fn adopt(&mut self, record: Record, merged: Result<Fields, MergeConflict>) {
        match merged {
            Ok(fields) => self.fields = fields,
            Err(_) => self.flaw = Some(Flaw::Conflict),
        }
        let fields = record.fields.clone();
        self.record = record;
        self.rebase(fields);
    }
}

#[cfg(test)]
mod tests;
