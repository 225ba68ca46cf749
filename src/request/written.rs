//! How a session changes when the answer of an awaited call is known.
//!
//! The store call was made with a clone of the session, called `sent` or `stored` here. `self` is the session as it is now:
//! while the call was under way, handles may have changed it, ended it, or changed its identity. Each method takes over
//! what is in the store now, and leaves pending what has been changed since.

use std::time::Duration;

use super::change_list::ChangeList;
use super::pending::Flaw;
use super::session::RequestSession;
use crate::decide::{Intent, Sign};
use crate::token::Verifier;
use http_session_store::record::{Clear, Fields, RawJson, Record, VerifierHash};

impl RequestSession {
    /// The store has these fields now. They become the base of what is still to be written.
    fn rebase(&mut self, stored: Fields) {
        self.pending.base = match self.pending.intent {
            // The next write is an insert, whatever the record that is left contains (R17).
            Intent::Regenerate => Fields::EMPTY,
            Intent::Keep | Intent::Rotate | Intent::Unset | Intent::Destroy => {
                if self.pending.clear == Clear::Nothing {
                    stored.clone()
                } else {
                    // A pending change of identity clears these fields. They must not come back with the base (R5).
                    stored.iter().filter(|field| self.pending.clear.keeps(field.keep)).collect()
                }
            }
        };
        // A field that no handle has changed is as it is stored. This holds in another view too.
        if self.pending.intent != Intent::Regenerate {
            let is_touched = |name: &str| self.pending.touched.iter().any(|field| field.owns(name));
            let touched = self.pending.fields.iter().filter(|field| is_touched(field.name));
            let untouched = self.pending.base.iter().filter(|field| !is_touched(field.name));
            let fields: Fields = untouched.chain(touched).collect();
            // Replaced only if different: handles recognise unchanged fields by their block of memory.
            if self.pending.fields.as_bytes() != fields.as_bytes() {
                self.pending.fields = fields;
            }
        }
        self.loaded.record.fields = stored;
        self.pending.forget_unchanged();
    }

    /// An awaited write of `sent` is in the store, with the fields `stored`. What was changed since stays pending. In
    /// another view all pending changes stay, since they belong to another identity or session (R4).
    pub(crate) fn written(&mut self, sent: &Self, mut stored: Fields) {
        self.done.saved = true;
        self.cookie_written(sent.pending.cookie.clone());
        if self.done.view == sent.done.view {
            // Nothing has changed since: the handles see what the store has, merged values included (R13).
            self.pending.fields = if self.pending.fields.same_block(&sent.pending.fields) {
                stored.clone()
            } else {
                // Also by the touched fields of `sent`: a field that was changed back is no longer touched now.
                let changed_since = |name: &str| {
                    let mut touched = self.pending.touched.iter().chain(&sent.pending.touched);
                    touched.any(|field| {
                        field.owns(name) && self.pending.fields.read(field) != sent.pending.fields.read(field)
                    })
                };
                let changed = self.pending.fields.iter().filter(|field| changed_since(field.name));
                let fields = stored.iter().filter(|field| !changed_since(field.name)).chain(changed).collect();
                // The base of a field that was changed since is what was sent, not what is stored: the handle has changed
                // that value. If the store has merged it with another request's change, the next write finds that the base
                // is not what the store has, and merges again.
                let base = sent.pending.fields.iter().filter(|field| changed_since(field.name));
                stored = stored.iter().filter(|field| !changed_since(field.name)).chain(base).collect();
                fields
            };
            // A field that was changed back while it was being written is a change now, against the new base. `rebase`
            // forgets those that are not.
            for field in &sent.pending.touched {
                if !self.pending.touched.iter().any(|own| own.name == field.name) {
                    self.pending.touched.push(field);
                }
            }
        }
        self.rebase(stored);
    }

    /// An awaited gate has stored its own changes, and nothing else of the request. `stored` has the fields of the record
    /// now.
    pub(crate) fn gated(&mut self, view: u32, changes: &ChangeList, stored: Fields) {
        self.done.saved = true;
        self.pending.modified = true;
        // In another view, the pending fields take over only what `rebase` takes from the store (R4).
        if self.done.view == view {
            self.pending.fields = changes.apply_to(&self.pending.fields);
        }
        self.rebase(stored);
    }

    /// These cookie attributes are in the store. Attributes that were set since stay pending.
    fn cookie_written(&mut self, cookie: Option<RawJson>) {
        self.pending.cookie_changed &= self.pending.cookie != cookie;
        self.loaded.record.cookie = cookie;
    }

    /// A new session is stored, under an id and a verifier that the browser does not have yet.
    pub(crate) fn inserted(&mut self, stored: &Self, verifier: Verifier) {
        if self.done.records != stored.done.records {
            // The handler ended the session while it was being stored. At that moment it had no record to end, so its end
            // is noted here (R11).
            let mut ended = stored.clone();
            ended.done.saved = true;
            self.done.endings.extend(ended.endable());
            return;
        }
        self.loaded.id.clone_from(&stored.loaded.id);
        self.pending.new_id = None;
        self.loaded.record = stored.loaded.record.clone();
        self.done.verifier = Some(verifier);
        self.written(stored, stored.loaded.record.fields.clone());
    }

    /// An awaited rotation is in the store. The record has the next epoch, and a new verifier.
    pub(crate) fn rotated(&mut self, sent: &Self, verifier: Verifier, hash: VerifierHash) {
        if self.done.records != sent.done.records {
            // The handler ended the session while it was being rotated. In the old epoch its end would be superseded by our
            // own rotation, so it must name the new epoch (R11).
            for ending in self.done.endings.iter_mut().filter(|ending| Some(&ending.id) == sent.loaded.id.as_ref()) {
                ending.loaded = Some(sent.loaded.record.epoch.next());
                ending.claimed = sent.loaded.record.epoch.next();
            }
            return;
        }
        self.loaded.record.epoch = self.loaded.record.epoch.next();
        self.loaded.record.verifier = hash;
        self.loaded.record.previous = None;
        self.loaded.record.ages.verifier = Duration::ZERO;
        self.done.verifier = Some(verifier);
    }

    /// The record was moved to another id, as a rotation in the express format does.
    pub(crate) fn moved(&mut self, sent: &Self, moved: &Self, verifier: Verifier) {
        if self.done.records != sent.done.records {
            // The handler ended the session while it was being moved: the end must name the new record (R11).
            for ending in self.done.endings.iter_mut().filter(|ending| Some(&ending.id) == sent.loaded.id.as_ref()) {
                if let Some(id) = &moved.loaded.id {
                    ending.id = id.clone();
                }
                ending.loaded = Some(moved.loaded.record.epoch);
                ending.claimed = moved.loaded.record.epoch;
            }
            return;
        }
        self.loaded.id.clone_from(&moved.loaded.id);
        // The copy continues the session, so the ages stay (R7).
        let Record { ages, expires_in, .. } = self.loaded.record;
        self.loaded.record = moved.loaded.record.clone();
        (self.loaded.record.ages, self.loaded.record.expires_in) = (ages, expires_in);
        self.done.verifier = Some(verifier);
        self.rebase(moved.loaded.record.fields.clone());
    }

    /// An awaited sign-out is in the store. An anonymous session with a new verifier goes on in the same record.
    pub(crate) fn signed_out(&mut self, sent: &Self, verifier: Verifier, hash: VerifierHash, kept: Fields) {
        // Before the check: it also corrects the end of a session that the handler has ended meanwhile.
        self.rotated(sent, verifier, hash);
        if self.done.records != sent.done.records {
            return;
        }
        self.loaded.record.identity_epoch = self.loaded.record.epoch;
        self.loaded.record.identity = None;
        self.loaded.record.ages.identity = Duration::ZERO;
        self.loaded.record.cookie.clone_from(&self.loaded.fresh_cookie);
        self.pending.cookie_changed &= self.pending.cookie != self.loaded.record.cookie;
        match self.pending.sign {
            // The pending sign-out is the one that is done.
            Sign::Out if self.done.view == sent.done.view => {
                self.pending.sign = Sign::Unchanged;
                self.pending.clear = Clear::Nothing;
                if self.pending.intent == Intent::Rotate {
                    self.pending.intent = Intent::Keep;
                }
            }
            // A sign-in came after it, and is still pending.
            Sign::OutIn => self.pending.sign = Sign::In,
            // In another view, the handler has signed in and out again since. That sign-out is still pending.
            Sign::Unchanged | Sign::In | Sign::Out => {}
        }
        self.rebase(kept);
    }

    /// Another request has written the record since it was loaded. The pending changes move on top of it: `merged` is the
    /// result of merging them. The caller merges, because that runs the user's code, which must not happen under the lock.
    pub(crate) fn adopt(&mut self, record: Record, merged: Result<Fields, Flaw>) {
        match merged {
            Ok(fields) => self.pending.fields = fields,
            Err(flaw) => self.pending.flaw = Some(flaw),
        }
        let fields = record.fields.clone();
        self.loaded.record = record;
        self.rebase(fields);
    }
}

#[cfg(test)]
mod tests;
