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
    /// Another version of Ferry wrote the row. Lambda halves the batch until the record is alone, stores it in the bucket of
    /// failed events once its retries are used up, and goes on. Deploy a version that reads the row, then run
    /// `cargo ferry replay-events`.
    #[error("could not parse a stream record")]
    Unreadable(#[source] serde_dynamo::Error),
    /// A stream record comes from a table that the function does not know.
    ///
    /// # Troubleshooting
    /// An event source mapping of the function reads the stream of a table that is not in `RECORDS_TABLE`,
    /// `CONNECTIONS_TABLE`, `ORGS_TABLE`, `WRITES_TABLE`, `AUDITS_TABLE`, `PIPELINES_TABLE`, `CURSORS_TABLE` or `BUDGETS_TABLE`. Its records end in the bucket of failed events, as one that cannot be parsed.
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
