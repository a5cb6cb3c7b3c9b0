//! A check: a fact about Salesforce with its source, and the requests that show it.

use serde::{Deserialize, Serialize};

use crate::Org;

/// A fact about Salesforce that Ferry relies on.
#[derive(Debug)]
pub struct Check {
    /// The fact, in plain English. It names the check in lists, reports and documents.
    pub name: &'static str,
    /// The source of the fact: the address of a page of documentation or a public report, a recording's path below the
    /// recordings that are beside the repository (`recording ...`), or what stands in for a page that does not exist
    /// (`not documented: ...`) or could not be looked up (`not looked up: ...`).
    pub source: &'static str,
    /// The purpose for which Ferry relies on the fact.
    pub relied_on: &'static str,
    /// Sends the requests and compares the answers.
    pub run: fn(&Org) -> Verdict,
}

/// The checks of one area of Salesforce's interfaces.
#[derive(Debug)]
pub struct Area {
    /// The name by which `--only` selects the area.
    pub name: &'static str,
    /// The checks, in the order in which they run.
    pub checks: &'static [Check],
}

/// The result of a check: nothing if the org agrees.
pub type Verdict = Result<(), Finding>;

/// The reason for which a check did not end in agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The org answered otherwise.
    Differs {
        /// The answer that the source of the fact promises.
        expected: String,
        /// The answer of the org.
        received: String,
    },
    /// The fact cannot be seen in this org, for example because of its edition or the user's permissions.
    NotApplicable(String),
    /// The requests could not be made, for example because the org did not answer.
    NotRun(String),
}

/// The outcome of a check in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The org behaves as the source says.
    Agrees,
    /// The org behaves otherwise.
    Differs {
        /// The answer that the source of the fact promises.
        expected: String,
        /// The answer of the org, without secrets.
        received: String,
    },
    /// The fact cannot be seen in this org.
    NotApplicable {
        /// The reason.
        why: String,
    },
    /// The check could not be made.
    NotRun {
        /// The reason.
        why: String,
    },
}

impl Outcome {
    /// Returns the outcome of a verdict, with every text changed by `mask`.
    pub(crate) fn of(verdict: Verdict, mask: impl Fn(&str) -> String) -> Self {
        match verdict {
            Ok(()) => Self::Agrees,
            Err(Finding::Differs { expected, received }) => {
                Self::Differs { expected: mask(&expected), received: mask(&received) }
            }
            Err(Finding::NotApplicable(why)) => Self::NotApplicable { why: mask(&why) },
            Err(Finding::NotRun(why)) => Self::NotRun { why: mask(&why) },
        }
    }
}

/// Returns the finding that the check is not applicable, for this reason.
pub(crate) fn not_applicable(why: impl Into<String>) -> Finding {
    Finding::NotApplicable(why.into())
}

/// Returns the finding that an answer differs.
pub(crate) fn differs(expected: impl Into<String>, received: impl Into<String>) -> Finding {
    Finding::Differs { expected: expected.into(), received: received.into() }
}

/// Ends the check as not applicable unless the condition holds.
pub(crate) fn applies(condition: bool, why: &str) -> Verdict {
    if condition { Ok(()) } else { Err(not_applicable(why)) }
}

/// Compares two values; `what` names them.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, received: &T) -> Verdict {
    if expected == received {
        return Ok(());
    }
    Err(differs(format!("{what}: {expected:?}"), format!("{what}: {received:?}")))
}

/// Fails with the text unless the condition holds; `received` says what was seen instead.
pub(crate) fn holds(condition: bool, expected: &str, received: impl std::fmt::Display) -> Verdict {
    if condition { Ok(()) } else { Err(differs(expected, received.to_string())) }
}
