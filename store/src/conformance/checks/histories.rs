//! Random calls, one after the other, against what the reference says.

use rand::RngExt as _;

use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::conformance::check::{Check, check};
use crate::conformance::records::{
    CART, COUNT, LONG, NOTE, ONCE, THEME, TITLE, WITNESS, anonymous, change, difference, renew, rotate, sign_in,
    sign_out, signed_in,
};
use crate::conformance::result::{CheckResult, Problem, broken};
use crate::conformance::run::Run;
use crate::id::SessionId;
use crate::record::{Epoch, Field, IdentityChange, OnConflict, Patch, RawJson, Record};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![check("R9", "after any sequence of calls, answers and record are those of the reference", histories)]
}

const STEPS: usize = 30;

async fn histories<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let mut history = History { id: t.id(), record: None, loaded: vec![anonymous()], steps: Vec::new() };
        for _ in 0..STEPS {
            if let Err(fault) = history.step(&t).await {
                return Err(match fault {
                    Problem::Broken(how) => Problem::Broken(format!("{how}, after: {}", history.steps.join(", "))),
                    other => other,
                });
            }
        }
    }
    Ok(())
}

/// One session, and what the reference knows of it.
struct History {
    id: SessionId,
    record: Option<Record>,
    /// What requests have loaded so far; any of them may write late.
    loaded: Vec<Record>,
    /// The steps in words.
    steps: Vec<String>,
}

fn any<T>(of: &[T]) -> Option<&T> {
    of.get(rand::rng().random_range(0..of.len().max(1)))
}

fn random_patch(loaded: &Record) -> (Patch, &'static str) {
    static FIELDS: [&Field; 7] = [&NOTE, &COUNT, &WITNESS, &ONCE, &CART, &THEME, &TITLE];
    let mut rng = rand::rng();
    let values: [Option<&[u8]>; 4] = [Some(b"1"), Some(b"22"), Some(b"\"three\""), None];
    let mut fields: Vec<(&'static Field, Option<&[u8]>)> = Vec::new();
    for field in FIELDS {
        if rng.random_range(0..3) == 0 {
            fields.push((field, any(&values).copied().flatten()));
        }
    }
    let plain = change(loaded, &fields);
    let with_verifier = |of: Patch| Patch { verifier: of.verifier, ..plain.clone() };
    match rng.random_range(0..10) {
        0 => (sign_in(loaded, b"8"), "a sign-in"),
        1 => (sign_out(loaded), "a sign-out"),
        2 => (with_verifier(rotate(loaded)), "a rotation"),
        3 => (with_verifier(renew(loaded, loaded.verifier)), "a renewal"),
        4 => (Patch { on_conflict: OnConflict::Refuse, ..plain }, "a gate"),
        5 => (Patch { identity: IdentityChange::Affirmed, ..with_verifier(rotate(loaded)) }, "an affirmed identity"),
        6 => (Patch { cookie: Some(Some(RawJson::new(b"{}"))), ..plain }, "an update of attributes"),
        _ => (plain, "an update"),
    }
}

impl History {
    fn word(&mut self, word: impl Into<String>) {
        self.steps.push(word.into());
    }

    fn live(&self) -> Option<&Record> {
        self.record.as_ref().filter(|record| !record.is_tombstone())
    }

    async fn step<S: SessionStore>(&mut self, t: &Run<S>) -> CheckResult {
        let loaded = any(&self.loaded).cloned().unwrap_or_else(anonymous);
        let call = rand::rng().random_range(0..20);
        match call {
            0 => self.destroy(t, &loaded).await?,
            1..3 => self.insert(t).await?,
            3..5 => self.touch(t, &loaded).await?,
            5..9 => {
                self.word("a load");
                self.loaded.extend(t.load(&self.id).await?);
            }
            _ => self.update(t, &loaded).await?,
        }
        let found = t.load(&self.id).await?;
        match (&found, &self.record) {
            (None, None) => Ok(()),
            (Some(found), Some(expected)) => match difference(found, expected) {
                None => Ok(()),
                Some(part) => broken(format!("{part} is not as it should be")),
            },
            (None, Some(_)) => broken("the session is gone"),
            (Some(_), None) => broken("there is a session that nobody inserted"),
        }
    }

    async fn destroy<S: SessionStore>(&mut self, t: &Run<S>, loaded: &Record) -> CheckResult {
        let epoch = any(&[None, Some(loaded.epoch), Some(loaded.epoch), Some(Epoch(1 << 20))]).copied().flatten();
        self.word("a destroy");
        let expected = match self.live() {
            None => Destroyed::Missing,
            Some(record) if epoch.is_some_and(|epoch| epoch != record.epoch) => Destroyed::Superseded,
            Some(_) => Destroyed::Destroyed,
        };
        let answer = t.store().destroy(&self.id, epoch).await?;
        if expected == Destroyed::Destroyed {
            self.record = self.record.as_ref().map(Record::tombstone);
        }
        // Of a tombstone both refusals are right.
        let refused = self.record.is_some() && expected == Destroyed::Missing && answer == Destroyed::Superseded;
        if answer == expected || refused { Ok(()) } else { broken(format!("a destroy answered {answer:?}")) }
    }

    async fn insert<S: SessionStore>(&mut self, t: &Run<S>) -> CheckResult {
        self.word("an insert");
        let record = if rand::random() { anonymous() } else { signed_in() };
        let answer = t.store().insert(&self.id, &record, LONG).await?;
        let expected = if self.record.is_some() { Inserted::Taken } else { Inserted::Inserted };
        self.record.get_or_insert(record);
        if answer == expected { Ok(()) } else { broken(format!("an insert answered {answer:?}")) }
    }

    async fn touch<S: SessionStore>(&mut self, t: &Run<S>, loaded: &Record) -> CheckResult {
        self.word("a touch");
        let answer = t.touch(&self.id, loaded).await?;
        let right = match &self.record {
            None => answer == Touched::Missing,
            Some(record) if record.is_tombstone() => answer != Touched::Applied,
            Some(record) if record.epoch != loaded.epoch => answer == Touched::Superseded,
            Some(_) => answer == Touched::Applied,
        };
        if right { Ok(()) } else { broken(format!("a touch answered {answer:?}")) }
    }

    async fn update<S: SessionStore>(&mut self, t: &Run<S>, loaded: &Record) -> CheckResult {
        let (patch, name) = random_patch(loaded);
        self.word(name);
        let answer = t.update(&self.id, &patch).await?;
        let Some(record) = &mut self.record else {
            return if answer == Updated::Missing {
                Ok(())
            } else {
                broken("an update of a missing session was not refused")
            };
        };
        if record.is_tombstone() || record.epoch != patch.epoch {
            let right = answer == Updated::Superseded || (record.is_tombstone() && answer == Updated::Missing);
            return if right { Ok(()) } else { broken("an update of another epoch was not superseded") };
        }
        let before = record.clone();
        match (answer, patch.apply_to(record)) {
            (Updated::Applied { renewed }, Ok(expected)) if renewed == expected => Ok(()),
            (Updated::Applied { .. }, Err(_)) => broken(format!("{name} was applied in spite of a conflict")),
            (Updated::Conflict(_), Ok(_)) => {
                broken("an update answered with a conflict, although no conditional change had moved")
            }
            (Updated::Conflict(found), Err(_)) => {
                if let Some(part) = difference(&found, &before) {
                    return broken(format!("{part} of the record that came with a conflict is not what is stored"));
                }
                let Ok(rebased) = patch.rebase(&before.fields) else { return Ok(()) };
                match (t.update(&self.id, &rebased).await?, rebased.apply_to(record)) {
                    (Updated::Applied { renewed }, Ok(expected)) if renewed == expected => Ok(()),
                    (answer, _) => broken(format!("an update rebased after a conflict answered {answer:?}")),
                }
            }
            (answer, _) => broken(format!("{name} answered {answer:?}")),
        }
    }
}
