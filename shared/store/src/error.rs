//! Why Ferry's state could not be read or written.

use std::time::Duration;

use salesforce::{BoxError, Classify, OrgId, Retry};

/// Why Ferry's state could not be read or written.
///
/// It is exhaustive on purpose: whoever maps it to an answer must choose for a new variant too.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS could not be reached, or had too much to do; nothing took effect.
    #[error("AWS was not available for {operation}")]
    Unavailable {
        /// What was being done.
        operation: &'static str,
        /// What the SDK said.
        source: BoxError,
    },
    /// AWS gave no answer, or one that says nothing. It may have taken effect.
    #[error("AWS did not answer {operation}")]
    NoAnswer {
        /// What was being done.
        operation: &'static str,
        /// What the SDK said.
        source: BoxError,
    },
    /// AWS refused: a permission, a name or a limit is wrong.
    ///
    /// # Troubleshooting
    /// `AccessDeniedException` is a policy of the template; `ResourceNotFoundException` is a name in the environment.
    #[error("AWS refused {operation} with {code}")]
    Refused {
        /// What was being done.
        operation: &'static str,
        /// AWS's own code.
        code: String,
        /// What the SDK said.
        source: BoxError,
    },
    /// Some messages of a batch are not in the queue.
    #[error("{missing} of {total} messages could not be queued in time")]
    NotAllQueued {
        /// How many are not.
        missing: usize,
        /// How many there were.
        total: usize,
    },
    /// Some of many items are not written.
    #[error("{operation} left {missing} of {total} undone")]
    Unfinished {
        /// What was being done.
        operation: &'static str,
        /// How many are not.
        missing: usize,
        /// How many there were.
        total: usize,
    },
    /// The bus did not take an event.
    #[error("the bus did not take an event: {code}")]
    NotPublished {
        /// AWS's own code.
        code: String,
    },
    /// Someone else was faster.
    #[error("{operation} lost against someone else")]
    Conflict {
        /// What was being done.
        operation: &'static str,
    },
    /// The lease ended, or someone else has it.
    #[error("the lease was lost before {operation}")]
    LeaseLost {
        /// What was being done.
        operation: &'static str,
    },
    /// There is no such thing.
    #[error("{operation} found nothing")]
    NotFound {
        /// What was being done.
        operation: &'static str,
    },
    /// The org belongs to another tenant.
    #[error("org {org} belongs to another tenant")]
    OwnedByAnotherTenant {
        /// The org.
        org: OrgId,
    },
    /// The org is quarantined until a person has looked at it.
    #[error("org {org} is quarantined")]
    Quarantined {
        /// The org.
        org: OrgId,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// Something that is needed to keep it is not there.
    #[error("{operation} needs {field}")]
    Incomplete {
        /// What was being done.
        operation: &'static str,
        /// What is missing.
        field: &'static str,
    },
    /// It is larger than AWS keeps.
    #[error("{operation} is given {size_bytes} bytes, more than fit")]
    TooLarge {
        /// What was being done.
        operation: &'static str,
        /// How large it is.
        size_bytes: usize,
    },
    /// What is stored cannot be read, or what should be stored cannot be written.
    #[error("what {operation} handles is not as it should be")]
    Corrupt {
        /// What was being done.
        operation: &'static str,
        /// What is wrong with it, without values.
        source: BoxError,
    },
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { .. } => Retry::After(Duration::from_secs(1)),
            Self::NoAnswer { .. } | Self::NotAllQueued { .. } | Self::Unfinished { .. } | Self::NotPublished { .. } => {
                Retry::Unknown(Duration::from_secs(1))
            }
            Self::Conflict { .. } | Self::LeaseLost { .. } => Retry::After(Duration::from_millis(200)),
            Self::Quarantined { .. } | Self::OwnedByAnotherTenant { .. } => Retry::NeedsHuman,
            Self::Refused { .. }
            | Self::NotFound { .. }
            | Self::IdempotencyKeyReused
            | Self::Incomplete { .. }
            | Self::TooLarge { .. }
            | Self::Corrupt { .. } => Retry::Never,
        }
    }
}
