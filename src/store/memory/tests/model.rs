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
    /// On the row as last loaded.
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
    rows: BTreeMap<usize, Plain>,
}

/// A row in whole seconds, its fields as numbers.
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
        self.rows.get_mut(&id).filter(|row| row.end > now)
    }

    fn extend(row: &mut Plain, life: Lifetime, now: u64) {
        let (idle, absolute) = (life.idle.as_secs(), life.absolute.as_secs());
        let wanted = if life.extent == Extent::Set { now + idle } else { row.end.max(now + idle) };
        row.end = wanted.min(row.identity + absolute).max(now);
        if idle > 0 {
            row.touched = now;
        }
    }

    fn bury(row: &mut Plain, now: u64) {
        let (epoch, created, identity, touched) = (row.epoch + 1, row.created, row.identity, row.touched);
        *row = Plain {
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
        let mut row = Plain {
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
        Self::extend(&mut row, life, now);
        self.rows.insert(id, row);
        Inserted::Inserted
    }

    fn touch(&mut self, id: usize, epoch: Epoch, life: Lifetime) -> Touched {
        let now = self.now;
        match self.live(id) {
            None => Touched::Missing,
            Some(row) if row.dead || row.epoch != epoch.0 => Touched::Superseded,
            Some(row) => {
                Self::extend(row, life, now);
                Touched::Applied
            }
        }
    }

    fn destroy(&mut self, id: usize, epoch: Option<Epoch>) -> Destroyed {
        let now = self.now;
        match self.live(id) {
            None => Destroyed::Missing,
            Some(row) if row.dead => Destroyed::Missing,
            Some(row) if epoch.is_some_and(|epoch| row.epoch != epoch.0) => Destroyed::Superseded,
            Some(row) => {
                Self::bury(row, now);
                Destroyed::Destroyed
            }
        }
    }
}

/// The model's row as the store should show it.
fn shown(row: &Plain, now: u64) -> Row {
    let age = |since: u64| Duration::from_secs(now - since);
    let mut shown = Row::new(hash(row.verifier));
    (shown.epoch, shown.identity_epoch) = (Epoch(row.epoch), Epoch(row.identity_epoch));
    shown.previous = row.previous.map(hash);
    shown.identity = row.user.then(|| RawJson::new(b"7"));
    let views = row.views.map(|views| views.to_string());
    let theme = row.theme.map(|theme| theme.to_string());
    let views = views.iter().map(|views| ("views", Keep::No, views.as_bytes()));
    shown.fields = views.chain(theme.iter().map(|theme| ("theme", Keep::Always, theme.as_bytes()))).collect();
    shown.ages.created = age(row.created);
    shown.ages.identity = age(row.identity);
    shown.ages.verifier = age(row.verified);
    shown.ages.touched = age(row.touched);
    shown.expires_in = Duration::from_secs(row.end - now);
    shown
}

fn build(operation: &Operation, loaded: &Row) -> Patch {
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

fn model_update(model: &mut Model, id: usize, operation: &Operation, loaded: &Row) -> Updated {
    let Operation::Update { views, theme, gate, login, verifier, life, .. } = operation else { unreachable!() };
    let now = model.now;
    let Some(row) = model.live(id) else { return Updated::Missing };
    if row.dead || row.epoch != loaded.epoch.0 {
        return Updated::Superseded;
    }
    let text = |name: &str| loaded.fields.find(name).map(number);
    let (base_views, base_theme) = (text("views"), text("theme"));
    let moved = row.views != base_views || row.theme.map(i64::from) != base_theme;
    if *gate && moved {
        return Updated::Conflict(Box::new(shown(row, now)));
    }
    row.views = if row.views == base_views {
        *views
    } else {
        Some(row.views.unwrap_or(0) + views.unwrap_or(0) - base_views.unwrap_or(0))
    };
    row.theme = *theme;
    let mut renewed = true;
    let presented = loaded.verifier.0[0];
    match verifier {
        0..=4 => {}
        5 => {
            row.epoch += 1;
            (row.verifier, row.previous, row.verified) = (presented.wrapping_add(1).max(1), None, now);
        }
        _ if row.verifier == presented => {
            (row.verifier, row.previous, row.verified) = (verifier + 100, Some(presented), now);
        }
        _ => renewed = false,
    }
    if let Login::In | Login::Out = login {
        (row.user, row.identity_epoch) = (matches!(login, Login::In), row.epoch);
    }
    if !matches!(login, Login::No) {
        row.identity = now;
    }
    Model::extend(row, *life, now);
    Updated::Applied { renewed }
}

fn run(operations: &[Operation]) -> Result<(), TestCaseError> {
    let (store, clock) = store();
    let mut model = Model::default();
    let mut loaded: BTreeMap<usize, Row> = BTreeMap::new();
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
    loaded: &mut BTreeMap<usize, Row>,
    operation: &Operation,
) -> Result<(), TestCaseError> {
    let now = model.now;
    match operation {
        Operation::Load { id: n } => {
            let row = load(store, &id(*n));
            prop_assert_eq!(&row, &model.live(*n).map(|row| shown(row, now)));
            loaded.extend(row.map(|row| (*n, row)));
        }
        Operation::Insert { id: n, user, life } => {
            let answer = ask(store.insert(&id(*n), &if *user { signed_in("7") } else { anonymous("1") }, *life));
            prop_assert_eq!(answer.unwrap(), model.insert(*n, *user, *life));
        }
        Operation::Update { id: n, life, .. } => {
            let Some(base) = loaded.get(n) else { return Ok(()) };
            let answer = ask(store.update(&id(*n), &build(operation, base), *life)).unwrap();
            prop_assert_eq!(answer, model_update(model, *n, operation, base));
        }
        Operation::Touch { id: n, life } => {
            let epoch = loaded.get(n).map_or(Epoch(0), |row| row.epoch);
            let answer = ask(store.touch(&id(*n), epoch, *life)).unwrap();
            prop_assert_eq!(answer, model.touch(*n, epoch, *life));
        }
        Operation::Destroy { id: n, unconditional } => {
            let epoch = loaded.get(n).map(|row| row.epoch).filter(|_| !unconditional);
            let answer = ask(store.destroy(&id(*n), epoch)).unwrap();
            prop_assert_eq!(answer, model.destroy(*n, epoch));
        }
        Operation::Advance { seconds } => {
            clock.advance(Duration::from_secs(*seconds));
            model.now += seconds;
        }
        Operation::Enumerate => {
            let alive = |row: &&Plain| !row.dead && row.end > now;
            prop_assert_eq!(ask(store.len()).unwrap(), model.rows.values().filter(alive).count());
            let ids: Vec<_> = model.rows.iter().filter(|(_, row)| alive(row)).map(|(n, _)| id(*n)).collect();
            prop_assert_eq!(ask(store.ids(None, 9)).unwrap().ids, ids);
        }
        Operation::Clear => {
            ask(store.clear()).unwrap();
            model.rows.values_mut().filter(|row| !row.dead && row.end > now).for_each(|row| Model::bury(row, now));
        }
    }
    Ok(())
}

/// On a store that is too small: bounds hold, a refused call writes nothing, signed-in sessions stay.
fn run_bounded(operations: &[(usize, u8, u16)]) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone()).max_sessions(6).max_bytes(6000).anonymous_share(50);
    let all = || (0..12).map(|n| load(&store, &id(n))).collect::<Vec<_>>();
    let is_user = |row: &&Option<Row>| row.as_ref().is_some_and(|row| row.identity.is_some());
    for (n, what, size) in operations {
        let before = all();
        let text = "1".repeat(usize::from(*size));
        let mut gone = 0;
        let answer = match (what, &before[*n]) {
            (0..=2, _) => ask(store.insert(&id(*n), &anonymous(&text), for_(HOUR))).map(|_| ()),
            (3..=4, _) => ask(store.insert(&id(*n), &signed_in(&text), for_(HOUR))).map(|_| ()),
            (5..=9, Some(row)) => {
                let mut change = patch(row, &[(&VIEWS, Some(&text))]);
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
        let users = |rows: &[Option<Row>]| rows.iter().filter(is_user).count();
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
