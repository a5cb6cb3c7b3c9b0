//! The order of an erasure, and the decision whether it goes on. Pure.
//!
//! ```text
//! waiting ──► cursors ──► the other tables ──► staged files ──► dead letters ──► connections ──► finished        an org
//! waiting ──► the row ──► the ledgers ──► dead letters ──► finished                              a record
//! ```
//! A step is done page by page. After each page the checkpoint names the step and the key from which it goes on.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Erasure, Org, OrgState, OrgTable, PageKey, RecordLedger};

/// A step of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The org's rows of a table.
    Table(OrgTable),
    /// The contents of the org's files that were not written to Salesforce yet.
    StagedFiles,
    /// The record's row of the mirror.
    Row,
    /// The rows of a ledger that name the record.
    Ledger(RecordLedger),
    /// The outcome of the record in writes.
    Writes,
    /// The dead letters that name the org, or the record.
    DeadLetters,
    /// The rest of the org's connections and tokens. It is late, because a connection without its row cannot be
    /// revoked any more.
    Connections,
}

const OF_ORG: [Step; 16] = [
    // First, so that an org that connects again in the middle is read from the beginning.
    Step::Table(OrgTable::Cursors),
    Step::Table(OrgTable::Records),
    Step::Table(OrgTable::Pipelines),
    Step::Table(OrgTable::Deliveries),
    Step::Table(OrgTable::Writes),
    Step::Table(OrgTable::WriteOrder),
    Step::Table(OrgTable::Origins),
    Step::Table(OrgTable::Budgets),
    Step::Table(OrgTable::Freshness),
    Step::Table(OrgTable::Authorizations),
    Step::Table(OrgTable::Users),
    Step::Table(OrgTable::OrgSettings),
    Step::Table(OrgTable::Audits),
    Step::StagedFiles,
    Step::DeadLetters,
    Step::Connections,
];
const OF_RECORD: [Step; 7] = [
    Step::Row,
    Step::Ledger(RecordLedger::Origins),
    Step::Ledger(RecordLedger::Deliveries),
    Step::Ledger(RecordLedger::ClientKeys),
    Step::Ledger(RecordLedger::LeftOut),
    Step::Writes,
    Step::DeadLetters,
];

fn steps(of_record: bool) -> &'static [Step] {
    if of_record { &OF_RECORD } else { &OF_ORG }
}

/// The place at which an erasure goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The step.
    pub step: Step,
    /// The key after which the next page starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PageKey>,
}

impl Checkpoint {
    /// Returns the stored place of an erasure. One that cannot be read, as that of another version, is the beginning:
    /// deleting again does no harm.
    #[must_use]
    pub fn of(erasure: &Erasure) -> Self {
        let first = steps(erasure.of_record).first().copied().unwrap_or(Step::DeadLetters);
        let stored = erasure.checkpoint.as_ref().and_then(|text| serde_json::from_str::<Self>(text).ok());
        let stored = stored.filter(|stored| steps(erasure.of_record).contains(&stored.step));
        stored.unwrap_or(Self { step: first, after: None })
    }

    /// Returns the place after a page that ended at `next`; `None` when nothing remains.
    #[must_use]
    pub fn advance(&self, of_record: bool, next: Option<PageKey>) -> Option<Self> {
        if next.is_some() {
            return Some(Self { step: self.step, after: next });
        }
        let mut following = steps(of_record).iter().skip_while(|step| **step != self.step).skip(1);
        following.next().map(|step| Self { step: *step, after: None })
    }
}

/// The decision about the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Delete it.
    GoOn,
    /// Wait for this time: invocations may still be running that began before the org was closed.
    Wait(Duration),
    /// Stop: the org was connected again.
    Stop,
    /// Do nothing: it is over.
    Nothing,
}

/// Decides whether an erasure deletes its next page.
#[must_use]
pub fn decide(erasure: &Erasure, org: Option<&Org>, now: Timestamp) -> Decision {
    if erasure.is_over() {
        return Decision::Nothing;
    }
    if erasure.of_record {
        return Decision::GoOn;
    }
    let connected_again = |org: &Org| {
        let activated_since = org.activated_at.is_some_and(|at| at > erasure.requested_at);
        org.state == OrgState::Active || activated_since
    };
    if org.is_some_and(connected_again) {
        return Decision::Stop;
    }
    let wait = erasure.begins_at.duration_since(now);
    if wait.is_positive() { Decision::Wait(wait.unsigned_abs()) } else { Decision::GoOn }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use store::{Environment, ErasureState};

    use super::*;

    fn erasure(of_record: bool) -> Erasure {
        let record = of_record.then(|| "0035e00000ZkM3hAAF".parse().unwrap());
        Erasure::requested("00D5e000000KQ2eEAG".parse().unwrap(), record, Timestamp::UNIX_EPOCH)
    }

    fn org(state: OrgState, activated_at: i64) -> Org {
        let org = Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, Timestamp::UNIX_EPOCH);
        Org { state, activated_at: Some(Timestamp::from_second(activated_at).unwrap()), ..org }
    }

    fn key(number: u8) -> PageKey {
        serde_json::from_value(serde_json::json!({ "org_id": number.to_string() })).unwrap()
    }

    proptest! {
        #[test]
        fn every_step_is_done_once_and_in_order(of_record: bool, pages in prop::collection::vec(0..4_u8, 10)) {
            let mut place = Some(Checkpoint::of(&erasure(of_record)));
            let mut done = Vec::new();
            while let Some(now) = place {
                done.push(now.step);
                let index = done.iter().collect::<Vec<_>>().len();
                let wanted = pages[done.iter().filter(|step| **step != now.step).count() % 10];
                let so_far = done.iter().filter(|step| **step == now.step).count();
                let next = (so_far <= usize::from(wanted)).then(|| key(u8::try_from(index % 200).unwrap()));
                // A killed function reads its place from the stored text.
                let stored = Erasure {
                    checkpoint: now.advance(of_record, next).map(|next| serde_json::to_string(&next).unwrap()),
                    ..erasure(of_record)
                };
                place = stored.checkpoint.is_some().then(|| Checkpoint::of(&stored));
            }
            done.dedup();
            prop_assert_eq!(done.as_slice(), steps(of_record));
        }
    }

    #[test]
    fn every_table_of_an_org_has_its_step() {
        for table in OrgTable::ALL {
            assert!(OF_ORG.contains(&Step::Table(table)), "{table:?}");
        }
    }

    #[test]
    fn an_unreadable_checkpoint_is_the_beginning() {
        for text in ["", "{}", r#"{"step":"photos"}"#, r#"{"step":"row"}"#] {
            let stored = Erasure { checkpoint: Some(text.to_owned()), ..erasure(false) };
            assert_eq!(Checkpoint::of(&stored), Checkpoint { step: OF_ORG[0], after: None }, "{text}");
        }
    }

    #[test]
    fn an_org_is_erased_once_earlier_invocations_have_ended() {
        let closed = org(OrgState::Disconnected, -60);
        let at = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        assert_eq!(decide(&erasure(false), Some(&closed), at(15)), Decision::Wait(Duration::from_secs(60)));
        assert_eq!(decide(&erasure(false), Some(&closed), at(16)), Decision::GoOn);
        assert_eq!(decide(&erasure(true), Some(&closed), at(0)), Decision::GoOn);
    }

    #[test]
    fn an_org_that_was_connected_again_keeps_its_data() {
        let later = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        for org in [org(OrgState::Active, -60), org(OrgState::Disconnected, 60)] {
            assert_eq!(decide(&erasure(false), Some(&org), later), Decision::Stop);
        }
        assert_eq!(decide(&erasure(true), Some(&org(OrgState::Active, -60)), later), Decision::GoOn);
    }

    #[test]
    fn an_erasure_that_is_over_does_nothing() {
        for state in [ErasureState::Finished, ErasureState::Stopped] {
            let over = Erasure { state, ..erasure(false) };
            assert_eq!(decide(&over, None, Timestamp::UNIX_EPOCH), Decision::Nothing);
        }
    }
}
