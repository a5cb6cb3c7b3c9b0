//! The org's allocations.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use serde::Deserialize;

use crate::transport::Request;
use crate::{Client, Error};

/// How much of the org's daily API calls is used, over all integrations and a rolling day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiUsage {
    /// Calls used.
    pub used: u64,
    /// Calls allowed.
    pub max: u64,
}

impl ApiUsage {
    /// Reads a `Sforce-Limit-Info` header: `api-usage=17/15000`, possibly with more after a `;` or a `,`.
    pub fn parse(header: &str) -> Option<Self> {
        let usage = header.split([';', ',']).find_map(|part| part.trim().strip_prefix("api-usage="))?;
        let (used, max) = usage.trim().split_once('/')?;
        Some(Self { used: used.parse().ok()?, max: max.parse().ok()? })
    }
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

/// Remembers the last `Sforce-Limit-Info`, which comes with failures too.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Option<ApiUsage>>);

impl Meter {
    pub(crate) fn observe(&self, headers: &HeaderMap) {
        let header = headers.get("sforce-limit-info");
        let usage = header.and_then(|value| ApiUsage::parse(value.to_str().ok()?));
        if usage.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = usage;
        }
    }

    pub(crate) fn last(&self) -> Option<ApiUsage> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// The org's allocations by name, `DailyApiRequests` among them; complete only for users who may view the set-up.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn limits(&self) -> Result<BTreeMap<String, Limit>, Error> {
        let request = Request::get("limits", self.path("limits"));
        self.send(&request).await?.json()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_header_is_read_with_and_without_the_apps_share() {
        let usage = Some(ApiUsage { used: 17, max: 15_000 });
        assert_eq!(ApiUsage::parse("api-usage=17/15000"), usage);
        let long = "api-usage=17/15000; per-app-api-usage=3/250(appName=Ferry)";
        assert_eq!(ApiUsage::parse(long), usage);
        assert_eq!(ApiUsage::parse("per-app-api-usage=3/250"), None);
        assert_eq!(ApiUsage::parse("api-usage=many"), None);
    }

    #[test]
    fn an_answer_without_the_header_leaves_what_is_known() {
        let meter = Meter::default();
        let mut headers = HeaderMap::new();
        headers.insert("sforce-limit-info", "api-usage=5/10".parse().unwrap());
        meter.observe(&headers);
        meter.observe(&HeaderMap::new());
        assert_eq!(meter.last(), Some(ApiUsage { used: 5, max: 10 }));
    }
}
