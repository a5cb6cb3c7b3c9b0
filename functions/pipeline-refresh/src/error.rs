//! Errors of a refresh.

use std::time::Duration;

use salesforce::{Classify, ObjectName, OrgId, Retry};

use crate::scan::PageFault;

/// A failure that ends a refresh early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Ferry's own state could not be read or written.
    #[error(transparent)]
    State(#[from] store::Error),
    /// The org's pipelines could not be read.
    #[error("could not read the pipelines of org {org}")]
    Pipelines {
        /// The org.
        org: OrgId,
        /// The client's error.
        source: salesforce::Error,
    },
    /// An object's records could not be read.
    #[error("could not read the {object} records of org {org}")]
    Rows {
        /// The org.
        org: OrgId,
        /// The object.
        object: ObjectName,
        /// The client's error.
        source: salesforce::Error,
    },
    /// A page of an object's records is incomplete or out of order. The cursor has not moved.
    ///
    /// # Troubleshooting
    /// Such a page comes from a proxy, from an org under maintenance, or from a row that changed in that moment. The same
    /// page is requested again with a growing delay; if it stays so, the task becomes a dead letter.
    #[error("could not read the {object} records of org {org}: the page is not valid")]
    Page {
        /// The org.
        org: OrgId,
        /// The object.
        object: ObjectName,
        /// The fault of the page.
        source: PageFault,
    },
    /// The query jobs of a backfill by Bulk API 2.0 have failed as often as they are begun again.
    ///
    /// # Troubleshooting
    /// Setup > Bulk Data Load Jobs of the org shows the jobs and why they failed. The next night, and a backfill that is started by
    /// hand, begin anew.
    #[error("could not copy the {object} records of org {org}: the query jobs of the Bulk API fail")]
    Jobs {
        /// The org.
        org: OrgId,
        /// The object.
        object: ObjectName,
        /// Salesforce's code of the last failure.
        code: Option<String>,
    },
}

impl Error {
    /// Returns a stable code for the cursors and dead letters.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::State(_) => "state_unavailable".to_owned(),
            Self::Pipelines { source, .. } | Self::Rows { source, .. } => mirroring::reason(source).to_owned(),
            Self::Page { .. } => "invalid_page".to_owned(),
            Self::Jobs { code, .. } => code.clone().unwrap_or_else(|| "bulk_job_failed".to_owned()),
        }
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            // A wrong permission or table name is usually corrected within the time for which a task is deferred.
            Self::State(store::Error::Refused { .. }) => Retry::After(Duration::from_mins(1)),
            Self::State(error) => error.retry(),
            Self::Pipelines { source, .. } | Self::Rows { source, .. } => source.retry(),
            Self::Page { .. } => Retry::After(Duration::from_secs(1)),
            Self::Jobs { .. } => Retry::Never,
        }
    }
}
