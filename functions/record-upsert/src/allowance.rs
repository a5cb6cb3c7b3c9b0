//! Which calls the org's budget allows (invariant 19).

use jiff::Timestamp;
use salesforce::ApiUsage;
use store::{Budget, Lane};

/// What is known of the org's budget. Re-reads are calls of the lane [`Lane::Webhook`].
#[derive(Debug)]
pub(crate) struct Allowance {
    /// As it was stored before the first call, by whatever function saw it.
    pub(crate) stored: Option<Budget>,
}

impl Allowance {
    /// Whether one more call may be made; `seen` is what Salesforce said to the calls of this invocation, and counts for more.
    /// Where nothing recent is known a call goes ahead, and its answer decides about the next one.
    pub(crate) fn may_call(&self, seen: Option<ApiUsage>, now: Timestamp) -> bool {
        match (seen, &self.stored) {
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
    fn one_call_finds_out_whether_the_window_has_moved_on() {
        let old = stored(950, 15);
        assert!(old.may_call(None, now()));
        assert!(!old.may_call(Some(ApiUsage { used: 951, max: 1_000 }), now()));
        assert!(old.may_call(Some(ApiUsage { used: 400, max: 1_000 }), now()));
    }

    #[test]
    fn what_was_said_lately_is_believed() {
        assert!(!stored(900, 14).may_call(None, now()));
        assert!(stored(899, 14).may_call(None, now()));
        assert!(Allowance { stored: None }.may_call(None, now()));
    }
}
