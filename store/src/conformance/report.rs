//! What a run of the suite found.

use std::fmt;

use crate::error::StoreError;

/// What a run of the [`Suite`](super::Suite) found: one [`Finding`] for each check.
///
/// `Display` lists every check that did not pass, and counts the others.
///
/// ```
/// # use http_session_store::{MemoryStore, conformance::{Outcome, Suite}};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let report = Suite::new(MemoryStore::new()).only("R8").run().await;
/// println!("{report}");
/// report.assert();
/// for finding in report.findings() {
///     assert!(finding.rule == "R8" && matches!(finding.outcome, Outcome::Kept));
/// }
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a report that nobody looks at finds nothing: call `assert`"]
pub struct Report {
    findings: Vec<Finding>,
}

/// What one check found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The id of the rule, as in the manual's chapter about rules; `enumerate` for what
    /// [`EnumerateSessions`](crate::EnumerateSessions) promises.
    pub rule: &'static str,
    /// What must hold, in a sentence.
    pub sentence: &'static str,
    /// Whether it does hold.
    pub outcome: Outcome,
}

/// Whether a store keeps a rule.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It does.
    Kept,
    /// It does not. Says what the suite saw instead. Values in the text are the suite's own, never those of a user.
    Broken(String),
    /// A call returned an error instead of an answer.
    Failed(StoreError),
    /// It could not be checked here. Says why.
    Skipped(&'static str),
}

impl Outcome {
    const fn is_fault(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Failed(_))
    }
}

impl Report {
    pub(super) const fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// All checks, in the order of the suite.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The checks that the store does not pass: rules it breaks, and calls that failed.
    pub fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.outcome.is_fault())
    }

    /// The last line of a test of a store.
    ///
    /// # Panics
    /// The store breaks a rule, or a call failed; the message lists them. It also panics if nothing was checked.
    #[track_caller]
    pub fn assert(&self) {
        let kept = self.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Kept)).count();
        assert!(kept > 0 && self.faults().next().is_none(), "the store does not keep the contract\n{self}");
    }
}

/// One line for each check that was not passed, then the count of the others.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: fn(&Outcome) -> bool| self.findings.iter().filter(|it| wanted(&it.outcome)).count();
        for finding in self.findings.iter().filter(|finding| !matches!(finding.outcome, Outcome::Kept)) {
            writeln!(f, "{finding}")?;
        }
        let kept = count(|outcome| matches!(outcome, Outcome::Kept));
        let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        write!(f, "{kept} kept, {} not, {skipped} skipped", count(Outcome::is_fault))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:4} {}\n     {}", self.rule, self.sentence, self.outcome)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("kept"),
            Self::Broken(how) => write!(f, "broken: {how}"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}
