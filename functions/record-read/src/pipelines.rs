//! The pipelines of an org, as they are or as they were.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Org;

use crate::config::Deps;
use crate::error::Error;
use crate::health::pipelines_refreshed_at;
use crate::http::require_served;

/// The query of a list of pipelines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelinesQuery {
    at: Option<String>,
}

/// Returns the pipelines of the last refresh, or those of a time.
pub(crate) async fn list(deps: &Deps, org: &Org, query: PipelinesQuery) -> Result<Value, Error> {
    require_served(deps, org)?;
    let refreshed_at = pipelines_refreshed_at(deps, org.org_id).await?.map(store::time::format);
    let Some(at) = query.at else {
        let pipelines = deps.pipelines.list(org.org_id).await?;
        return Ok(json!({ "pipelines": pipelines, "refreshed_at": refreshed_at }));
    };
    let at: Timestamp = at.parse().map_err(|_| Error::Invalid("at must be a time such as 2026-11-22T10:00:00Z"))?;
    let found = deps.pipelines.list_at(org.org_id, at, deps.clock.now()).await?;
    let known_since = found.known_since.map(store::time::format);
    Ok(json!({ "pipelines": found.pipelines, "refreshed_at": refreshed_at, "known_since": known_since }))
}
