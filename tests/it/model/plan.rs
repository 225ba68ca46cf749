//! The requests of a history, planned before the order of events is known.

use super::dice::Dice;

/// A configuration and the behaviour of its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The default configuration, on a store that waits.
    Waiting,
    /// A store that answers at once.
    Instant,
    /// Periodic renewal of the verifier.
    Renewing,
}

/// A step of a handler. Anything else may happen before each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Read,
    Count,
    Cart,
    Theme,
    Shelve,
    Nonce,
    Choose,
    Take,
    TwoHandles,
    Save,
    GiveUpSave,
    Reload,
    Discard,
    Touch,
    Passive,
    SignIn(u8),
    AssignUser(u8),
    AssignNobody,
    SignOut,
    RecordSignOut,
    Rotate,
    Regenerate,
    Destroy,
    RecordDestroy,
}

/// How the handler ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Status(u16),
    InnerError,
    Panic,
    /// The handler never answers, and the client disconnects.
    Hang,
}

/// What happens to the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    Lost,
    /// The client disconnects at a random moment before the response, so the future is dropped.
    Dropped,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Visit {
    pub client: usize,
    pub steps: Vec<Step>,
    pub end: End,
    pub fate: Fate,
    /// The browser repeats an earlier request of the round, with that request's cookies.
    pub repeats: Option<usize>,
}

/// Concurrent requests.
#[derive(Clone, Debug)]
pub struct Round {
    /// Seconds to wait before the round.
    pub pause: u64,
    /// Whether store calls fail.
    pub is_faulty: bool,
    pub visits: Vec<Visit>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub setting: Setting,
    pub rounds: Vec<Round>,
}

pub const CLIENTS: usize = 3;

impl Plan {
    pub fn of(dice: &mut Dice) -> Self {
        let setting = dice.weighted(&[(8, Setting::Waiting), (2, Setting::Instant), (3, Setting::Renewing)]);
        let rounds = (0..2 + dice.below(2)).map(|index| round(dice, index)).collect();
        Self { setting, rounds }
    }

    pub fn len(&self) -> usize {
        self.rounds.iter().map(|round| round.visits.len()).sum()
    }

    /// Keeps only the visits whose bit is set. A visit that repeats a removed visit is removed too.
    pub fn only(&self, mask: u64) -> Self {
        let mut plan = self.clone();
        let mut first = 0;
        for round in &mut plan.rounds {
            let chosen = |index: usize| mask >> (first + index) & 1 == 1;
            let kept = |index: usize| chosen(index) && round.visits[index].repeats.is_none_or(chosen);
            let place = |index: usize| (0..index).filter(|earlier| kept(*earlier)).count();
            let visits = round.visits.iter().enumerate().filter(|(index, _)| kept(*index));
            let visits: Vec<_> =
                visits.map(|(_, visit)| Visit { repeats: visit.repeats.map(place), ..visit.clone() }).collect();
            first += round.visits.len();
            round.visits = visits;
        }
        plan
    }
}

fn round(dice: &mut Dice, index: usize) -> Round {
    let pause = if index == 0 { 0 } else { dice.weighted(&[(6, 5), (4, 61), (1, 700), (1, 25 * 3600)]) };
    let is_faulty = dice.one_in(4);
    // Most rounds have one client, so that its requests meet in one session.
    let one = dice.below(CLIENTS);
    let is_crowd = dice.one_in(4);
    let mut visits: Vec<Visit> = Vec::new();
    for place in 0..1 + dice.below(4) {
        let client = if is_crowd { dice.below(CLIENTS) } else { one % (1 + index.min(1)) };
        let repeats =
            (place > 0 && dice.one_in(8)).then(|| dice.below(place)).filter(|of| visits[*of].repeats.is_none());
        let visit = match repeats {
            Some(of) => Visit { repeats, ..visits[of].clone() },
            None => visit(dice, client),
        };
        visits.push(visit);
    }
    Round { pause, is_faulty, visits }
}

fn visit(dice: &mut Dice, client: usize) -> Visit {
    let steps = (0..1 + dice.below(3)).map(|_| step(dice)).collect();
    let end = dice.weighted(&[
        (14, End::Status(200)),
        (2, End::Status(404)),
        (1, End::Status(500)),
        (1, End::Status(408)),
        (1, End::InnerError),
        (1, End::Panic),
        (1, End::Hang),
    ]);
    let fate = dice.weighted(&[(10, Fate::Arrives), (1, Fate::Lost), (1, Fate::Dropped)]);
    Visit { client, steps, end, fate: if end == End::Hang { Fate::Dropped } else { fate }, repeats: None }
}

fn step(dice: &mut Dice) -> Step {
    let user = dice.below(3) as u8;
    dice.weighted(&[
        (2, Step::Read),
        (8, Step::Count),
        (3, Step::Cart),
        (2, Step::Theme),
        (3, Step::Shelve),
        (3, Step::Nonce),
        (2, Step::Choose),
        (4, Step::Take),
        (2, Step::TwoHandles),
        (4, Step::Save),
        (2, Step::GiveUpSave),
        (1, Step::Reload),
        (1, Step::Discard),
        (1, Step::Touch),
        (1, Step::Passive),
        (8, Step::SignIn(user)),
        (2, Step::AssignUser(user)),
        (2, Step::AssignNobody),
        (3, Step::SignOut),
        (2, Step::RecordSignOut),
        (3, Step::Rotate),
        (2, Step::Regenerate),
        (2, Step::Destroy),
        (1, Step::RecordDestroy),
    ])
}
