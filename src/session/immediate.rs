//! What a handler awaits: calls that act on the store at once (R11, R13), and run to their end once begun.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::change_list::ChangeList;
use super::changes::{Ended, Flaw, Live};
use super::slot::Slot;
use crate::decide::{Intent, Origin, Sign};
use crate::error::{SaveError, StoreError, StoreErrorKind};
use crate::middleware::write::{Failure, Written};
use crate::record::{Clear, OnConflict, Patch, Record, VerifierChange};
use crate::store::SessionId;
use crate::store::Updated;
use crate::telemetry;

/// A future that runs to its end even if nobody waits for it any more: a write that has been sent is not cut off (R11).
pub(crate) struct RunToEnd<T: Send + 'static>(Work<T>);

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Work<T: Send + 'static> {
    New(Boxed<T>),
    /// Begun, and driven by who polls it. Goes on in a task when it is dropped.
    Begun(Boxed<T>),
    /// Driven by a task.
    Task(JoinHandle<T>),
    Done,
}

impl<T: Send + 'static> RunToEnd<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Work::New(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for RunToEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out while it runs: if it panics, nobody resumes it.
        match mem::replace(&mut self.0, Work::Done) {
            Work::New(mut work) | Work::Begun(mut work) => {
                let poll = work.as_mut().poll(context);
                if poll.is_pending() {
                    self.0 = Work::Begun(work);
                }
                poll
            }
            Work::Task(mut task) => match Pin::new(&mut task).poll(context) {
                Poll::Ready(Ok(output)) => Poll::Ready(output),
                Poll::Ready(Err(error)) => match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    // The runtime is going down.
                    Err(_) => Poll::Pending,
                },
                Poll::Pending => {
                    self.0 = Work::Task(task);
                    Poll::Pending
                }
            },
            Work::Done => Poll::Pending,
        }
    }
}

impl<T: Send + 'static> Drop for RunToEnd<T> {
    fn drop(&mut self) {
        if let Work::Begun(work) = mem::replace(&mut self.0, Work::Done) {
            finish_in_background(work);
        }
    }
}

/// A call of a handler. Once it waits, a task drives it: others wait for it, so it must not depend on being polled.
pub(crate) struct Call<T: Send + 'static>(RunToEnd<T>);

impl<T: Send + 'static> Call<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(RunToEnd::new(work))
    }
}

impl<T: Send + 'static> Future for Call<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let poll = Pin::new(&mut self.0).poll(context);
        if poll.is_ready() {
            return poll;
        }
        match (mem::replace(&mut self.0.0, Work::Done), Handle::try_current()) {
            (Work::Begun(work), Ok(runtime)) => {
                self.0.0 = Work::Task(runtime.spawn(work));
                Pin::new(&mut self.0).poll(context)
            }
            (work, _) => {
                self.0.0 = work;
                Poll::Pending
            }
        }
    }
}

impl<T: Send + 'static> fmt::Debug for RunToEnd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunToEnd(..)")
    }
}

/// Spawns work that nobody waits for any more; outside of a runtime there is nobody to do it.
pub(crate) fn finish_in_background<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(work)),
        Err(_) => telemetry::commit_abandoned(),
    }
}

/// What an awaited sign-out, or the end of a session, found (R6, R11).
///
/// ```
/// # use http_session::error::StoreError;
/// # use http_session::{Session, SignedOut};
/// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
/// async fn leave(mut session: Session<Visit>) -> Result<&'static str, StoreError> {
///     Ok(match session.sign_out().await? {
///         SignedOut::Superseded => "somebody else is signed in here now",
///         _ => "good-bye",
///     })
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedOut {
    /// Nobody is signed in here any more, because of this call.
    SignedOut,
    /// Nobody was signed in.
    NotSignedIn,
    /// Another request was first.
    AlreadySignedOut,
    /// Another request signed somebody else in meanwhile; that sign-in was left alone.
    Superseded,
}

impl From<Ended> for SignedOut {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Destroyed => Self::SignedOut,
            Ended::Already => Self::AlreadySignedOut,
            Ended::Superseded => Self::Superseded,
        }
    }
}

/// Where an awaited write goes.
enum Target {
    Insert,
    Update(SessionId),
}

impl Slot {
    /// The session as it is now, and where a write of it goes.
    fn target(&self) -> Result<(Live, Target), SaveError> {
        let Some(live) = self.with(|live| live.clone()) else {
            return Err(SaveError::NoSession);
        };
        match live.flaw {
            Some(Flaw::Unencodable) => return Err(SaveError::Unencodable),
            Some(Flaw::Conflict) => return Err(SaveError::Conflict),
            Some(Flaw::Unknown) => return Err(StoreError::new(StoreErrorKind::Unknown).into()),
            None => {}
        }
        // Signed in and out again, the fields have started afresh: in the store they do so with a new epoch alone (R4, R5).
        if live.sign != Sign::Unchanged || live.intent > Intent::Rotate || live.clear != Clear::Nothing {
            return Err(SaveError::IdentityPending);
        }
        match (live.origin, &live.id) {
            (Origin::Late | Origin::Tossed, _) => Err(SaveError::Superseded),
            (Origin::New | Origin::Found, Some(id)) => {
                let id = id.clone();
                Ok((live, Target::Update(id)))
            }
            (Origin::New | Origin::Found, None) if !self.core.sendable(self, &live) => Err(SaveError::Unsendable),
            (Origin::New | Origin::Found, None) => Ok((live, Target::Insert)),
        }
    }

    /// Writes the pending fields now.
    pub(crate) async fn save(self: Arc<Self>) -> Result<(), SaveError> {
        let _turn = self.turn().await;
        self.save_now().await.inspect_err(|error| self.report(error))
    }

    fn report(&self, error: &SaveError) {
        telemetry::save_failed(&self.core, self.record_id().as_ref(), error);
    }

    async fn save_now(&self) -> Result<(), SaveError> {
        let (live, target) = self.target()?;
        let Target::Update(id) = target else {
            return self.insert_now(live, None).await;
        };
        self.core.relink(&live, &id).await?;
        match self.core.update(&id, &live.record, live.patch(), self.core.lifetime(&live)).await {
            Ok(Written::Applied { fields, .. }) => {
                self.with(|now| {
                    if now.records == live.records {
                        now.written(&live, fields)
                    }
                });
                Ok(())
            }
            Ok(Written::Missing) => Err(SaveError::Missing),
            Ok(Written::Superseded) => Err(SaveError::Superseded),
            Err(failure) => Err(self.note_unknown(failure.into())),
        }
    }

    async fn insert_now(&self, mut live: Live, changes: Option<&ChangeList>) -> Result<(), SaveError> {
        live.new_id = self.id();
        let inserted = self.core.insert(self, &mut live, Duration::ZERO).await;
        let verifier = inserted.map_err(|failure| self.note_unknown(failure.into()))?;
        live.fields = live.record.fields.clone();
        self.with(|now| {
            if let Some(changes) = changes.filter(|_| now.view == live.view) {
                now.take_fields(changes.apply_to(&now.fields), &changes.changed());
            }
            now.inserted(&live, verifier);
        });
        Ok(())
    }

    /// A write whose answer was lost may have happened: the commit must not send it again (R10).
    fn note_unknown(&self, error: SaveError) -> SaveError {
        if matches!(&error, SaveError::Store(error) if error.kind() == StoreErrorKind::Unknown) {
            self.with(|live| live.flaw = Some(Flaw::Unknown));
        }
        error
    }

    /// Writes these changes now, on condition that the store still has what was loaded (R13).
    pub(crate) async fn gate(self: Arc<Self>, changes: ChangeList, view: u32) -> Result<(), SaveError> {
        let _turn = self.turn().await;
        self.gate_now(changes, view).await.inspect_err(|error| self.report(error))
    }

    async fn gate_now(&self, changes: ChangeList, view: u32) -> Result<(), SaveError> {
        let (mut live, target) = self.target()?;
        if live.view != view {
            return Err(SaveError::IdentityPending);
        }
        let Target::Update(id) = target else {
            live.take_fields(changes.apply_to(&live.fields), &changes.changed());
            return self.insert_now(live, Some(&changes)).await;
        };
        let mut patch = Patch::unchanged(&live.record);
        patch.result = changes.apply_to(&live.record.fields);
        changes.changed().iter().for_each(|field| patch.write(field));
        patch.on_conflict = OnConflict::Refuse;
        if !self.core.fits(&patch, &live.record) {
            return Err(SaveError::TooLarge);
        }
        match self.core.update_record(&id, &patch, self.core.stored_lifetime(&live)).await {
            Ok(Updated::Applied { .. }) => {
                self.with(|now| {
                    if now.records == live.records {
                        now.gated(view, &changes, patch.result)
                    }
                });
                Ok(())
            }
            Ok(Updated::Missing) => Err(SaveError::Missing),
            Ok(Updated::Superseded) => Err(SaveError::Superseded),
            Ok(Updated::Conflict(record)) => {
                self.adopt(&live, &record);
                Err(SaveError::Conflict)
            }
            Err(error) => Err(self.note_unknown(error.into())),
        }
    }

    /// Moves what is pending on top of a record that somebody else wrote. The user's merge functions run outside of the lock.
    fn adopt(&self, live: &Live, record: &Record) {
        loop {
            let Some((patch, fields)) =
                self.with(|now| (now.records == live.records).then(|| (now.patch(), now.fields.clone()))).flatten()
            else {
                return;
            };
            let merged = patch.merge_into(&record.fields);
            let adopted = self.with(|now| {
                let is_same = now.records == live.records && now.fields.same_block(&fields) && now.clear == patch.clear;
                if is_same {
                    now.adopt(record.clone(), merged);
                }
                is_same
            });
            if adopted != Some(false) {
                return;
            }
        }
    }

    /// Records that the session ends: done at the commit unless it is awaited.
    pub(crate) fn ask_end(&self) {
        let cookie = self.core.first_cookie(self);
        self.with(|live| live.end(cookie));
    }

    /// Records a sign-out: done at the commit unless it is awaited.
    pub(crate) fn ask_sign_out(&self) {
        self.with(|live| {
            live.end_claim();
            if live.identity.is_some() {
                live.change_identity(None);
            } else if live.intent == Intent::Regenerate && live.record.identity.is_some() {
                live.sign = Sign::Out;
            }
        });
    }

    /// Signs out now.
    pub(crate) async fn sign_out(self: Arc<Self>) -> Result<SignedOut, StoreError> {
        let turn = self.turn().await;
        let Some(live) = self.with(|live| live.clone()) else {
            return Ok(SignedOut::NotSignedIn);
        };
        if live.endings.iter().any(|ending| ending.done.is_none()) {
            drop(turn);
            return self.destroy().await;
        }
        let Some(id) = live.id.as_ref().filter(|_| live.is_stored() && live.record.identity.is_some()) else {
            return Ok(if live.endings.is_empty() { SignedOut::NotSignedIn } else { SignedOut::AlreadySignedOut });
        };
        if self.core.settings.format.renames() {
            let ended = self.core.end(id, live.record.epoch, Some(live.record.epoch)).await?;
            if ended == Ended::Destroyed {
                telemetry::signed_out(&self.core, id);
            }
            self.note_ended(&live, ended);
            return Ok(ended.into());
        }
        let (verifier, hash) = self.core.draw_verifier();
        let mut patch = live.sign_out_patch();
        patch.verifier = VerifierChange::Rotate(hash);
        match self.core.update(id, &live.record, patch, self.core.lifetime(&live)).await {
            Ok(Written::Applied { fields, .. }) => {
                self.with(|now| now.signed_out(&live, verifier, hash, fields));
                Ok(SignedOut::SignedOut)
            }
            Ok(Written::Missing | Written::Superseded) => {
                let ended = self.core.end(id, live.record.epoch, None).await?;
                self.note_ended(&live, ended);
                Ok(ended.into())
            }
            Err(Failure::Store(error)) => Err(error),
            Err(Failure::Conflict | Failure::TooLarge | Failure::Unencodable | Failure::Cookie | Failure::Revoked) => {
                Err(StoreError::new(StoreErrorKind::Refused))
            }
        }
    }

    fn note_ended(&self, live: &Live, ended: Ended) {
        let cookie = self.core.first_cookie(self);
        self.with(|now| {
            if now.records == live.records {
                now.ended(live.view, ended, cookie);
            }
        });
    }

    /// Ends now what the handler has ended.
    pub(crate) async fn destroy(self: Arc<Self>) -> Result<SignedOut, StoreError> {
        let _turn = self.turn().await;
        let endings = self.with(|live| live.endings.clone()).unwrap_or_default();
        let mut answer = if endings.is_empty() { SignedOut::NotSignedIn } else { SignedOut::AlreadySignedOut };
        for (place, ending) in endings.into_iter().enumerate().filter(|(_, ending)| ending.done.is_none()) {
            let ended = self.core.end(&ending.id, ending.claimed, ending.loaded).await?;
            self.with(|now| {
                if let Some(ending) = now.endings.get_mut(place) {
                    ending.done.get_or_insert(ended);
                }
            });
            answer = match ended {
                Ended::Destroyed if ending.loaded.is_some() && !ending.identity => SignedOut::NotSignedIn,
                ended => ended.into(),
            };
        }
        Ok(answer)
    }

    /// Reads the session again; what was changed and not written is forgotten.
    pub(crate) async fn reload(self: Arc<Self>) -> Result<(), SaveError> {
        let _turn = self.turn().await;
        let Some(live) = self.with(|live| live.clone()) else {
            return Err(SaveError::NoSession);
        };
        let Some(id) = live.id.as_ref().filter(|_| live.is_stored()) else {
            return Err(SaveError::Missing);
        };
        let record = self.core.load_record(id).await?.ok_or(SaveError::Missing)?;
        if record.epoch != live.record.epoch {
            return Err(if record.is_tombstone() { SaveError::Missing } else { SaveError::Superseded });
        }
        let reloaded = self.with(|now| {
            let same = now.view == live.view;
            if same {
                now.record = record;
                now.discard();
            }
            same
        });
        if reloaded == Some(true) { Ok(()) } else { Err(SaveError::IdentityPending) }
    }
}

impl From<Failure> for SaveError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict | Failure::Revoked => Self::Conflict,
            Failure::TooLarge => Self::TooLarge,
            Failure::Unencodable => Self::Unencodable,
            Failure::Cookie => Self::NoSession,
            Failure::Store(error) => Self::Store(error),
        }
    }
}
