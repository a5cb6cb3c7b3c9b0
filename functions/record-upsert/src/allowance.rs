//! Decides whether the org's API budget allows a call (invariant 19).

use jiff::Timestamp;
use salesforce::ApiUsage;
use store::{Budget, Lane};

/// The org's API budget as far as this invocation knows it. Re-reads are calls of the lane [`Lane::Webhook`].
#[derive(Debug)]
pub(crate) struct Allowance {
    /// The budget that was stored before the first call, by any function.
    pub(crate) stored: Option<Budget>,
}

impl Allowance {
    /// Returns whether one more call may be made. `reported` is the usage in Salesforce's last response to this invocation
    /// and takes precedence. Without a recent usage the call is allowed, and its response decides about the next one.
    pub(crate) fn may_call(&self, reported: Option<ApiUsage>, now: Timestamp) -> bool {
        match (reported, &self.stored) {
            (Some(ApiUsage { used, max }), _) => Lane::Webhook.may_call(used, max, 1),
            (None, Some(stored)) => stored.may_call(Lane::Webhook, 1, now),
            (None, None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn stored(used: u64, minutes_ago: i64) -> Allowance {
        let observed_at = now() - SignedDuration::from_mins(minutes_ago);
        let (org_id, day) = ("00D5e000000KQ2eEAG".parse().unwrap(), "2026-11-22".to_owned());
        Allowance { stored: Some(Budget { org_id, day, used, max: 1_000, observed_at, calls: Default::default() }) }
    }

    #[test]
    fn an_old_usage_lets_one_call_probe() {
        let old = stored(950, 15);
        assert!(old.may_call(None, now()));
        assert!(!old.may_call(Some(ApiUsage { used: 951, max: 1_000 }), now()));
        assert!(old.may_call(Some(ApiUsage { used: 400, max: 1_000 }), now()));
    }

    #[test]
    fn a_recent_usage_decides() {
        assert!(!stored(900, 14).may_call(None, now()));
        assert!(stored(899, 14).may_call(None, now()));
        assert!(Allowance { stored: None }.may_call(None, now()));
    }
}
