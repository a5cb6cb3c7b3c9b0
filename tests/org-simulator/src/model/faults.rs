//! The faults that tests add, and their counts of matched and affected requests.

mod effect;
mod rule;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use effect::Effect;
pub(crate) use rule::fits;
pub use rule::{Fault, FaultRule};

/// Faults that are kept; the oldest used-up ones are removed first.
const MAX_FAULTS: usize = 1_000;

/// A fault and its counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The id by which the fault can be removed.
    pub id: u64,
    /// The rule that was added.
    pub rule: FaultRule,
    /// Requests that matched, including those that the rule let pass.
    pub matched: u64,
    /// Requests that the fault affected.
    pub used: u64,
    /// The fault has affected as many requests as `times` allows.
    pub spent: bool,
}

#[derive(Debug)]
struct FaultState {
    report: FaultReport,
    random: SplitMix,
}

impl FaultState {
    /// Counts a matching request and returns whether the fault affects it.
    fn affects(&mut self) -> bool {
        let report = &mut self.report;
        report.matched += 1;
        if report.matched <= u64::from(report.rule.skip) {
            return false;
        }
        if report.rule.probability.is_some_and(|share| self.random.next_fraction() >= share) {
            return false;
        }
        report.used += 1;
        report.spent = report.rule.times.is_some_and(|times| report.used >= u64::from(times));
        true
    }
}

/// All faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<FaultState>,
    last_id: u64,
}

impl Faults {
    /// Adds a fault and returns its id.
    pub(crate) fn add(&mut self, rule: FaultRule) -> u64 {
        if self.faults.len() >= MAX_FAULTS {
            let oldest = self.faults.iter().position(|fault| fault.report.spent).unwrap_or(0);
            self.faults.remove(oldest);
        }
        self.last_id += 1;
        let random = SplitMix(rule.seed);
        let spent = rule.times == Some(0);
        let report = FaultReport { id: self.last_id, rule, matched: 0, used: 0, spent };
        self.faults.push(FaultState { report, random });
        self.last_id
    }

    /// Returns every fault with its counts, oldest first.
    pub(crate) fn reports(&self) -> Vec<FaultReport> {
        self.faults.iter().map(|fault| fault.report.clone()).collect()
    }

    /// Removes a fault; returns `false` when no fault has that id.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.faults.len();
        self.faults.retain(|fault| fault.report.id != id);
        self.faults.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Returns whether a fault matches this request; the request is not counted.
    pub(crate) fn any_matches(&self, method: &str, path: &str, now: Timestamp) -> bool {
        self.faults.iter().any(|fault| !fault.report.spent && fault.report.rule.matches(method, path, now))
    }

    /// Returns the effect of the first fault that affects this request.
    pub(crate) fn take(&mut self, method: &str, path: &str, now: Timestamp) -> Option<Effect> {
        let open = self.faults.iter_mut().filter(|fault| !fault.report.spent);
        let mut matching = open.filter(|fault| fault.report.rule.matches(method, path, now));
        matching.find_map(|fault| fault.affects().then(|| fault.report.rule.effect.clone()))
    }
}

/// The generator `SplitMix64`: small, and with the same numbers on every machine for the same seed.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    /// Returns a number from 0 (inclusive) to 1 (exclusive).
    fn next_fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let high = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn affects(faults: &mut Faults, requests: usize) -> Vec<usize> {
        (0..requests).filter(|_| faults.take("GET", "/x", NOW).is_some()).collect()
    }

    #[test]
    fn a_fault_affects_as_many_requests_as_times_says() {
        let mut faults = Faults::default();
        let fault = Fault {
            path_prefix: "/services/data".to_owned(),
            method: Some("PATCH".to_owned()),
            times: 2,
            effect: Effect::Unavailable,
        };
        faults.add(fault.into());

        assert!(faults.take("GET", "/services/data/v66.0/limits", NOW).is_none());
        assert!(faults.take("PATCH", "/services/oauth2/token", NOW).is_none());
        assert!(faults.take("PATCH", "/services/data/x", NOW).is_some());
        assert!(faults.take("PATCH", "/services/data/x", NOW).is_some());
        assert!(faults.take("PATCH", "/services/data/x", NOW).is_none());
        let report = &faults.reports()[0];
        assert_eq!((report.matched, report.used, report.spent), (2, 2, true));
    }

    #[test]
    fn skip_lets_the_first_requests_pass() {
        let mut faults = Faults::default();
        faults.add(FaultRule { skip: 2, times: Some(3), ..FaultRule::new(Effect::Unavailable) });
        assert_eq!(affects(&mut faults, 10), [2, 3, 4]);
    }

    #[test]
    fn the_same_seed_selects_the_same_requests() {
        let rule = FaultRule { probability: Some(0.25), seed: 7, ..FaultRule::new(Effect::Unavailable) };
        let run = |rule: &FaultRule| {
            let mut faults = Faults::default();
            faults.add(rule.clone());
            affects(&mut faults, 4_000)
        };
        let first = run(&rule);
        assert!((900..1_100).contains(&first.len()), "{}", first.len());
        assert_eq!(run(&rule), first);
        assert_ne!(run(&FaultRule { seed: 8, ..rule.clone() }), first);
        assert!(run(&FaultRule { probability: Some(0.0), ..rule.clone() }).is_empty());
        assert_eq!(run(&FaultRule { probability: Some(1.0), ..rule }).len(), 4_000);
    }

    #[test]
    fn a_fault_is_active_only_in_its_time_window() {
        let at = |minute| NOW + SignedDuration::from_mins(minute);
        let mut faults = Faults::default();
        faults.add(FaultRule { from: Some(at(1)), until: Some(at(2)), ..FaultRule::new(Effect::Unavailable) });
        let hit: Vec<bool> = (0..4).map(|minute| faults.take("GET", "/x", at(minute)).is_some()).collect();
        assert_eq!(hit, [false, true, false, false]);
    }

    #[test]
    fn a_fault_that_does_not_apply_leaves_the_request_to_the_next() {
        let mut faults = Faults::default();
        faults.add(FaultRule { skip: 1, ..FaultRule::new(Effect::Unavailable) });
        let second = faults.add(FaultRule::new(Effect::QueryTimeout));
        assert_eq!(faults.take("GET", "/x", NOW), Some(Effect::QueryTimeout));
        assert_eq!(faults.take("GET", "/x", NOW), Some(Effect::Unavailable));
        assert!(faults.remove(second) && !faults.remove(second));
    }
}
