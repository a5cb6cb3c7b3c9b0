//! The orgs in a state, page by page, from the index `by_state`. The index lags behind its table by moments.

use salesforce::OrgId;
use serde::Deserialize;

use super::change_detection::{Edition, PollingChoice, is_polled};
use super::{OrgState, Orgs};
use crate::Error;
use crate::table::Item;

/// The index whose partitions are the states, so that no number of claims makes reading the active orgs slower. Both
/// keys exist in items of every version.
const INDEX: &str = "by_state";
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

/// A reader of the orgs in a state, in the order of their ids. It holds one page.
#[derive(Debug)]
pub struct OrgsInState<'a> {
    orgs: &'a Orgs,
    state: OrgState,
    position: Position,
}

#[derive(Debug)]
enum Position {
    Start,
    After(Item),
    End,
}

impl Orgs {
    /// Returns a reader of the active orgs.
    #[must_use]
    pub fn active(&self) -> OrgsInState<'_> {
        self.in_state(OrgState::Active)
    }

    /// Returns a reader of the orgs in a state.
    #[must_use]
    pub fn in_state(&self, state: OrgState) -> OrgsInState<'_> {
        OrgsInState { orgs: self, state, position: Position::Start }
    }
}

impl OrgsInState<'_> {
    /// Reads the next page, which may be empty; `None` after the last one.
    ///
    /// # Errors
    /// Only those of the table. The same page can be read again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<ListedOrg>>, Error> {
        let operation = "list the orgs in a state";
        let after = match &self.position {
            Position::Start => None,
            Position::After(key) => Some(key.clone()),
            Position::End => return Ok(None),
        };
        let (page, next) =
            self.orgs.table.query_index_page(operation, INDEX, ("state", self.state.as_str()), PAGE, after).await?;
        self.position = next.map_or(Position::End, Position::After);
        Ok(Some(page))
    }
}
