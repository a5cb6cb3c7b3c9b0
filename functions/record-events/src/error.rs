//! Errors of publishing a change.

use std::time::Duration;

use salesforce::{Classify, Retry};

/// An error of publishing a change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stream record is not a row of its table.
    ///
    /// # Troubleshooting
    /// The stream stops at this record until its retries are used up; Lambda then sends its position to the failure
    /// destination and goes on. Read the stream at that position (DynamoDB keeps it for 24 hours): another version of Ferry
    /// wrote the row.
    #[error("could not parse a stream record")]
    Unreadable(#[source] serde_dynamo::Error),
    /// A stream record comes from a table that the function does not know.
    ///
    /// # Troubleshooting
    /// An event source mapping of the function reads the stream of a table that is not in `RECORDS_TABLE`,
    /// `CONNECTIONS_TABLE`, `ORGS_TABLE` or `WRITES_TABLE`. The stream stops at this record as it does for one that cannot be parsed.
    #[error("could not parse a stream record: its table is unknown ({event_source_arn})")]
    UnknownTable {
        /// The ARN of the stream.
        event_source_arn: String,
    },
    /// Some events could not be published.
    #[error("could not publish {lost} of {total} events")]
    NotPublished {
        /// The number of events that were not published.
        lost: usize,
        /// The number of events.
        total: usize,
        /// The reason for the first of them.
        source: store::Error,
    },
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Unreadable(_) | Self::UnknownTable { .. } => Retry::Never,
            Self::NotPublished { .. } => Retry::Unknown(Duration::from_secs(1)),
        }
    }
}
