//! A response together with the counts of the summary log line.

use runtime::token_broker::{RefusalCode, Response, RetryHint};
use runtime::{Outcome, Report};
use salesforce::{Condition, ResolvedBy};
use serde::Serialize;

/// The response to the caller, and what the summary log line says of it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Reply {
    /// The response to the caller.
    pub answer: Response,
    #[serde(skip)]
    refreshed: bool,
    /// The condition that a refresh met, where the response does not say it.
    #[serde(skip)]
    met: Option<Condition>,
}

impl Reply {
    /// Creates a reply for which no tokens were refreshed.
    #[must_use]
    pub fn new(answer: Response) -> Self {
        Self { answer, refreshed: false, met: None }
    }

    /// Sets whether tokens were refreshed for this reply.
    #[must_use]
    pub fn refreshed(self, refreshed: bool) -> Self {
        Self { refreshed, ..self }
    }

    /// Sets the condition, one that a person was told of, that a refresh met for this reply.
    #[must_use]
    pub fn met(self, met: Option<Condition>) -> Self {
        Self { met, ..self }
    }

    /// Returns whether tokens were refreshed for this reply.
    #[must_use]
    pub fn is_refreshed(&self) -> bool {
        self.refreshed
    }
}

impl Report for Reply {
    fn outcome(&self) -> Outcome {
        match &self.answer {
            Response::Refused(refusal) if refusal.condition.is_some() => Outcome::Refused,
            Response::Refused(refusal) => match refusal.code {
                RefusalCode::Busy | RefusalCode::Unavailable => Outcome::Failed,
                _ => Outcome::Refused,
            },
            Response::Connected(_)
            | Response::Token(_)
            | Response::Revoked(_)
            | Response::Status(_)
            | Response::Apps(_) => Outcome::Ok,
        }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let refusal = match &self.answer {
            Response::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let is_app = self.met == Some(Condition::AppRefused)
            || refusal.is_some_and(|refusal| matches!(refusal.code, RefusalCode::AppRefused | RefusalCode::UnknownApp));
        let condition = self.met.or_else(|| refusal?.condition);
        // A condition that may still pass waits for nobody.
        let told = self.met.or_else(|| refusal.filter(|refusal| refusal.retry == RetryHint::NeedsHuman)?.condition);
        let waits_for_operator = told.is_some_and(|condition| condition.resolved_by() == ResolvedBy::Operator);
        vec![
            ("tokens.refreshed", u64::from(self.refreshed)),
            // A client secret that was changed at Salesforce stops every org of the app: an alarm watches this count.
            ("apps.refused", u64::from(is_app)),
            ("connections.blocked", u64::from(condition.is_some())),
            // The operator is told of it only by an alarm, which watches this count too.
            ("connections.wait_for_operator", u64::from(waits_for_operator)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use salesforce::Retry;

    use super::*;
    use crate::refusal::blocked;

    fn count(reply: &Reply, name: &str) -> u64 {
        reply.counts().into_iter().find(|(counted, _)| *counted == name).unwrap().1
    }

    #[test]
    fn each_condition_of_the_operator_is_counted_once_it_waits() {
        for condition in Condition::ALL {
            let waits = blocked(condition, Retry::NeedsHuman);
            let expected = u64::from(condition.resolved_by() == ResolvedBy::Operator);
            assert_eq!(count(&waits, "connections.wait_for_operator"), expected, "{condition}");
            let may_pass = blocked(condition, Retry::After(std::time::Duration::from_secs(1)));
            assert_eq!(count(&may_pass, "connections.wait_for_operator"), 0, "{condition}");
            assert_eq!(count(&may_pass, "connections.blocked"), 1, "{condition}");
        }
    }
}
