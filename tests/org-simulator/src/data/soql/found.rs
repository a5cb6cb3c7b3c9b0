//! The result of a query, before it is rendered.

use serde_json::Value as Json;

use crate::data::soql::plan::Plan;
use crate::model::ids::RecordId;

/// The result of a query, with what is needed to render it.
pub(crate) struct Found {
    pub(crate) plan: Plan,
    pub(crate) rows: Rows,
}

pub(crate) enum Rows {
    /// The count of `COUNT()`.
    Count(usize),
    Groups(Vec<Json>),
    /// The ids of the records, in order.
    Records(Vec<RecordId>),
}

impl Found {
    /// Returns the number of rows that the query matches: `totalSize`.
    pub(crate) fn total(&self) -> usize {
        match &self.rows {
            Rows::Count(count) => *count,
            Rows::Groups(_) | Rows::Records(_) => self.len(),
        }
    }

    /// Returns the number of rows to render.
    pub(crate) fn len(&self) -> usize {
        match &self.rows {
            Rows::Count(_) => 0,
            Rows::Groups(groups) => groups.len(),
            Rows::Records(ids) => ids.len(),
        }
    }

    /// Returns whether the rows are groups, which are always returned in one page.
    pub(crate) fn is_grouped(&self) -> bool {
        matches!(self.rows, Rows::Groups(_))
    }

    /// Returns the ids of the records.
    pub(crate) fn ids(&self) -> &[RecordId] {
        match &self.rows {
            Rows::Records(ids) => ids,
            Rows::Count(_) | Rows::Groups(_) => &[],
        }
    }
}
