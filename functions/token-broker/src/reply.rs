//! An answer together with the numbers for the closing line.

use runtime::token_broker::{Answer, RefusalCode};
use runtime::{Outcome, Report};
use serde::Serialize;

/// What the caller gets, and what the closing line counts.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Reply {
    /// What the caller gets.
    pub answer: Answer,
    #[serde(skip)]
    refreshed: bool,
}

impl Reply {
    /// An answer for which nothing was asked of Salesforce's refresh.
    #[must_use]
    pub fn of(answer: Answer) -> Self {
        Self { answer, refreshed: false }
    }

    /// The same, with new tokens from Salesforce behind it or not.
    #[must_use]
    pub fn refreshed(self, refreshed: bool) -> Self {
        Self { refreshed, ..self }
    }

    /// Whether there are new tokens from Salesforce behind it.
    #[must_use]
    pub fn is_refreshed(&self) -> bool {
        self.refreshed
    }
}

impl Report for Reply {
    fn outcome(&self) -> Outcome {
        match &self.answer {
            Answer::Refused(refusal) => match refusal.code {
                RefusalCode::Busy | RefusalCode::Unavailable => Outcome::Failed,
                _ => Outcome::Refused,
            },
            Answer::Connected(_) | Answer::Token(_) | Answer::Revoked(_) | Answer::Status(_) => Outcome::Ok,
        }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("tokens.refreshed", u64::from(self.refreshed))]
    }
}
