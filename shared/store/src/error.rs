//! The error of every operation on Ferry's state.

use std::time::Duration;

use salesforce::{BoxError, Classify, OrgId, Retry};

/// An operation on Ferry's state failed.
///
/// `operation` is an infinitive that reads after "could not", for example "load the connection". The enum is exhaustive
/// on purpose: code that maps it to a response must also decide about a new variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS was unreachable or throttled the call. The operation did not take effect.
    #[error("could not {operation}: AWS is unavailable")]
    Unavailable {
        /// The operation that failed.
        operation: &'static str,
        /// The SDK's error.
        source: BoxError,
    },
    /// AWS did not respond, or responded with a server error. The operation may have taken effect.
    #[error("could not {operation}: no response from AWS")]
    NoResponse {
        /// The operation that failed.
        operation: &'static str,
        /// The SDK's error.
        source: BoxError,
    },
    /// AWS rejected the call: a permission, a name or a limit is wrong.
    ///
    /// # Troubleshooting
    /// `AccessDeniedException`: a policy in the template lacks the action.
    /// `ResourceNotFoundException`: an environment variable names a resource that does not exist.
    #[error("could not {operation}: AWS returned {code}")]
    Refused {
        /// The operation that failed.
        operation: &'static str,
        /// The AWS error code.
        code: String,
        /// The SDK's error.
        source: BoxError,
    },
    /// Some messages of a batch were not queued.
    #[error("{missing} of {total} messages were not queued before the deadline")]
    NotAllQueued {
        /// The number of messages that were not queued.
        missing: usize,
        /// The number of messages in the batch.
        total: usize,
    },
    /// A batch operation did not process every item.
    #[error("could not {operation}: {missing} of {total} items were not processed")]
    Unfinished {
        /// The operation that failed.
        operation: &'static str,
        /// The number of items that were not processed.
        missing: usize,
        /// The number of items in the batch.
        total: usize,
    },
    /// EventBridge did not accept an event.
    #[error("could not publish the event: {code}")]
    NotPublished {
        /// The EventBridge error code, or one of Ferry's own.
        code: String,
    },
    /// Another writer changed the item between the read and the conditional write.
    #[error("could not {operation}: another writer changed the item first")]
    Conflict {
        /// The operation that failed.
        operation: &'static str,
    },
    /// The caller no longer holds the lease. Nothing was written.
    #[error("could not {operation}: the lease expired or was taken over")]
    LeaseLost {
        /// The operation that failed.
        operation: &'static str,
    },
    /// The item that the operation needs is missing.
    #[error("could not {operation}: the {entity} does not exist")]
    NotFound {
        /// The operation that failed.
        operation: &'static str,
        /// The kind of item, for example "connection".
        entity: &'static str,
    },
    /// The org belongs to another tenant.
    #[error("org {org} belongs to another tenant")]
    OwnedByAnotherTenant {
        /// The org.
        org: OrgId,
    },
    /// Only an administrator of the org can bind it to a tenant.
    #[error("the user is not an administrator of org {org}")]
    NotAnAdministrator {
        /// The org.
        org: OrgId,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// A required field is missing.
    #[error("could not {operation}: {field} is missing")]
    Incomplete {
        /// The operation that failed.
        operation: &'static str,
        /// The missing field.
        field: &'static str,
    },
    /// The data exceeds a size limit. Nothing was sent.
    #[error("could not {operation}: {size_bytes} bytes exceed the {limit}")]
    TooLarge {
        /// The operation that failed.
        operation: &'static str,
        /// The size of the data.
        size_bytes: usize,
        /// The limit, for example [`ITEM_LIMIT`].
        limit: &'static str,
    },
    /// A stored item cannot be parsed, or a value cannot be serialized.
    #[error("could not {operation}: the stored item is malformed")]
    Corrupt {
        /// The operation that failed.
        operation: &'static str,
        /// The parser's error, without values.
        source: BoxError,
    },
}

/// DynamoDB's limit for one item, as it reads in [`Error::TooLarge`].
pub const ITEM_LIMIT: &str = "item limit of 400 KB";

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { .. } => Retry::After(Duration::from_secs(1)),
            Self::NoResponse { .. }
            | Self::NotAllQueued { .. }
            | Self::Unfinished { .. }
            | Self::NotPublished { .. } => Retry::Unknown(Duration::from_secs(1)),
            Self::Conflict { .. } | Self::LeaseLost { .. } => Retry::After(Duration::from_millis(200)),
            Self::NotAnAdministrator { .. } | Self::OwnedByAnotherTenant { .. } => Retry::NeedsHuman,
            Self::Refused { .. }
            | Self::NotFound { .. }
            | Self::IdempotencyKeyReused
            | Self::Incomplete { .. }
            | Self::TooLarge { .. }
            | Self::Corrupt { .. } => Retry::Never,
        }
    }
}
