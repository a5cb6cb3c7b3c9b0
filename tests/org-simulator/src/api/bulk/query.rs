//! Query jobs: SOQL whose rows are stored as CSV.

use crate::data::soql;
use crate::model::actor::Actor;
use crate::model::bulk::csv::Format;
use crate::model::bulk::job::Head;
use crate::model::bulk::listing::Listing;
use crate::model::bulk::query::Query;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::FieldKind;

/// Objects that can be queried over REST but not in bulk.
const NOT_IN_BULK: [&str; 6] =
    ["AttachedContentNote", "CaseStatus", "RecentlyViewed", "TaskPriority", "TaskStatus", "TaskWhoRelation"];

/// Renders rows with every value in quotes and null as an empty text (Bulk API 2.0 guide, query results).
fn listing(org: &Org, rows: &soql::FlatRows, format: Format) -> Listing {
    let mut listing = Listing::of_columns(format, rows.header());
    for row in rows.rows(org, 0) {
        listing.push(row.iter().map(|value| value.as_deref().unwrap_or_default()));
    }
    listing
}

/// Returns the error for an object that the Bulk API does not support.
pub(super) fn unsupported(object: &str) -> ApiError {
    ApiError::new("INVALIDENTITY", format!("Entity '{object}' is not supported by the Bulk API."))
}

impl Query {
    /// Checks the query of a new job and returns the job's part and the name of the queried object.
    pub(crate) fn new(org: &Org, actor: &Actor, soql: &str, all: bool) -> Result<(Self, String), ApiError> {
        let rows = soql::rows(org, actor, soql, all)?;
        let object = org.object(rows.object())?;
        if object.is_virtual || NOT_IN_BULK.contains(&object.name.as_str()) {
            return Err(unsupported(&object.name));
        }
        let is_blob = |column: &String| object.field(column).is_some_and(|field| field.kind == FieldKind::Base64);
        if rows.header().iter().any(is_blob) {
            let message = "Blob field not supported in Bulk V2 Query with CSV content type";
            return Err(ApiError::new("API_ERROR", message));
        }
        let query = Self { soql: soql.to_owned(), all, chunkable: true, found: Listing::default() };
        Ok((query, object.name.clone()))
    }

    /// Runs the query and stores its rows; the error is the job's `errorMessage`.
    pub(crate) fn run(&mut self, org: &mut Org, job: &Head) -> Result<(), String> {
        let rows = soql::rows(org, &job.actor, &self.soql, self.all)
            .map_err(|error| format!("InvalidBatch : Failed to process query: {}: {}", error.code, error.message))?;
        self.found = listing(org, &rows, job.format);
        let (now, kb) = (org.clock.now(), u64::try_from(self.found.bytes() / 1_024).unwrap_or(u64::MAX));
        if org.bulk.result_kb.take(now, kb) {
            return Ok(());
        }
        self.found = Listing::default();
        let max = org.bulk.result_kb.max;
        Err(format!("Max bulk v2 query result size stored ({max}) kb per 24 hrs has been exceeded"))
    }
}
