//! The orgs in a state, page by page, from the index `by_state`, which lags behind its table by moments.
//!
//! The partitions of the index are the states, so that no number of claims makes reading the active orgs slower. Both of its
//! keys exist in items of every version.

use futures::{Stream, stream};
use salesforce::OrgId;
use serde::Deserialize;

use super::change_detection::is_polled;
use super::{Edition, OrgState, Orgs, PollingChoice};
use crate::Error;
use crate::table::Item;

/// The orgs of a page: at most half a megabyte.
const PAGE: i32 = 1_000;

/// An org, as far as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedOrg {
    /// The OrganizationId.
    pub org_id: OrgId,
    /// The state.
    pub state: OrgState,
    #[serde(default)]
    edition: Option<Edition>,
    #[serde(default)]
    polling: Option<PollingChoice>,
}

impl ListedOrg {
    /// Returns whether the org is polled.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        is_polled(self.state, self.edition.as_ref(), self.polling)
    }
}

impl Orgs {
    /// Returns the active orgs in the order of their ids, page by page. A page may be empty.
    pub fn active(&self) -> impl Stream<Item = Result<Vec<ListedOrg>, Error>> {
        self.in_state(OrgState::Active)
    }

    /// Returns the orgs in a state in the order of their ids, page by page. A page may be empty.
    pub fn in_state(&self, state: OrgState) -> impl Stream<Item = Result<Vec<ListedOrg>, Error>> {
        // `Some(None)` is the start, `None` the end.
        stream::try_unfold(Some(None::<Item>), move |position| async move {
            let Some(after) = position else { return Ok(None) };
            let partition = ("by_state", "state", state.as_str());
            let page = self.table.query_index_page("list the orgs in a state", partition, PAGE, after);
            let (orgs, next) = page.await?;
            Ok(Some((orgs, next.map(Some))))
        })
    }
}
