//! A store that has no more room (R14).

use std::sync::Arc;

use crate::answer::{Destroyed, Inserted, Updated};
use crate::conformance::check::{Check, check};
use crate::conformance::records::{LONG, NOTE, anonymous, change, difference, signed_in};
use crate::conformance::result::{CheckResult, Problem, broken, ensure, same};
use crate::conformance::run::Run;
use crate::error::StoreErrorKind;
use crate::id::SessionId;
use crate::record::Record;
use crate::session_store::SessionStore;

/// Of a small store of its own.
pub(in crate::conformance) fn bounds<S: SessionStore>(small: S) -> Vec<Check<S>> {
    let small = Arc::new(small);
    let full = move |t| full(t, Arc::clone(&small));
    vec![check("R14", "a full store answers `Full`, writes nothing, and evicts no signed-in session", full)]
}

async fn fill<S: SessionStore>(t: &Run<S>, small: &S) -> Result<Vec<(SessionId, Record)>, Problem> {
    const MOST: usize = 100_000;
    let mut stored = Vec::new();
    for _ in 0..MOST {
        let (id, record) = (t.id(), signed_in());
        match small.insert(&id, &record, LONG).await {
            Ok(Inserted::Inserted) => {
                let Some(record) = small.load(&id).await? else { return broken("a stored session is not found") };
                stored.push((id, record));
            }
            Ok(Inserted::Taken) => return broken("the insert of a new session found its id taken"),
            Err(error) if error.kind() == StoreErrorKind::Full => {
                ensure(small.load(&id).await?.is_none(), "an insert that found no room left something behind")?;
                return Ok(stored);
            }
            Err(error) => return Err(error.into()),
        }
    }
    broken("the store never said that it is full")
}

async fn full<S: SessionStore>(t: Run<S>, small: Arc<S>) -> CheckResult {
    let stored = fill(&t, &small).await?;
    for _ in 0..stored.len() {
        let _ = small.insert(&t.id(), &anonymous(), LONG).await; // a flood of visitors
    }
    for (id, record) in &stored {
        let Some(found) = small.load(id).await? else { return broken("a session that was signed in was evicted") };
        same(&found, record, "in a full store")?;
    }
    let Some((id, record)) = stored.first() else { return broken("the store is full although it is empty") };
    let large = vec![b'1'; 1 << 20];
    let patch = change(record, &[(&NOTE, Some(&large))]);
    let updated = small.update(id, &patch, LONG).await;
    let expected = match updated {
        Ok(Updated::Applied { .. }) => Record { fields: patch.result, ..record.clone() },
        Err(error) if error.kind() == StoreErrorKind::Full => record.clone(),
        Ok(_) => return broken("an update without a conflict was refused"),
        Err(error) => return Err(error.into()),
    };
    let found = small.load(id).await?;
    let whole = found.is_some_and(|found| difference(&found, &expected).is_none());
    ensure(whole, "an update in a full store happened in part")?;
    for (id, _) in &stored {
        let destroyed = small.destroy(id, None).await?;
        ensure(destroyed == Destroyed::Destroyed, "a session in a full store could not be destroyed")?;
    }
    Ok(())
}
