//! The counts of a batch of queued writes, for the closing log line.

use jiff::Timestamp;
use serde_json::Value;
use store::{Deferrals, WaitingFor, Write, WriteState, deferral};

/// The counts of a batch.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The tasks that are done, whatever became of their writes.
    done: u64,
    /// The accepted writes that ended as failed.
    failed: u64,
    /// The accepted writes that are finished, and of which Salesforce refused every record.
    refused: u64,
    /// The writes that wait for Salesforce.
    deferred: u64,
    /// The writes that wait for a person.
    blocked: u64,
    /// The writes that wait for an earlier one.
    waiting: u64,
    /// The tasks that were sent again, because no attempt could be begun or recorded.
    postponed: u64,
    /// The deferrals of what is late.
    late: Vec<Deferrals>,
}

impl Counts {
    /// Counts a task that is done, with the write if an attempt was made.
    pub(crate) fn add(&mut self, write: Option<&Write>) {
        self.done += 1;
        match write.map(|write| (write.state, &write.obstacle, write)) {
            Some((WriteState::Failed, ..)) => self.failed += 1,
            Some((WriteState::Finished, _, write)) => self.refused += u64::from(is_refused(write)),
            Some((WriteState::Queued, Some(obstacle), write)) => {
                match obstacle.waiting_for {
                    WaitingFor::Salesforce => self.deferred += 1,
                    WaitingFor::Person => self.blocked += 1,
                    WaitingFor::EarlierWrite => self.waiting += 1,
                }
                // It is not set while a person or an earlier write is waited for.
                self.late.push(write.deferrals);
            }
            Some((WriteState::Queued | WriteState::InProgress, ..)) | None => {}
        }
    }

    /// Counts a task that was sent again. `since` is the time since which no attempt could be begun or recorded.
    pub(crate) fn add_postponed(&mut self, since: Timestamp) {
        self.postponed += 1;
        self.late.push(Deferrals { since: Some(since), ..Deferrals::default() });
    }

    /// Returns the counts by name.
    pub(crate) fn list(self, now: Timestamp) -> Vec<(&'static str, u64)> {
        vec![
            ("writes.done", self.done),
            ("writes.failed", self.failed),
            ("writes.refused", self.refused),
            ("writes.deferred", self.deferred),
            ("writes.blocked", self.blocked),
            ("writes.waiting", self.waiting),
            ("writes.postponed", self.postponed),
            deferral::oldest(self.late, now),
        ]
    }
}

/// Returns whether Salesforce refused every record of a finished write. A note has no records: if it is refused, its write has failed.
fn is_refused(write: &Write) -> bool {
    let records = write.response.as_ref().and_then(|response| response.get("records")).and_then(Value::as_array);
    let is_refused = |record: &Value| record.get("success") == Some(&Value::Bool(false));
    records.is_some_and(|records| !records.is_empty() && records.iter().all(is_refused))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;
    use store::Obstacle;

    use super::*;
    use crate::samples::{now, requested};

    fn queued(waiting_for: WaitingFor, since: Option<Timestamp>) -> Write {
        Write {
            state: WriteState::Queued,
            queued_at: Some(now()),
            deferrals: Deferrals { count: 3, since, ..Deferrals::default() },
            obstacle: Some(Obstacle { waiting_for, reason: None, next: None, waits_for: Vec::new() }),
            ..requested()
        }
    }

    fn finished(outcomes: &[bool]) -> Write {
        let records: Vec<Value> = outcomes.iter().map(|success| json!({ "success": success })).collect();
        let response = Some(json!({ "records": records }));
        Write { state: WriteState::Finished, response, ..queued(WaitingFor::Salesforce, None) }
    }

    #[test]
    fn a_batch_counts_what_its_writes_wait_for() {
        let hours_ago = |hours| now() - SignedDuration::from_hours(hours);
        let failed = Write { state: WriteState::Failed, ..queued(WaitingFor::Salesforce, Some(hours_ago(72))) };
        let mut counts = Counts::default();
        counts.add(None);
        counts.add(Some(&failed));
        for outcomes in [&[false, false][..], &[false, true], &[true], &[]] {
            counts.add(Some(&finished(outcomes)));
        }
        counts.add(Some(&queued(WaitingFor::Salesforce, Some(hours_ago(5)))));
        counts.add(Some(&queued(WaitingFor::Person, None)));
        counts.add(Some(&queued(WaitingFor::EarlierWrite, None)));
        counts.add_postponed(hours_ago(1));

        let expected = [
            ("writes.done", 9),
            ("writes.failed", 1),
            ("writes.refused", 1),
            ("writes.deferred", 1),
            ("writes.blocked", 1),
            ("writes.waiting", 1),
            ("writes.postponed", 1),
            ("deferred.oldest_s", 5 * 60 * 60),
        ];
        assert_eq!(counts.list(now()), expected);
    }
}
