//! Reads the rows of one `SystemModstamp` in ranges of ids, where a query for all of them takes Salesforce too long.
//!
//! The end of a range is the id of a record of the object, whatever its version: a query for some ids alone walks through
//! Salesforce's primary key. Each range begins where the last one ended, so that no row is between two of them in any order of
//! ids.

use jiff::Timestamp;
use mirroring::Extent;
use salesforce::{FieldName, RecordId, Soql, soql};

use crate::error::Error;
use crate::object::Scanning;
use crate::scan::{PageFault, PageShape, Scan, Step};
use crate::selection::Selection;

/// A query of a scan.
pub(crate) struct NextRows {
    pub(crate) query: Soql,
    pub(crate) limit: u32,
    pub(crate) until: Option<Timestamp>,
    /// The last id of the range; `None` without one.
    to_id: Option<RecordId>,
}

impl Scanning<'_> {
    /// Plans the next query. Where it needs a range of ids, this costs a call.
    pub(crate) async fn next_rows(
        &self,
        scan: &Scan,
        selection: &Selection,
        extent: Extent,
    ) -> Result<NextRows, Error> {
        let (limit, until) = (extent.rows(), scan.until(extent.span()));
        let query = Soql::select(selection.queried()).from(self.object);
        let Some(begin) = scan.moment(until).filter(|_| extent.by_ids()) else {
            return Ok(NextRows { query: scan.next_rows(query, limit, until), limit, until, to_id: None });
        };
        let after = |query: Soql| begin.into_iter().fold(query, |query, id| query.where_(soql::gt(&FieldName::ID, id)));
        let ids = after(Soql::select(&[FieldName::ID]).from(self.object)).order_by(&FieldName::ID).limit(limit);
        let ids = self.run.client.query_all(&ids).await.map_err(|error| self.rows_error(error))?;
        let is_end = ids.done && ids.total_size < u64::from(limit);
        let to_id = ids.records.last().map(|record| record.id).filter(|_| !is_end);
        let query = to_id.into_iter().fold(after(query), |query, id| query.where_(soql::le(&FieldName::ID, id)));
        Ok(NextRows { query: scan.next_rows(query, limit, until), limit, until, to_id })
    }

    /// Validates a page of the query and returns the step to take once its rows are stored. Once the scan has passed the rows of
    /// the `SystemModstamp`, it reads without ranges again.
    pub(crate) fn after(&self, scan: &Scan, next: &NextRows, page: &PageShape<'_>) -> Result<Step, PageFault> {
        let (cache, org) = (&self.run.deps.fields, self.run.org());
        let step = match next.to_id {
            Some(to_id) => scan.after_ids(page, to_id)?,
            None => scan.after(page)?,
        };
        if !scan.stays_at(&step) {
            cache.set_extent(org, self.object, cache.extent(org, self.object).without_ids());
        }
        Ok(step)
    }
}
