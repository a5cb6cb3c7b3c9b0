//! The active orgs, page by page, from the index `by_state`. The index lags behind its table by moments.

use salesforce::OrgId;
use serde::Deserialize;

use super::change_detection::{Edition, PollingChoice, is_polled};
use super::{OrgState, Orgs};
use crate::Error;
use crate::table::Item;

/// The index whose partitions are the states, so that no number of claims makes reading the active orgs slower. Both
/// keys exist in items of every version.
const INDEX: &str = "by_state";
const ACTIVE: &str = "active";
/// The orgs of a page: at most half a megabyte.
const PAGE: i32 = 1_000;

/// An active org, as far as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ActiveOrg {
    /// The OrganizationId.
    pub org_id: OrgId,
    #[serde(default)]
    edition: Option<Edition>,
    #[serde(default)]
    polling: Option<PollingChoice>,
}

impl ActiveOrg {
    /// Returns whether the org is polled.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        is_polled(OrgState::Active, self.edition.as_ref(), self.polling)
    }
}

/// A reader of the active orgs, in the order of their ids. It holds one page.
#[derive(Debug)]
pub struct ActiveOrgs<'a> {
    orgs: &'a Orgs,
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
    pub fn active(&self) -> ActiveOrgs<'_> {
        ActiveOrgs { orgs: self, position: Position::Start }
    }
}

impl ActiveOrgs<'_> {
    /// Reads the next page, which may be empty; `None` after the last one.
    ///
    /// # Errors
    /// Only those of the table. The same page can be read again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<ActiveOrg>>, Error> {
        let operation = "list the active orgs";
        let after = match &self.position {
            Position::Start => None,
            Position::After(key) => Some(key.clone()),
            Position::End => return Ok(None),
        };
        let (page, next) = self.orgs.table.query_index_page(operation, INDEX, ("state", ACTIVE), PAGE, after).await?;
        self.position = next.map_or(Position::End, Position::After);
        Ok(Some(page))
    }
}
