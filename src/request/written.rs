//! What an awaited call leaves of the pending changes.

use std::time::Duration;

use super::change_list::ChangeList;
use super::pending::Flaw;
use super::session::RequestSession;
use crate::decide::{Intent, Sign};
use crate::error::MergeConflict;
use crate::token::Verifier;
use http_session_store::record::{Clear, Fields, RawJson, Record, VerifierHash};

impl RequestSession {
    /// The store has these fields now: they are the base of what is still to be written.
    fn rebase(&mut self, stored: Fields) {
        self.pending.base = match self.pending.intent {
            Intent::Regenerate => Fields::EMPTY,
            Intent::Keep | Intent::Rotate | Intent::Unset | Intent::Destroy => {
                if self.pending.clear == Clear::Nothing {
                    stored.clone()
                } else {
                    stored.iter().filter(|field| self.pending.clear.keeps(field.keep)).collect()
                }
            }
        };
        // What no handle touched is as it is stored, in another view too.
        if self.pending.intent != Intent::Regenerate {
            let own = |name: &str| self.pending.touched.iter().any(|field| field.owns(name));
            let mine = self.pending.fields.iter().filter(|field| own(field.name));
            let fields: Fields = self.pending.base.iter().filter(|field| !own(field.name)).chain(mine).collect();
            if self.pending.fields.as_bytes() != fields.as_bytes() {
                self.pending.fields = fields;
            }
        }
        self.loaded.record.fields = stored;
        self.pending.forget_unchanged();
    }

    /// An awaited write of `sent` is in the store as `stored`. What was changed since stays pending, and so does all that
    /// belongs to another view (R4).
    pub(crate) fn written(&mut self, sent: &Self, mut stored: Fields) {
        self.done.saved = true;
        self.cookie_written(sent.pending.cookie.clone());
        if self.done.view == sent.done.view {
            self.pending.fields = if self.pending.fields.same_block(&sent.pending.fields) {
                stored.clone()
            } else {
                let since = |name: &str| {
                    let mut touched = self.pending.touched.iter().chain(&sent.pending.touched);
                    touched.any(|field| {
                        field.owns(name) && self.pending.fields.read(field) != sent.pending.fields.read(field)
                    })
                };
                let changed = self.pending.fields.iter().filter(|field| since(field.name));
                let fields = stored.iter().filter(|field| !since(field.name)).chain(changed).collect();
                // Such a field goes on from what was sent: if the store has joined it with another request's change, then
                // the next write finds another value than its base, and joins them too.
                let base = sent.pending.fields.iter().filter(|field| since(field.name));
                stored = stored.iter().filter(|field| !since(field.name)).chain(base).collect();
                fields
            };
            // Changed back while it was being written: that is a change now.
            for field in &sent.pending.touched {
                if !self.pending.touched.iter().any(|own| own.name == field.name) {
                    self.pending.touched.push(field);
                }
            }
        }
        self.rebase(stored);
    }

    /// An awaited gate has stored what it changed, and nothing else of the request.
    pub(crate) fn gated(&mut self, view: u32, changes: &ChangeList, stored: Fields) {
        self.done.saved = true;
        self.pending.modified = true;
        if self.done.view == view {
            self.pending.fields = changes.apply_to(&self.pending.fields);
        }
        self.rebase(stored);
    }

    /// The own cookie attributes are in the store.
    fn cookie_written(&mut self, cookie: Option<RawJson>) {
        self.pending.cookie_changed &= self.pending.cookie != cookie;
        self.loaded.record.cookie = cookie;
    }

    /// The session is stored under an id and a verifier that the browser does not have yet.
    pub(crate) fn inserted(&mut self, stored: &Self, verifier: Verifier) {
        if self.done.records != stored.done.records {
            // It was ended while it was being stored.
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

    /// An awaited rotation is in the store.
    pub(crate) fn rotated(&mut self, sent: &Self, verifier: Verifier, hash: VerifierHash) {
        if self.done.records != sent.done.records {
            // It was ended while it was being rotated: the end must name the new epoch.
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

    /// The record was moved to another id.
    pub(crate) fn moved(&mut self, sent: &Self, moved: &Self, verifier: Verifier) {
        if self.done.records != sent.done.records {
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
        self.loaded.record = Record {
            ages: self.loaded.record.ages,
            expires_in: self.loaded.record.expires_in,
            ..moved.loaded.record.clone()
        };
        self.done.verifier = Some(verifier);
        self.rebase(moved.loaded.record.fields.clone());
    }

    /// An awaited sign-out is in the store: an anonymous session with a new verifier goes on.
    pub(crate) fn signed_out(&mut self, sent: &Self, verifier: Verifier, hash: VerifierHash, kept: Fields) {
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
            Sign::Out if self.done.view == sent.done.view => {
                self.pending.sign = Sign::Unchanged;
                self.pending.clear = Clear::Nothing;
                if self.pending.intent == Intent::Rotate {
                    self.pending.intent = Intent::Keep;
                }
            }
            Sign::OutIn => self.pending.sign = Sign::In,
            Sign::Unchanged | Sign::In | Sign::Out => {}
        }
        self.rebase(kept);
    }

    /// Somebody else wrote the record since it was loaded: what is pending, `merged` with it, moves on top of it. The merge is
    /// the caller's, because it runs the user's code.
    pub(crate) fn adopt(&mut self, record: Record, merged: Result<Fields, MergeConflict>) {
        match merged {
            Ok(fields) => self.pending.fields = fields,
            Err(_) => self.pending.flaw = Some(Flaw::Conflict),
        }
        let fields = record.fields.clone();
        self.loaded.record = record;
        self.rebase(fields);
    }
}

#[cfg(test)]
mod tests;
