//! A response together with the counts of the summary log line.

use runtime::token_broker::{RefusalCode, Response};
use runtime::{Outcome, Report};
use serde::Serialize;

/// The response to the caller, and whether a refresh was needed for it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Reply {
    /// The response to the caller.
    pub answer: Response,
    #[serde(skip)]
    refreshed: bool,
}

impl Reply {
    /// Creates a reply for which no tokens were refreshed.
    #[must_use]
    pub fn new(answer: Response) -> Self {
        Self { answer, refreshed: false }
    }

    /// Sets whether tokens were refreshed for this reply.
    #[must_use]
    pub fn refreshed(self, refreshed: bool) -> Self {
        Self { refreshed, ..self }
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
        let is_app =
            refusal.is_some_and(|refusal| matches!(refusal.code, RefusalCode::AppRefused | RefusalCode::UnknownApp));
        let is_blocked = refusal.is_some_and(|refusal| refusal.condition.is_some());
        vec![
            ("tokens.refreshed", u64::from(self.refreshed)),
            // A client secret that was changed at Salesforce stops every org of the app: an alarm watches this count.
            ("apps.refused", u64::from(is_app)),
            ("connections.blocked", u64::from(is_blocked)),
        ]
    }
}
