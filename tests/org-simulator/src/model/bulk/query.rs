//! The part of a job that only query jobs have.

use crate::model::bulk::listing::Listing;

/// The part of a job that only query jobs have.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) soql: String,
    /// `queryAll`: rows in the recycle bin too.
    pub(crate) all: bool,
    pub(crate) chunkable: bool,
    pub(crate) found: Listing,
}

impl Query {
    pub(crate) fn operation(&self) -> &'static str {
        if self.all { "queryAll" } else { "query" }
    }

    pub(crate) fn rows(&self) -> usize {
        self.found.len()
    }
}
