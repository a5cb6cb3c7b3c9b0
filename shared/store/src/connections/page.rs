//! The connections of an org, page by page.

use salesforce::OrgId;

use super::{Connection, Connections, row_key};
use crate::Error;
use crate::ids::ConnectionId;
use crate::table::from_items;

impl Connections {
    /// Returns a page of the org's connections, the team's last, from after the connection `after`; and the id after which
    /// the next page begins, `None` at the end.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn page(
        &self,
        org: OrgId,
        after: Option<&ConnectionId>,
        limit: u16,
    ) -> Result<(Vec<Connection>, Option<ConnectionId>), Error> {
        let operation = "list the connections";
        let start = after.map(|id| row_key(org, id));
        let query = self.table.query_partition(("org_id", org.as_str())).consistent_read(true);
        let page = query.limit(i32::from(limit.max(1))).set_exclusive_start_key(start).send().await;
        let page = page.map_err(Error::aws(operation))?;
        let connections: Vec<Connection> = from_items(operation, page.items.unwrap_or_default())?;
        let last = connections.last().map(|connection| connection.connection_id.clone());
        Ok((connections, page.last_evaluated_key.and(last)))
    }
}
