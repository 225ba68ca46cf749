//! A store call: its commands, and what one attempt leaves to the next.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, Pipeline, RedisError};
use rand::RngExt as _;
use tokio::time::{Instant, sleep};

use super::explain::is_mistake;
use super::server::{Effect, Server};
use crate::script::Script;
use http_session_store::error::{StoreError, StoreErrorKind};

/// Commands that are sent in one round trip.
pub(crate) struct StoreCall<'a> {
    /// The key of the first command. The others need no key: after `ASKING`, a server that receives a slot only serves the next
    /// command. (A call that is sent [once](super::Topology::ask_once) may have more commands with keys of the same slot.)
    pub(super) key: &'a [u8],
    pub(super) commands: Pipeline,
    /// The script that writes, which the server may not have loaded yet.
    script: Option<&'a Script>,
}

impl<'a> StoreCall<'a> {
    /// Commands that only read. They are sent again if their answer is lost.
    pub(crate) fn read(key: &'a [u8], commands: impl IntoIterator<Item = Cmd>) -> Self {
        Self::new(key, commands, None)
    }

    /// Commands with a script that writes. They are never sent again after their answer was lost (R10).
    pub(crate) fn write(key: &'a [u8], commands: impl IntoIterator<Item = Cmd>, script: &'a Script) -> Self {
        Self::new(key, commands, Some(script))
    }

    fn new(key: &'a [u8], list: impl IntoIterator<Item = Cmd>, script: Option<&'a Script>) -> Self {
        let list = list.into_iter();
        let mut commands = Pipeline::with_capacity(list.size_hint().0);
        list.for_each(|command| _ = commands.add_command(command));
        Self { key, commands, script }
    }

    pub(super) const fn effect(&self) -> Effect {
        if self.script.is_some() { Effect::Write } else { Effect::Read }
    }
}

/// What one attempt leaves to the next.
pub(super) struct Attempts {
    pub(super) deadline: Instant,
    /// The server that the next attempt asks, instead of the one that has the key.
    pub(super) redirect: Option<Arc<Server>>,
    /// Whether that server is only to be asked this once, while it receives the slot.
    pub(super) is_asking: bool,
    pub(super) loads_script: bool,
    pauses: u32,
    /// Why the last attempt failed. That says more than that there was no time for the next attempt.
    problem: Option<RedisError>,
}

impl Attempts {
    pub(super) const fn until(deadline: Instant) -> Self {
        Self { deadline, redirect: None, is_asking: false, loads_script: false, pauses: 0, problem: None }
    }

    /// The commands that the next attempt sends, and how many replies come before those to the call's own commands.
    pub(super) fn commands<'a>(&self, call: &'a StoreCall<'_>) -> (Cow<'a, Pipeline>, usize) {
        let script = call.script.filter(|_| self.loads_script);
        if !self.is_asking && script.is_none() {
            return (Cow::Borrowed(&call.commands), 0);
        }
        let mut commands = Pipeline::new();
        if let Some(script) = script {
            commands.add_command(script.load());
        }
        if self.is_asking {
            commands.cmd("ASKING");
        }
        let before = commands.len();
        call.commands.cmd_iter().for_each(|command| _ = commands.add_command(command.clone()));
        (Cow::Owned(commands), before)
    }

    /// Waits a moment before the next attempt. Fails with this error if another attempt cannot help, or if there is no time.
    pub(super) async fn pause(&mut self, error: RedisError) -> Result<(), StoreError> {
        const MAX_PAUSE_MILLISECONDS: u64 = 250;
        let error = match self.problem.take() {
            Some(problem) if error.is_timeout() => problem,
            _ => error,
        };
        if is_mistake(&error) {
            return Err(StoreError::new(StoreErrorKind::Refused).with_source(error));
        }
        let longest = MAX_PAUSE_MILLISECONDS.min(10 << self.pauses.min(5));
        // At random, so that many callers do not come back at the same moment.
        let pause = Duration::from_millis(rand::rng().random_range(longest / 2..=longest));
        self.pauses += 1;
        if Instant::now() + pause >= self.deadline {
            return Err(StoreError::new(StoreErrorKind::Unavailable).with_source(error));
        }
        self.problem = Some(error);
        sleep(pause).await;
        Ok(())
    }
}
