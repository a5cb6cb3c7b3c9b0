//! One attempt of a graph: sends it, and again as a whole after a row lock. A graph that only upserts is also sent again after a
//! lost response; one that creates records is then looked for, by the rules of [`writes::creation`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use runtime::Schema;
use salesforce::{Classify, Client, ObjectName, RecordId, Retry, SaveOutcome};
use store::Write;
use store::owner_policy::{Route, RouteError};
use writes::creation::{self, Step};
use writes::{Attempted, Error};

use super::look::Look;
use super::plan::Plan;
use super::request::GraphRequest;
use crate::Deps;
use crate::adoption;
use crate::age::older_than_write;
use crate::attempt::sends_since;
use crate::effects::Effects;
use crate::rows::{self, RowOutcome};
use crate::{origins, ownership};

/// An attempt of a graph.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) graph: &'a GraphRequest,
    pub(super) plan: &'a Plan,
    pub(super) schema: &'a Schema,
    pub(super) deps: &'a Deps,
    pub(super) client: &'a Client,
    pub(super) route: &'a Route,
    pub(super) write: &'a Write,
}

/// The outcomes of a graph that was answered, in the order of the request.
struct Sent {
    rows: Vec<RowOutcome>,
    /// The retry that a graph allows which was refused for a reason that passes, and was sent in vain as often as an attempt does.
    deferred: Option<Retry>,
}

impl Attempt<'_> {
    pub(super) async fn run(self) -> Result<Attempted, Error> {
        if self.graph.creates() { self.create_once().await } else { self.upsert().await }
    }

    /// Saves a graph that may be sent again.
    async fn upsert(self) -> Result<Attempted, Error> {
        let sent = self.send_until_decided(self.write.attempt > 1, true).await?;
        self.require_active_owner(&sent.rows)?;
        Ok(self.attempted(sent))
    }

    /// Carries out the steps of the state machine until it ends.
    async fn create_once(self) -> Result<Attempted, Error> {
        let mut step = creation::begin(self.write.may_be_sent());
        loop {
            step = match step {
                Step::LookForEarlier => {
                    let searched_at = self.now();
                    let settled_at = creation::no_effect_from(self.sent_at().await?);
                    let found = self.look().await.map(|look| saved(look, searched_at >= settled_at));
                    self.queue_hints(found.as_ref().ok().and_then(Option::as_ref)).await;
                    creation::after_looking_for_earlier(found, searched_at, settled_at)
                }
                Step::Create => {
                    self.mark_sent(Some(self.now())).await?;
                    creation::after_creating(self.send_until_decided(false, false).await)
                }
                Step::LookForLost(lost) => {
                    let found = self.look().await.map(|look| saved(look, false));
                    self.queue_hints(found.as_ref().ok().and_then(Option::as_ref)).await;
                    creation::after_looking_for_lost(lost, found)
                }
                Step::Done(sent) => {
                    if !sent.rows.iter().any(|row| row.success) {
                        // A refused graph was rolled back: the next attempt need not look.
                        self.mark_sent(None).await?;
                        self.require_active_owner(&sent.rows)?;
                    }
                    return Ok(self.attempted(sent));
                }
                Step::Wait(pause) => return Err(Error::MayTakeEffect { pause }),
                Step::NotSent(error) => {
                    self.mark_sent(None).await?;
                    return Err(Error::Salesforce(error));
                }
                Step::Defer(error) => return Err(Error::OutcomeUnknown(error)),
                Step::Refuse(error) => return Err(Error::Salesforce(error)),
            };
        }
    }

    /// Sends the graph, and again as a whole if it was refused for a reason that passes soon, and with `is_repeatable` if its
    /// response was lost. `is_repeated` says that an earlier request may have taken effect.
    async fn send_until_decided(self, mut is_repeated: bool, is_repeatable: bool) -> Result<Sent, salesforce::Error> {
        let began = self.now();
        let mut adopted = BTreeMap::new();
        let mut count = 0;
        loop {
            let from = if is_repeated { began } else { self.now() };
            let result = self.send(from, &mut adopted).await;
            count += 1;
            let sends = sends_since(began, count, self.deps, self.write);
            let pause = match result {
                Ok(mut rows) => {
                    if is_repeated {
                        self.correct_created(&mut rows).await;
                    }
                    match rows::next_step(&rows, true, sends) {
                        rows::Step::Finish => return Ok(Sent { rows, deferred: None }),
                        rows::Step::Defer(retry) => return Ok(Sent { rows, deferred: Some(retry) }),
                        rows::Step::SendAgain(pause) => pause,
                    }
                }
                Err(error) => match (error.retry(), is_repeatable) {
                    (Retry::Unknown(pause), true) => {
                        let Some(pause) = sends.pause(pause) else { return Err(error) };
                        is_repeated = true;
                        pause
                    }
                    _ => return Err(error),
                },
            };
            tracing::info!(org.id = %self.write.org_id, sends = count, "sending a graph again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends the graph once, and publishes which records changed. Returns the outcomes in the order of the request.
    async fn send(
        self,
        from: Timestamp,
        adopted: &mut BTreeMap<usize, RecordId>,
    ) -> Result<Vec<RowOutcome>, salesforce::Error> {
        let planned = &self.plan.0;
        let owned = planned.iter().enumerate().filter(|(_, planned)| planned.gets_owner).map(|(at, _)| at).collect();
        let duplicates = self.graph.duplicates;
        let outcomes = adoption::save_all(self.client, self.plan.nodes(), &owned, duplicates, adopted).await?;
        self.publish(&outcomes, from).await;
        let mut rows: BTreeMap<usize, RowOutcome> = BTreeMap::new();
        for (at, (row, planned)) in rows::classified(outcomes, true).into_iter().zip(planned).enumerate() {
            rows.insert(planned.index, row.adopted_as(adopted.get(&at)));
        }
        Ok(rows.into_values().collect())
    }

    /// Stores the origins of the changed records and queues their hints, for each object.
    async fn publish(self, outcomes: &[SaveOutcome], from: Timestamp) {
        let effects = Effects { deps: self.deps, route: self.route, write: self.write };
        let objects: BTreeSet<&ObjectName> = self.plan.0.iter().map(|planned| &planned.node.object).collect();
        for object in objects {
            let of = self.plan.0.iter().zip(outcomes).filter(|(planned, _)| planned.node.object == *object);
            let (records, outcomes): (Vec<_>, Vec<_>) = of
                .map(|(planned, outcome)| (self.graph.records[planned.index].fields.clone(), outcome.clone()))
                .unzip();
            effects.publish(object, &origins::from_outcomes(effects.call_since(from), &records, &outcomes)).await;
        }
    }

    /// Queues the hints of records that a request without a response changed. Their origin is not stored: the time of the change is
    /// not known well enough.
    async fn queue_hints(self, found: Option<&Sent>) {
        let effects = Effects { deps: self.deps, route: self.route, write: self.write };
        let mut changed: BTreeMap<&ObjectName, Vec<RecordId>> = BTreeMap::new();
        for (row, record) in found.into_iter().flat_map(|sent| &sent.rows).zip(&self.graph.records) {
            changed.entry(&record.object).or_default().extend(row.id);
        }
        for (object, records) in changed {
            effects.queue_hints(object, records).await;
        }
    }

    /// Corrects `created` of the records that Salesforce reports as updated, and that an earlier request may have created or
    /// adopted.
    async fn correct_created(self, rows: &mut [RowOutcome]) {
        let mut unsure: BTreeMap<&ObjectName, Vec<RecordId>> = BTreeMap::new();
        let records = &self.graph.records;
        for (row, record) in rows.iter().zip(records).filter(|(row, _)| row.is_update()) {
            unsure.entry(&record.object).or_default().extend(row.id);
        }
        let mut older = BTreeSet::new();
        for (object, ids) in unsure {
            older.extend(older_than_write(self.client, self.write, object, &ids).await);
        }
        for row in rows.iter_mut().filter(|row| row.is_update()) {
            row.correct_created(row.id.is_some_and(|id| older.contains(&id)), self.graph.duplicates);
        }
    }

    /// Refuses the write if Salesforce refused the owner that the route names.
    fn require_active_owner(self, rows: &[RowOutcome]) -> Result<(), Error> {
        let Some(owner) = self.route.owner_id else { return Ok(()) };
        let got_owner = self.plan.0.iter().filter(|planned| planned.gets_owner);
        if got_owner.filter_map(|planned| rows.get(planned.index)).any(|row| ownership::is_inactive(&row.errors)) {
            self.deps.ledger.users.forget(self.write.org_id, owner);
            return Err(Error::NoRoute(RouteError::RepInactive));
        }
        Ok(())
    }

    fn attempted(self, sent: Sent) -> Attempted {
        let (records, outcome) = (sent.rows.len(), rows::stored(&sent.rows));
        match sent.deferred {
            Some(retry) => Attempted::Partial { outcome, retry },
            None => {
                let failed = sent.rows.iter().filter(|row| !row.success).count();
                tracing::info!(org.id = %self.write.org_id, records, failed, "wrote a graph of {records} records");
                Attempted::Completed(outcome)
            }
        }
    }

    /// Returns the last time at which an attempt began to send the graph.
    async fn sent_at(self) -> Result<Timestamp, Error> {
        let now = self.now();
        if self.write.sent_at.is_none() {
            self.mark_sent(Some(now)).await?;
        }
        Ok(self.write.sent_at.unwrap_or(now))
    }

    async fn mark_sent(self, sent_at: Option<Timestamp>) -> Result<(), Error> {
        Ok(self.deps.ledger.writes.mark_sent(self.write, sent_at).await.map(drop)?)
    }

    fn now(self) -> Timestamp {
        self.deps.ledger.clock.now()
    }
}

/// Returns the outcome of a graph that is there. That only some of its records are is the end once no request can take effect any
/// more: it is not sent again, or it might be saved twice.
fn saved(look: Look, is_settled: bool) -> Option<Sent> {
    match look {
        Look::Saved(rows) => Some(Sent { rows, deferred: None }),
        Look::PartlyThere(rows) if is_settled => Some(Sent { rows, deferred: None }),
        Look::PartlyThere(_) | Look::NotSaved => None,
    }
}
