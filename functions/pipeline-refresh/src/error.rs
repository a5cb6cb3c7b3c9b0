//! Why a refresh did not do its work.

use std::time::Duration;

use runtime::StateError;
use salesforce::{Classify, ObjectName, OrgId, Retry};

use crate::scan::PageFault;

/// Why a refresh did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event is neither the schedule's nor the queue's.
    #[error("the event is neither a schedule's nor a queue's")]
    UnknownEvent,
    /// Ferry's own state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The org's pipelines could not be read.
    #[error("the pipelines of org {org} could not be read")]
    Pipelines {
        /// The org.
        org: OrgId,
        /// Why.
        source: salesforce::Error,
    },
    /// An object's records could not be read.
    #[error("{object} of org {org} could not be read")]
    Rows {
        /// The org.
        org: OrgId,
        /// The object.
        object: ObjectName,
        /// Why.
        source: salesforce::Error,
    },
    /// A page of an object's records cannot be believed. The cursor has not moved.
    ///
    /// # Troubleshooting
    /// A page that is cut short or out of order comes from a proxy, from an org under maintenance, or from a row that
    /// changed in that moment. The same page is asked for again; if it stays so, the task becomes a dead letter.
    #[error("a page of {object} of org {org} cannot be believed")]
    Page {
        /// The org.
        org: OrgId,
        /// The object.
        object: ObjectName,
        /// What is wrong with it.
        source: PageFault,
    },
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::UnknownEvent => Retry::Never,
            Self::State(error) => error.retry(),
            Self::Pipelines { source, .. } | Self::Rows { source, .. } => source.retry(),
            Self::Page { .. } => Retry::After(Duration::from_secs(1)),
        }
    }
}
