//! The meter of API calls, and the org's API usage that Salesforce reports with every response.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;

/// The org's API usage: the calls of all its integrations over a rolling day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiUsage {
    /// Calls used.
    pub used: u64,
    /// Calls allowed.
    pub max: u64,
}

impl ApiUsage {
    /// Parses a `Sforce-Limit-Info` header: `api-usage=17/15000`, possibly followed by more after a `;` or a `,`.
    pub fn parse(header: &str) -> Option<Self> {
        let usage = header.split([';', ',']).find_map(|part| part.trim().strip_prefix("api-usage="))?;
        let (used, max) = usage.trim().split_once('/')?;
        Some(Self { used: used.parse().ok()?, max: max.parse().ok()? })
    }
}

/// A reading of a client's meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterReading {
    /// The usage that Salesforce reported last.
    pub usage: ApiUsage,
    /// The client's calls since the previous reading, each attempt of a retried call included.
    pub calls: u64,
}

/// A counter of a client's calls, failed ones included, with the usage that Salesforce reported last.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    usage: Mutex<Option<ApiUsage>>,
    total: AtomicU64,
    unread: AtomicU64,
    lost_write: AtomicBool,
}

impl Meter {
    /// Counts one attempt of a call.
    pub(crate) fn count(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.unread.fetch_add(1, Ordering::Relaxed);
    }

    /// Stores that a write got no response that says what it did.
    pub(crate) fn mark_lost_write(&self) {
        self.lost_write.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_lost_write(&self) -> bool {
        self.lost_write.load(Ordering::Relaxed)
    }

    /// Stores the usage of a response, if it reports one.
    pub(crate) fn observe(&self, headers: &HeaderMap) {
        let header = headers.get("sforce-limit-info");
        if let Some(usage) = header.and_then(|value| ApiUsage::parse(value.to_str().ok()?)) {
            self.observe_usage(usage);
        }
    }

    /// Stores the usage that a response reports elsewhere than in its headers.
    pub(crate) fn observe_usage(&self, usage: ApiUsage) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
    }

    pub(crate) fn usage(&self) -> Option<ApiUsage> {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Returns the calls since the previous reading, and counts them as read.
    pub(crate) fn take(&self) -> u64 {
        self.unread.swap(0, Ordering::Relaxed)
    }

    /// Returns the calls since the previous reading. Without a reported usage they stay for the next reading.
    pub(crate) fn read(&self) -> Option<MeterReading> {
        let usage = self.usage()?;
        Some(MeterReading { usage, calls: self.take() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> HeaderMap {
        [("sforce-limit-info".parse().unwrap(), "api-usage=5/10".parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn the_limit_header_is_parsed_with_and_without_app_usage() {
        let usage = Some(ApiUsage { used: 17, max: 15_000 });
        assert_eq!(ApiUsage::parse("api-usage=17/15000"), usage);
        let long = "api-usage=17/15000; per-app-api-usage=3/250(appName=Ferry)";
        assert_eq!(ApiUsage::parse(long), usage);
        assert_eq!(ApiUsage::parse("per-app-api-usage=3/250"), None);
        assert_eq!(ApiUsage::parse("api-usage=many"), None);
    }

    #[test]
    fn a_response_without_the_header_keeps_the_usage() {
        let meter = Meter::default();
        meter.observe(&headers());
        meter.observe(&HeaderMap::new());
        assert_eq!(meter.usage(), Some(ApiUsage { used: 5, max: 10 }));
    }

    #[test]
    fn a_reading_has_the_calls_since_the_previous_one() {
        let meter = Meter::default();
        meter.count();
        assert_eq!(meter.read(), None);
        meter.count();
        meter.observe(&headers());
        assert_eq!(meter.read().unwrap().calls, 2);
        assert_eq!(meter.read().unwrap().calls, 0);
        meter.count();
        assert_eq!((meter.read().unwrap().calls, meter.total()), (1, 3));
    }
}
