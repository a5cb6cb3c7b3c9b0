//! The limits of an org, and what is left of them (REST API guide, Limits).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::transport::Request;
use crate::{Client, Error};

/// A limit of an org. What is left may be less than nothing, because Salesforce lets some limits be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgLimit {
    /// The most that the org may use.
    #[serde(alias = "Max")]
    pub max: i64,
    /// What is left, some minutes ago.
    #[serde(alias = "Remaining")]
    pub remaining: i64,
}

impl Client {
    /// Returns the limits of the org by their names, such as `DailyApiRequests` and `DailyBulkV2QueryJobs`, all of them counted
    /// over the last 24 hours and all clients. A user without "View Setup and Configuration" sees fewer of them.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn fetch_limits(&self) -> Result<BTreeMap<String, OrgLimit>, Error> {
        let request = Request::get("fetch the org's limits", self.path("limits"));
        let limits: BTreeMap<String, Value> = self.send(&request).await?.json()?;
        // A limit of another form is left out.
        Ok(limits.into_iter().filter_map(|(name, limit)| Some((name, serde_json::from_value(limit).ok()?))).collect())
    }
}
