//! What a query found, and how to show it.

use serde_json::Value as Json;

use crate::data::soql::plan::Plan;
use crate::model::ids::RecordId;

/// What a query found, and how to show it.
pub(crate) struct Found {
    pub(crate) plan: Plan,
    pub(crate) rows: Rows,
}

pub(crate) enum Rows {
    /// How many `COUNT()` counted.
    Count(usize),
    Groups(Vec<Json>),
    /// Records in their order.
    Records(Vec<RecordId>),
}

impl Found {
    /// How many the query matches: `totalSize`.
    pub(crate) fn total(&self) -> usize {
        match &self.rows {
            Rows::Count(count) => *count,
            Rows::Groups(_) | Rows::Records(_) => self.len(),
        }
    }

    /// How many rows there are to show.
    pub(crate) fn len(&self) -> usize {
        match &self.rows {
            Rows::Count(_) => 0,
            Rows::Groups(groups) => groups.len(),
            Rows::Records(ids) => ids.len(),
        }
    }

    /// Groups come in one page or not at all.
    pub(crate) fn is_grouped(&self) -> bool {
        matches!(self.rows, Rows::Groups(_))
    }

    /// The records that were found.
    pub(crate) fn ids(&self) -> &[RecordId] {
        match &self.rows {
            Rows::Records(ids) => ids,
            Rows::Count(_) | Rows::Groups(_) => &[],
        }
    }
}
