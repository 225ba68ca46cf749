//! Random operations against a plain map that does what the contract says.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Operation {
    Load {
        id: usize,
    },
    Insert {
        id: usize,
        user: bool,
        life: Lifetime,
    },
    /// On the record as last loaded.
    Update {
        id: usize,
        views: Option<i64>,
        theme: Option<u8>,
        gate: bool,
        login: Login,
        verifier: u8,
        life: Lifetime,
    },
    Touch {
        id: usize,
        life: Lifetime,
    },
    Destroy {
        id: usize,
        unconditional: bool,
    },
    Advance {
        seconds: u64,
    },
    Enumerate,
    Clear,
}

#[derive(Clone, Copy, Debug)]
enum Login {
    No,
    Affirm,
    In,
    Out,
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    let extent = prop_oneof![4 => Just(Extent::Extend), 1 => Just(Extent::Set)];
    (0..100_u64, 50..300_u64, extent).prop_map(|(idle, absolute, extent)| Lifetime {
        idle: Duration::from_secs(idle),
        absolute: Duration::from_secs(absolute),
        extent,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let id = || 0..4_usize;
    let login =
        prop_oneof![6 => Just(Login::No), 1 => Just(Login::Affirm), 2 => Just(Login::In), 1 => Just(Login::Out)];
    let update = (id(), any::<Option<i8>>(), any::<Option<u8>>(), any::<bool>(), login, 0..8_u8, lifetime());
    prop_oneof![
        6 => id().prop_map(|id| Operation::Load { id }),
        3 => (id(), any::<bool>(), lifetime()).prop_map(|(id, user, life)| Operation::Insert { id, user, life }),
        8 => update.prop_map(|(id, views, theme, gate, login, verifier, life)| Operation::Update {
            id, views: views.map(i64::from), theme, gate, login, verifier, life,
        }),
        3 => (id(), lifetime()).prop_map(|(id, life)| Operation::Touch { id, life }),
        2 => (id(), any::<bool>()).prop_map(|(id, unconditional)| Operation::Destroy { id, unconditional }),
        4 => (0..40_u64).prop_map(|seconds| Operation::Advance { seconds }),
        1 => Just(Operation::Enumerate),
        1 => (0..20_u8).prop_map(|rare| if rare == 0 { Operation::Clear } else { Operation::Enumerate }),
    ]
}

#[derive(Clone, Debug, Default)]
struct Model {
    now: u64,
    records: BTreeMap<usize, Plain>,
}

/// A record in whole seconds, its fields as numbers.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    epoch: u64,
    identity_epoch: u64,
    verifier: u8,
    previous: Option<u8>,
    user: bool,
    views: Option<i64>,
    theme: Option<u8>,
    dead: bool,
    created: u64,
    identity: u64,
    verified: u64,
    touched: u64,
    end: u64,
}

impl Model {
    fn live(&mut self, id: usize) -> Option<&mut Plain> {
        let now = self.now;
        self.records.get_mut(&id).filter(|record| record.end > now)
    }

    fn extend(record: &mut Plain, life: Lifetime, now: u64) {
        let (idle, absolute) = (life.idle.as_secs(), life.absolute.as_secs());
        let wanted = if life.extent == Extent::Set { now + idle } else { record.end.max(now + idle) };
        record.end = wanted.min(record.identity + absolute).max(now);
        if idle > 0 {
            record.touched = now;
        }
    }

    fn bury(record: &mut Plain, now: u64) {
        let (epoch, created, identity, touched) = (record.epoch + 1, record.created, record.identity, record.touched);
        *record = Plain {
            epoch,
            identity_epoch: 0,
            verifier: 0,
            previous: None,
            user: false,
            views: None,
            theme: None,
            dead: true,
            created,
            identity,
            verified: now,
            touched,
            end: now + 60,
        };
    }
}

impl Model {
    fn insert(&mut self, id: usize, user: bool, life: Lifetime) -> Inserted {
        let now = self.now;
        if self.live(id).is_some() {
            return Inserted::Taken;
        }
        let mut record = Plain {
            epoch: 0,
            identity_epoch: 0,
            verifier: 1,
            previous: None,
            user,
            views: Some(1),
            theme: None,
            dead: false,
            created: now,
            identity: now,
            verified: now,
            touched: now,
            end: now,
        };
        Self::extend(&mut record, life, now);
        self.records.insert(id, record);
        Inserted::Inserted
    }

    fn touch(&mut self, id: usize, epoch: Epoch, life: Lifetime) -> Touched {
        let now = self.now;
        match self.live(id) {
            None => Touched::Missing,
            Some(record) if record.dead || record.epoch != epoch.0 => Touched::Superseded,
            Some(record) => {
                Self::extend(record, life, now);
                Touched::Applied
            }
        }
    }

    fn destroy(&mut self, id: usize, epoch: Option<Epoch>) -> Destroyed {
        let now = self.now;
        match self.live(id) {
            None => Destroyed::Missing,
            Some(record) if record.dead => Destroyed::Missing,
            Some(record) if epoch.is_some_and(|epoch| record.epoch != epoch.0) => Destroyed::Superseded,
            Some(record) => {
                Self::bury(record, now);
                Destroyed::Destroyed
            }
        }
    }
}

/// The model's record as the store should show it.
fn shown(record: &Plain, now: u64) -> Record {
    let age = |since: u64| Duration::from_secs(now - since);
    let mut shown = Record::new(hash(record.verifier));
    (shown.epoch, shown.identity_epoch) = (Epoch(record.epoch), Epoch(record.identity_epoch));
    shown.previous = record.previous.map(hash);
    shown.identity = record.user.then(|| RawJson::new(b"7"));
    let views = record.views.map(|views| views.to_string());
    let theme = record.theme.map(|theme| theme.to_string());
    let views = views.iter().map(|views| ("views", Keep::No, views.as_bytes()));
    shown.fields = views.chain(theme.iter().map(|theme| ("theme", Keep::Always, theme.as_bytes()))).collect();
    shown.ages.created = age(record.created);
    shown.ages.identity = age(record.identity);
    shown.ages.verifier = age(record.verified);
    shown.ages.touched = age(record.touched);
    shown.expires_in = Duration::from_secs(record.end - now);
    shown
}

fn build(operation: &Operation, loaded: &Record) -> Patch {
    let Operation::Update { views, theme, gate, login, verifier, .. } = operation else { return Patch::default() };
    let (views, theme) = (views.map(|views| views.to_string()), theme.map(|theme| theme.to_string()));
    let mut change = patch(loaded, &[(&VIEWS, views.as_deref()), (&THEME, theme.as_deref())]);
    change.on_conflict = if *gate { OnConflict::Refuse } else { OnConflict::Merge };
    change.identity = match login {
        Login::No => IdentityChange::Unchanged,
        Login::Affirm => IdentityChange::Affirmed,
        Login::In => IdentityChange::Set(RawJson::new(b"7")),
        Login::Out => IdentityChange::Removed,
    };
    change.verifier = match verifier {
        0..=4 => VerifierChange::Unchanged,
        5 => VerifierChange::Rotate(hash(loaded.verifier.0[0].wrapping_add(1).max(1))),
        _ => VerifierChange::Renew { current: loaded.verifier, new: hash(verifier + 100) },
    };
    change
}

fn model_update(model: &mut Model, id: usize, operation: &Operation, loaded: &Record) -> Updated {
    let Operation::Update { views, theme, gate, login, verifier, life, .. } = operation else { unreachable!() };
    let now = model.now;
    let Some(record) = model.live(id) else { return Updated::Missing };
    if record.dead || record.epoch != loaded.epoch.0 {
        return Updated::Superseded;
    }
    let text = |name: &str| loaded.fields.find(name).map(number);
    let (base_views, base_theme) = (text("views"), text("theme"));
    let moved = record.views != base_views || record.theme.map(i64::from) != base_theme;
    if *gate && moved {
        return Updated::Conflict(Box::new(shown(record, now)));
    }
    record.views = if record.views == base_views {
        *views
    } else {
        Some(record.views.unwrap_or(0) + views.unwrap_or(0) - base_views.unwrap_or(0))
    };
    record.theme = *theme;
    let mut renewed = true;
    let presented = loaded.verifier.0[0];
    match verifier {
        0..=4 => {}
        5 => {
            record.epoch += 1;
            (record.verifier, record.previous, record.verified) = (presented.wrapping_add(1).max(1), None, now);
        }
        _ if record.verifier == presented => {
            (record.verifier, record.previous, record.verified) = (verifier + 100, Some(presented), now);
        }
        _ => renewed = false,
    }
    if let Login::In | Login::Out = login {
        (record.user, record.identity_epoch) = (matches!(login, Login::In), record.epoch);
    }
    if !matches!(login, Login::No) {
        record.identity = now;
    }
    Model::extend(record, *life, now);
    Updated::Applied { renewed }
}

fn run(operations: &[Operation]) -> Result<(), TestCaseError> {
    let (store, clock) = store();
    let mut model = Model::default();
    let mut loaded: BTreeMap<usize, Record> = BTreeMap::new();
    for operation in operations {
        step(&store, &clock, &mut model, &mut loaded, operation)?;
        check(&store);
    }
    Ok(())
}

fn step(
    store: &MemoryStore,
    clock: &ManualClock,
    model: &mut Model,
    loaded: &mut BTreeMap<usize, Record>,
    operation: &Operation,
) -> Result<(), TestCaseError> {
    let now = model.now;
    match operation {
        Operation::Load { id: n } => {
            let record = load(store, &id(*n));
            prop_assert_eq!(&record, &model.live(*n).map(|record| shown(record, now)));
            loaded.extend(record.map(|record| (*n, record)));
        }
        Operation::Insert { id: n, user, life } => {
            let answer = ask(store.insert(&id(*n), &if *user { signed_in("7") } else { anonymous("1") }, *life));
            prop_assert_eq!(answer.unwrap(), model.insert(*n, *user, *life));
        }
        Operation::Update { id: n, life, .. } => {
            let Some(base) = loaded.get(n) else { return Ok(()) };
            let answer = commit(store, &id(*n), &build(operation, base), *life);
            prop_assert_eq!(answer, model_update(model, *n, operation, base));
        }
        Operation::Touch { id: n, life } => {
            let epoch = loaded.get(n).map_or(Epoch(0), |record| record.epoch);
            let answer = ask(store.touch(&id(*n), epoch, *life)).unwrap();
            prop_assert_eq!(answer, model.touch(*n, epoch, *life));
        }
        Operation::Destroy { id: n, unconditional } => {
            let epoch = loaded.get(n).map(|record| record.epoch).filter(|_| !unconditional);
            let answer = ask(store.destroy(&id(*n), epoch)).unwrap();
            prop_assert_eq!(answer, model.destroy(*n, epoch));
        }
        Operation::Advance { seconds } => {
            clock.advance(Duration::from_secs(*seconds));
            model.now += seconds;
        }
        Operation::Enumerate => {
            let alive = |record: &&Plain| !record.dead && record.end > now;
            prop_assert_eq!(ask(store.len()).unwrap(), model.records.values().filter(alive).count());
            let ids: Vec<_> = model.records.iter().filter(|(_, record)| alive(record)).map(|(n, _)| id(*n)).collect();
            prop_assert_eq!(ask(store.ids(None, 9)).unwrap().ids, ids);
        }
        Operation::Clear => {
            ask(store.clear()).unwrap();
            model
                .records
                .values_mut()
                .filter(|record| !record.dead && record.end > now)
                .for_each(|record| Model::bury(record, now));
        }
    }
    Ok(())
}

/// On a store that is too small: bounds hold, a refused call writes nothing, signed-in sessions stay.
fn run_bounded(operations: &[(usize, u8, u16)]) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone()).max_sessions(6).max_bytes(6000).anonymous_share(50);
    let all = || (0..12).map(|n| load(&store, &id(n))).collect::<Vec<_>>();
    let is_user = |record: &&Option<Record>| record.as_ref().is_some_and(|record| record.identity.is_some());
    for (n, what, size) in operations {
        let before = all();
        let text = "1".repeat(usize::from(*size));
        let mut gone = 0;
        let answer = match (what, &before[*n]) {
            (0..=2, _) => ask(store.insert(&id(*n), &anonymous(&text), for_(HOUR))).map(|_| ()),
            (3..=4, _) => ask(store.insert(&id(*n), &signed_in(&text), for_(HOUR))).map(|_| ()),
            (5..=9, Some(record)) => {
                let mut change = patch(record, &[(&VIEWS, Some(&text))]);
                change.identity = match what {
                    5 => IdentityChange::Set(RawJson::new(b"7")),
                    6 => IdentityChange::Removed,
                    _ => IdentityChange::Unchanged,
                };
                let answer = ask(store.update(&id(*n), &change, for_(HOUR)));
                gone = usize::from(*what == 6);
                answer.map(|_| ())
            }
            (10, _) => {
                gone = 1;
                ask(store.destroy(&id(*n), None)).map(|_| ())
            }
            _ => {
                clock.advance(SECOND);
                Ok(())
            }
        };
        check(&store);
        let after = all();
        if answer.is_err() {
            prop_assert!(before == after, "a call that failed wrote something");
        }
        let users = |records: &[Option<Record>]| records.iter().filter(is_user).count();
        prop_assert!(users(&after) + gone >= users(&before), "a signed-in session was evicted");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r8_and_r9_any_sequence_does_what_the_contract_says(
        operations in proptest::collection::vec(operation(), 1..120),
    ) {
        run(&operations)?;
    }

    #[test]
    fn r14_any_sequence_stays_within_the_bounds(
        operations in proptest::collection::vec((0..12_usize, 0..12_u8, 0..1500_u16), 1..150),
    ) {
        run_bounded(&operations)?;
    }
}
