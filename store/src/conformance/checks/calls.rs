//! How calls end: at the first poll if the store promises that, and as a whole or not at all.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::conformance::check::{Check, check};
use crate::conformance::records::{CART, LONG, NOTE, THEME, anonymous, change, difference, sign_in};
use crate::conformance::result::{CheckResult, Problem, applied, broken, ensure};
use crate::conformance::run::Run;
use crate::error::StoreError;
use crate::record::Patch;
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R18", "a store that promises to be instant answers every call at its first poll", instant),
        check("R9", "an update that is dropped half-way has happened as a whole or not at all", dropped),
    ]
}

fn at_once<T>(call: impl Future<Output = Result<T, StoreError>>, name: &str) -> Result<T, Problem> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Ok(answer?),
        Poll::Pending => broken(format!("{name} waited, though the store promises to be instant")),
    }
}

async fn instant<S: SessionStore>(t: Run<S>) -> CheckResult {
    if !t.store().is_instant() {
        return Err(Problem::Skipped("the store does not promise to be instant"));
    }
    let (id, record) = (t.id(), anonymous());
    let _ = at_once(t.store().load(&id), "a load")?;
    let _ = at_once(t.store().insert(&id, &record, LONG), "an insert")?;
    let _ = at_once(t.store().update(&id, &change(&record, &[(&NOTE, Some(b"1"))]), LONG), "an update")?;
    let _ = at_once(t.store().touch(&id, record.epoch, LONG), "a touch")?;
    let _ = at_once(t.store().destroy(&id, None), "a destroy")?;
    Ok(())
}

async fn dropped<S: SessionStore>(t: Run<S>) -> CheckResult {
    for polls in 0..t.setup.rounds {
        let (id, record) = t.fresh(&anonymous()).await?;
        let sign_in = sign_in(&record, b"8");
        let fields = change(&record, &[(&NOTE, Some(b"1")), (&CART, Some(b"2")), (&THEME, Some(b"3"))]);
        let patch = Patch { identity: sign_in.identity, verifier: sign_in.verifier, ..fields };
        polled(t.store().update(&id, &patch, LONG), polls).await;
        let after = t.record(&id).await?;
        let whole = difference(&after, &applied(&patch, &record)?).is_none();
        let nothing = difference(&after, &record).is_none();
        ensure(whole || nothing, &format!("an update that was dropped after {polls} polls has happened in part"))?;
    }
    Ok(())
}

/// Polls a call at most this many times, and drops it.
async fn polled<T>(call: impl Future<Output = T>, at_most: usize) {
    let mut call = pin!(call);
    let mut polls = 0;
    std::future::poll_fn(|context| {
        if polls == at_most || call.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        polls += 1;
        Poll::Pending
    })
    .await;
}
