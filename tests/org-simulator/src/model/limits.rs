//! The limits on what an org may use within 24 hours, and on the requests that it serves at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::kind::OrgKind;

const MINUTES: i64 = 24 * 60;

/// A limit on what may be used within 24 hours of the org's clock, counted by the minute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Allowance {
    pub(crate) max: u64,
    by_minute: BTreeMap<i64, u64>,
}

impl Allowance {
    pub(crate) fn new(max: u64) -> Self {
        Self { max, by_minute: BTreeMap::new() }
    }

    /// Returns the default limit on API calls of such an org (Salesforce Developer Limits Quick Reference, API request limits;
    /// the sandbox's is unverified).
    pub(crate) fn of_api_calls(kind: OrgKind) -> Self {
        Self::new(match kind {
            OrgKind::Production | OrgKind::LicenseManagement => 100_000,
            OrgKind::Sandbox => 5_000_000,
            OrgKind::DeveloperEdition => 15_000,
        })
    }

    /// Returns the amount that was used in the last 24 hours.
    pub(crate) fn used(&self, now: Timestamp) -> u64 {
        self.by_minute.range(minute(now) - MINUTES + 1..).map(|(_, used)| used).sum()
    }

    /// Returns the amount that can still be used.
    pub(crate) fn remaining(&self, now: Timestamp) -> u64 {
        self.max.saturating_sub(self.used(now))
    }

    /// Uses the amount and returns `true`; changes nothing and returns `false` when less remains.
    pub(crate) fn take(&mut self, now: Timestamp, amount: u64) -> bool {
        let fits = self.remaining(now) >= amount;
        if fits {
            self.by_minute.retain(|known, _| *known > minute(now) - MINUTES);
            *self.by_minute.entry(minute(now)).or_default() += amount;
        }
        fits
    }

    /// Returns the value of the `Sforce-Limit-Info` header.
    pub(crate) fn header(&self, now: Timestamp) -> String {
        format!("api-usage={}/{}", self.used(now), self.max)
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// The time after which a request counts as long-running (Salesforce Developer Limits Quick Reference, concurrent API
/// request limits).
const LONG: SignedDuration = SignedDuration::from_secs(20);

type Started = BTreeMap<u64, Timestamp>;

/// The requests to the data API that an org serves at the moment, and the limit on those that take long.
#[derive(Debug)]
pub(crate) struct Running {
    /// The number of long-running requests beside which the org accepts no further request.
    pub(crate) max: usize,
    started: Arc<Mutex<Started>>,
}

impl Running {
    /// Returns the default limit of such an org.
    pub(crate) fn of(kind: OrgKind) -> Self {
        let max = if kind == OrgKind::DeveloperEdition { 5 } else { 25 };
        Self { max, started: Arc::default() }
    }

    /// Returns the number of requests, and how many of them are long-running by the org's clock.
    pub(crate) fn count(&self, now: Timestamp) -> (usize, usize) {
        let started = lock(&self.started);
        let long = started.values().filter(|start| now.duration_since(**start) >= LONG).count();
        (started.len(), long)
    }

    /// Adds a request, which counts until the value is dropped; `None` when the limit is reached.
    pub(crate) fn start(&self, now: Timestamp) -> Option<RunningRequest> {
        if self.count(now).1 >= self.max {
            return None;
        }
        let mut started = lock(&self.started);
        let number = started.last_key_value().map_or(0, |(last, _)| last + 1);
        started.insert(number, now);
        Some(RunningRequest { number, started: Arc::clone(&self.started) })
    }
}

/// A request that an org serves at the moment.
#[derive(Debug)]
pub(crate) struct RunningRequest {
    number: u64,
    started: Arc<Mutex<Started>>,
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        lock(&self.started).remove(&self.number);
    }
}

fn lock(started: &Mutex<Started>) -> MutexGuard<'_, Started> {
    started.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_renews_minute_by_minute_after_a_day() {
        let mut calls = Allowance::new(2);
        let start = Timestamp::UNIX_EPOCH;
        assert!(calls.take(start, 1) && calls.take(start + SignedDuration::from_mins(90), 1));
        assert!(!calls.take(start + SignedDuration::from_mins(90), 1));
        assert_eq!(calls.header(start + SignedDuration::from_mins(90)), "api-usage=2/2");

        assert_eq!(calls.remaining(start + SignedDuration::from_mins(24 * 60 - 1)), 0);
        assert_eq!(calls.remaining(start + SignedDuration::from_mins(24 * 60)), 1);
        assert!(calls.take(start + SignedDuration::from_mins(24 * 60), 1));
        assert_eq!(calls.used(start + SignedDuration::from_mins(25 * 60 + 29)), 2);
        assert_eq!(calls.used(start + SignedDuration::from_mins(25 * 60 + 30)), 1);
    }

    #[test]
    fn only_long_requests_count_against_the_limit() {
        let running = Running { max: 1, ..Running::of(OrgKind::Production) };
        let start = Timestamp::UNIX_EPOCH;
        let first = running.start(start).unwrap();
        let second = running.start(start + SignedDuration::from_secs(19)).unwrap();
        let later = start + SignedDuration::from_secs(20);
        assert!(running.start(later).is_none());
        assert_eq!(running.count(later), (2, 1));
        drop(first);
        let third = running.start(later).unwrap();
        drop((second, third));
        assert_eq!(running.count(later), (0, 0));
    }
}
