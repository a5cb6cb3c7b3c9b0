//! Which calls the org's budget allows (invariant 19).

use jiff::Timestamp;
use salesforce::ApiUsage;
use store::{Budget, Lane, Verdict};

/// What is known of the org's budget. Re-reads are calls of the lane [`Lane::Webhook`].
#[derive(Debug)]
pub(crate) struct Allowance {
    /// As it was stored before the first call, by whatever function saw it.
    pub(crate) stored: Option<Budget>,
}

impl Allowance {
    /// Whether one more call may be made; `seen` is what Salesforce said to the calls of this invocation, and counts for more.
    /// Where nothing recent is known a call goes ahead, and its answer decides about the next one.
    pub(crate) fn verdict(&self, seen: Option<ApiUsage>, now: Timestamp) -> Verdict {
        match (seen, &self.stored) {
            (Some(ApiUsage { used, max }), _) => Lane::Webhook.verdict(used, max, 1),
            (None, Some(stored)) => stored.verdict(Lane::Webhook, 1, now),
            (None, None) => Verdict::Go,
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
        assert_eq!(old.verdict(None, now()), Verdict::Go);
        assert_eq!(old.verdict(Some(ApiUsage { used: 951, max: 1_000 }), now()), Verdict::Wait);
        assert_eq!(old.verdict(Some(ApiUsage { used: 400, max: 1_000 }), now()), Verdict::Go);
    }

    #[test]
    fn what_was_said_lately_is_believed() {
        assert_eq!(stored(900, 14).verdict(None, now()), Verdict::Wait);
        assert_eq!(stored(899, 14).verdict(None, now()), Verdict::Go);
        assert_eq!(Allowance { stored: None }.verdict(None, now()), Verdict::Go);
    }
}
