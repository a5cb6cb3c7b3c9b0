//! The state of a query job.

use crate::model::bulk::listing::Listing;

/// The state that only query jobs have.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) soql: String,
    /// `queryAll`: includes rows in the recycle bin.
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
