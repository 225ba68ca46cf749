//! The end of a user's other sessions (R28).

use std::sync::Arc;

use super::Session;
use super::changes::Live;
use super::data::HasIdentity;
use super::immediate::Call;
use super::slot::Slot;
use crate::decide::{Intent, Origin, Sign};
use crate::error::{SaveError, StoreErrorKind};
use crate::middleware::write::Written;
use crate::record::{Patch, VerifierChange};
use crate::store::Destroyed;
use crate::store::SessionId;

impl<T: HasIdentity> Session<T> {
    pub(crate) async fn destroy_others(&mut self) -> Result<usize, SaveError> {
        self.flush();
        // Not only afterwards, as in `save`: this call may be given up.
        self.refresh();
        let result = Call::new(Arc::clone(&self.slot).destroy_others()).await;
        self.refresh();
        result
    }
}

impl Slot {
    async fn destroy_others(self: Arc<Self>) -> Result<usize, SaveError> {
        let _turn = self.turn().await;
        let live = self.with(|live| live.clone()).ok_or(SaveError::NoSession)?;
        if live.sign != Sign::Unchanged || live.intent > Intent::Rotate {
            return Err(SaveError::IdentityPending);
        }
        let (id, identity) = match (live.origin, &live.id, &live.record.identity) {
            (Origin::Late | Origin::Tossed, _, _) => return Err(SaveError::Superseded),
            (Origin::New | Origin::Found, Some(id), Some(identity)) => (id, identity),
            (Origin::New | Origin::Found, _, _) => return Err(SaveError::NotSignedIn),
        };
        if !self.core.sendable(&self, &live) {
            return Err(SaveError::Unsendable);
        }
        let own = if self.core.settings.format.renames() {
            self.move_now(&live, id).await?
        } else {
            self.rotate_now(&live, id).await?;
            id.clone()
        };
        Ok(self.core.end_all(identity, Some(&own)).await?)
    }

    /// A new verifier now, and nothing else of the request's changes.
    async fn rotate_now(&self, live: &Live, id: &SessionId) -> Result<(), SaveError> {
        let (verifier, hash) = self.core.draw_verifier();
        let mut patch = Patch::unchanged(&live.record);
        patch.verifier = VerifierChange::Rotate(hash);
        match self.core.update(id, &live.record, patch, self.core.stored_lifetime(live)).await? {
            Written::Applied { .. } => {
                self.with(|now| now.rotated(live, verifier, hash));
                Ok(())
            }
            Written::Missing => Err(SaveError::Missing),
            Written::Superseded => Err(SaveError::Superseded),
        }
    }

    /// The record under a new id now, as it is stored; the old one is destroyed.
    async fn move_now(&self, live: &Live, id: &SessionId) -> Result<SessionId, SaveError> {
        let core = &*self.core;
        let stored = core.load_record(id).await?;
        let mut record = match stored {
            None => return Err(SaveError::Missing),
            Some(record) if record.epoch != live.record.epoch => return Err(SaveError::Superseded),
            Some(record) => record,
        };
        let age = record.absolute_age();
        record.ages = live.record.ages;
        let mut moved = Live::new(Origin::New, record);
        let verifier = core.insert(self, &mut moved, age).await?;
        let left = match core.destroy_record(id, Some(live.record.epoch)).await {
            Ok(Destroyed::Destroyed) => Ok(()),
            Ok(Destroyed::Missing | Destroyed::Superseded) => Err(SaveError::Superseded),
            Err(error) if error.kind() == StoreErrorKind::Unknown => match core.is_gone(id).await {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        };
        let new = moved.id.clone().ok_or(SaveError::NoSession)?;
        match left {
            Ok(()) => {
                self.with(|now| now.moved(live, &moved, verifier));
                Ok(new)
            }
            Err(error) => {
                let _ = core.destroy_record(&new, None).await;
                Err(error)
            }
        }
    }
}
