//! The org's allocations.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Client, Error};

/// How much of the org's daily API calls is used, over all integrations and a rolling day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiUsage {
    /// Calls used.
    pub used: u64,
    /// Calls allowed.
    pub max: u64,
}

/// One of the org's allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limit {
    /// The allocation.
    pub max: i64,
    /// What is left of it.
    pub remaining: i64,
}

impl Client {
    /// The org's allocations by name, `DailyApiRequests` among them; complete only for users who may view the set-up.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn limits(&self) -> Result<BTreeMap<String, Limit>, Error> {
        todo!()
    }
}
