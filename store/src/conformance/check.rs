//! What must hold, and the function that looks whether it does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::result::CheckResult;
use super::run::Run;

type Running = Pin<Box<dyn Future<Output = CheckResult> + Send>>;

/// One check of the suite.
pub(super) struct Check<S> {
    pub(super) rule: &'static str,
    pub(super) sentence: &'static str,
    /// Whether time has to pass.
    pub(super) waits: bool,
    pub(super) run: Arc<dyn Fn(Run<S>) -> Running + Send + Sync>,
}

impl<S> Clone for Check<S> {
    fn clone(&self) -> Self {
        Self { run: Arc::clone(&self.run), ..*self }
    }
}

pub(super) fn check<S, F>(
    rule: &'static str,
    sentence: &'static str,
    run: impl Fn(Run<S>) -> F + Send + Sync + 'static,
) -> Check<S>
where
    F: Future<Output = CheckResult> + Send + 'static,
{
    Check { rule, sentence, waits: false, run: Arc::new(move |check_run| Box::pin(run(check_run))) }
}

/// The same check, which lets time pass.
pub(super) fn waits<S>(check: Check<S>) -> Check<S> {
    Check { waits: true, ..check }
}
