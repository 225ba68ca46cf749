//! A store whose calls wait until the scheduler lets them act, and again until it lets their answers arrive.

use std::sync::Arc;

use http_session::SessionId;
use http_session::SessionStore;
use http_session::error::{StoreError, StoreErrorKind};
use http_session::record::{Epoch, Lifetime, Patch, Record};
use http_session::store::{Destroyed, Inserted, Touched, Updated};

use super::behind::Behind;
use super::world::World;

/// A store call.
#[derive(Clone, Debug)]
pub enum Act {
    Load(SessionId),
    Insert(SessionId, Record, Lifetime),
    Update(SessionId, Patch, Lifetime),
    Touch(SessionId, Epoch, Lifetime),
    Destroy(SessionId, Option<Epoch>),
}

/// The answer of a store call.
#[derive(Debug)]
pub enum Answer {
    Record(Option<Box<Record>>),
    Inserted(Inserted),
    Updated(Updated),
    Touched(Touched),
    Destroyed(Destroyed),
}

/// What goes wrong with a store call.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The call does nothing, and its error says so.
    Refused,
    /// The call does nothing, and the result is unknown.
    LostCall,
    /// The call does its work, but the result is unknown.
    LostAnswer,
    /// The result is unknown, and the call does its work later.
    LateCall,
}

impl Act {
    pub const fn id(&self) -> &SessionId {
        match self {
            Self::Load(id)
            | Self::Insert(id, ..)
            | Self::Update(id, ..)
            | Self::Touch(id, ..)
            | Self::Destroy(id, _) => id,
        }
    }

    const fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Load(_) => ("load", "loaded"),
            Self::Insert(..) => ("insert", "inserted"),
            Self::Update(..) => ("update", "updated"),
            Self::Touch(..) => ("touch", "touched"),
            Self::Destroy(..) => ("destroy", "destroyed"),
        }
    }
}

#[derive(Clone)]
pub struct Gated {
    pub inner: Behind,
    pub world: Arc<World>,
    pub is_instant: bool,
}

impl Gated {
    pub fn peek(&self, id: &SessionId) -> Option<Record> {
        self.inner.load(id).expect("a record or nothing")
    }

    /// Makes the call as one atomic step, and checks what must hold.
    fn act(&self, visit: usize, act: &Act) -> Result<Answer, StoreErrorKind> {
        let acted = self.inner.perform(act);
        let mut inner = self.world.lock();
        let place = inner.truth.place(act.id());
        match acted {
            Ok(acted) => {
                inner.note(|| format!("    {visit} record {place}: {} {}", act.names().1, brief(&acted.answer)));
                inner.truth.acted(visit, act, acted.before.as_ref(), &acted.answer, acted.after);
                Ok(acted.answer)
            }
            Err(error) => {
                inner.truth.fail(visit, &format!("record {place}: {} failed by itself: {error:?}", act.names().0));
                Err(error.kind())
            }
        }
    }

    fn fault(&self, visit: usize) -> Option<Fault> {
        let mut inner = self.world.lock();
        if !inner.is_faulty || !inner.dice.one_in(6) {
            return None;
        }
        let late = if self.is_instant { 0 } else { 2 };
        let faults = [(3, Fault::Refused), (1, Fault::LostCall), (3, Fault::LostAnswer), (late, Fault::LateCall)];
        let fault = inner.dice.weighted(&faults);
        inner.truth.course(visit).faulted = true;
        inner.note(|| format!("    {visit} fault: {fault:?}"));
        Some(fault)
    }

    async fn call(&self, act: Act) -> Result<Answer, StoreError> {
        let (first, second) = act.names();
        let visit = if self.is_instant { self.world.lock().visit() } else { self.world.gate(first).await };
        let unknown = match act {
            Act::Load(_) => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Unknown,
        };
        let answer = match self.fault(visit) {
            None => self.act(visit, &act),
            Some(Fault::Refused) => Err(StoreErrorKind::Refused),
            Some(Fault::LostCall) => Err(unknown),
            Some(Fault::LostAnswer) => {
                let _ = self.act(visit, &act);
                Err(unknown)
            }
            Some(Fault::LateCall) => {
                let store = self.clone();
                tokio::spawn(async move {
                    let visit = store.world.gate("late call").await;
                    let _ = store.act(visit, &act);
                });
                Err(unknown)
            }
        };
        if !self.is_instant {
            self.world.gate(second).await;
        }
        answer.map_err(StoreError::new)
    }
}

fn brief(answer: &Answer) -> String {
    match answer {
        Answer::Record(None) => "nothing".to_owned(),
        Answer::Record(Some(record)) if record.is_tombstone() => "tombstone".to_owned(),
        Answer::Record(Some(record)) => format!("epoch {}", record.epoch.0),
        Answer::Updated(Updated::Conflict(_)) => "Conflict".to_owned(),
        Answer::Updated(updated) => format!("{updated:?}"),
        Answer::Inserted(inserted) => format!("{inserted:?}"),
        Answer::Touched(touched) => format!("{touched:?}"),
        Answer::Destroyed(destroyed) => format!("{destroyed:?}"),
    }
}

impl SessionStore for Gated {
    fn is_instant(&self) -> bool {
        self.is_instant
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        match self.call(Act::Load(id.clone())).await? {
            Answer::Record(record) => Ok(record.map(|record| *record)),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        match self.call(Act::Insert(id.clone(), record.clone(), lifetime)).await? {
            Answer::Inserted(inserted) => Ok(inserted),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        match self.call(Act::Update(id.clone(), patch.clone(), lifetime)).await? {
            Answer::Updated(updated) => Ok(updated),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        match self.call(Act::Touch(id.clone(), epoch, lifetime)).await? {
            Answer::Touched(touched) => Ok(touched),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        match self.call(Act::Destroy(id.clone(), epoch)).await? {
            Answer::Destroyed(destroyed) => Ok(destroyed),
            answer => unreachable!("{answer:?}"),
        }
    }
}
