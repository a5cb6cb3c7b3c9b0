//! What can go wrong with a job.

use std::time::Duration;

use super::JobState;
use crate::{Classify, Error, Retry};

/// The code of a job in a state that does not allow the call.
const WRONG_STATE: &str = "INVALIDJOBSTATE";

/// The pause after a limit of 24 hours, of which no response says when it ends.
const LIMIT_PAUSE: Duration = Duration::from_mins(15);

/// The reason for which a job or a call about it did not succeed. Made from an [`Error`] by its codes.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Salesforce has ended the job without results. With `QUERY_TIMEOUT` a narrower query may succeed; other failures are those
    /// of a new job too, unless Salesforce was at fault.
    #[error("the Bulk job has failed: {}", code.as_deref().unwrap_or("Salesforce named no code"))]
    Failed {
        /// Salesforce's code, if it named one.
        code: Option<String>,
    },
    /// The job was stopped, by Ferry or by an administrator of the org.
    #[error("the Bulk job was stopped")]
    Aborted,
    /// Salesforce knows no such job: it was deleted, or is older than seven days. Salesforce has answered so in passing of what is
    /// there, so that one more call confirms it before another job is created.
    #[error("the Bulk job does not exist or has expired")]
    Gone,
    /// The locator is not one of this job, or no longer. The pages have to be listed again, or read from the first one on.
    #[error("the locator of a page of the Bulk job has expired")]
    LocatorExpired,
    /// The job is not in a state that allows the call: its results are asked for too early, or it has ended.
    #[error("the Bulk job is in another state than the call needs")]
    WrongState,
    /// The org has used its jobs or batches of 24 hours, which all of its integrations share. REST has limits of its own.
    #[error("the org's limit of Bulk jobs is used up ({code})")]
    LimitReached {
        /// Salesforce's code.
        code: String,
    },
    /// Bulk cannot work on this object; REST may.
    #[error("the Bulk API does not support the object")]
    ObjectNotSupported,
    /// The call failed for a reason that is not one of a job.
    #[error(transparent)]
    Call(Error),
}

impl JobError {
    /// Returns whether a job in this state has ended with results.
    pub(super) fn check(state: JobState, failure_code: Option<&str>) -> Result<bool, Self> {
        match state {
            JobState::JobComplete => Ok(true),
            JobState::Failed => Err(Self::Failed { code: failure_code.map(str::to_owned) }),
            JobState::Aborted => Err(Self::Aborted),
            JobState::Open | JobState::UploadComplete | JobState::InProgress => Ok(false),
        }
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let limit = error.problems().iter().find(|problem| is_limit(&problem.code));
        match limit {
            _ if error.is_not_found() => Self::Gone,
            Some(problem) => Self::LimitReached { code: problem.code.clone() },
            None if error.has_code("INVALID_QUERY_LOCATOR") => Self::LocatorExpired,
            None if error.has_code(WRONG_STATE) => Self::WrongState,
            None if error.has_code("INVALIDENTITY") => Self::ObjectNotSupported,
            None => Self::Call(error),
        }
    }
}

/// Returns whether a code is one of the limits of 24 hours (Bulk API 2.0 guide, limits).
fn is_limit(code: &str) -> bool {
    matches!(code, "LIMIT_EXCEEDED" | "EXCEEDEDQUOTA")
}

impl Classify for JobError {
    fn retry(&self) -> Retry {
        match self {
            Self::Call(error) => error.retry(),
            Self::LimitReached { .. } => Retry::After(LIMIT_PAUSE),
            Self::Gone => Retry::After(Duration::from_secs(30)),
            Self::Failed { .. }
            | Self::Aborted
            | Self::LocatorExpired
            | Self::WrongState
            | Self::ObjectNotSupported => Retry::Never,
        }
    }
}

/// Returns the code with which a message begins: `INVALID_FIELD`, or `InvalidBatch` before a colon. What follows it may have
/// record data.
pub(super) fn code_of(message: &str) -> Option<&str> {
    let message = message.trim_start();
    let end = message.find(|char: char| !(char.is_ascii_alphabetic() || char == '_')).unwrap_or(message.len());
    let (code, rest) = message.split_at(end);
    let is_code = rest.trim_start().starts_with(':') || !code.contains(|char: char| char.is_ascii_lowercase());
    (code.len() > 3 && is_code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Problem;

    fn from(status: u16, code: &str) -> JobError {
        let problems = vec![Problem { code: code.to_owned(), fields: Vec::new() }];
        Error::Rejected { operation: "read the query job", status, problems }.into()
    }

    #[test]
    fn a_refusal_is_told_apart_by_its_code() {
        assert!(matches!(from(404, "NOT_FOUND"), JobError::Gone));
        assert!(matches!(from(400, "INVALID_QUERY_LOCATOR"), JobError::LocatorExpired));
        assert!(matches!(from(400, "INVALIDJOBSTATE"), JobError::WrongState));
        assert!(matches!(from(400, "INVALIDENTITY"), JobError::ObjectNotSupported));
        for code in ["LIMIT_EXCEEDED", "EXCEEDEDQUOTA"] {
            assert!(matches!(from(400, code), JobError::LimitReached { .. }), "{code}");
        }
        assert!(matches!(from(400, "MALFORMED_QUERY"), JobError::Call(Error::Rejected { .. })));
        assert!(matches!(JobError::from(Error::DailyLimit { operation: "x" }), JobError::Call(_)));
    }

    #[test]
    fn a_message_begins_with_its_code() {
        for (message, code) in [
            ("INVALID_FIELD: \nSELECT Id", Some("INVALID_FIELD")),
            ("QUERY_TIMEOUT", Some("QUERY_TIMEOUT")),
            ("InvalidBatch : Field name not found : Nme", Some("InvalidBatch")),
            ("Ada Lovelace: not found", None),
            ("", None),
        ] {
            assert_eq!(code_of(message), code, "{message}");
        }
    }

    #[test]
    fn only_waiting_helps_after_a_limit() {
        assert_eq!(from(400, "LIMIT_EXCEEDED").retry(), Retry::After(LIMIT_PAUSE));
        assert_eq!(JobError::Aborted.retry(), Retry::Never);
    }

    #[test]
    fn a_job_is_complete_only_in_one_state() {
        assert!(matches!(JobError::check(JobState::JobComplete, None), Ok(true)));
        assert!(matches!(JobError::check(JobState::InProgress, None), Ok(false)));
        assert!(matches!(JobError::check(JobState::Aborted, None), Err(JobError::Aborted)));
        let failed = JobError::check(JobState::Failed, Some("QUERY_TIMEOUT")).unwrap_err();
        assert_eq!(failed.to_string(), "the Bulk job has failed: QUERY_TIMEOUT");
    }
}
