//! One attempt of an upsert: sends the records, and those again that were refused for a reason that passes by itself, as
//! [`crate::rows`] decides. A record is upserted by its external id, so one whose response was lost can be sent again.

mod duplicates;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use salesforce::{Classify, Client, JsonObject, RecordId, Retry, SaveOptions, SaveOutcome};
use serde_json::Value;
use store::Write;
use store::deferral::jitter;
use store::owner_policy::{Route, RouteError};
use writes::{Attempted, Error};

use crate::age::{CREATED_DATE, older_than_write};
use crate::batch::{find_field, is_id};
use crate::effects::Effects;
use crate::rows::{self, RowOutcome, Sends, Step};
use crate::{Deps, Upsert};
use crate::{origins, ownership};

/// Returns the sends of an attempt that began its first one at this time.
pub(crate) fn sends_since(began: Timestamp, count: u32, deps: &Deps, write: &Write) -> Sends {
    let clock = &deps.ledger.clock;
    let spent = Duration::try_from(clock.now().duration_since(began)).unwrap_or_default();
    let left = rows::RESEND.now(clock).unwrap_or_default();
    Sends { count, spent, left, jitter: jitter(&(write.write_id, count)) }
}

/// An attempt of an upsert.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) upsert: &'a Upsert,
    pub(crate) deps: &'a Deps,
    pub(crate) client: &'a Client,
    pub(crate) route: &'a Route,
    pub(crate) write: &'a Write,
    /// The records of the batch as they are sent.
    pub(crate) records: &'a [JsonObject],
}

impl Attempt<'_> {
    /// Sends the records that no earlier attempt has decided, until each is decided or has to wait longer.
    pub(crate) async fn run(self) -> Result<Attempted, Error> {
        let now = || self.deps.ledger.clock.now();
        let began = now();
        let mut rows = rows::resumed(self.write.response.as_ref(), self.records.len());
        // A request of an earlier attempt may have taken effect, although no response said so.
        let mut is_repeated = self.write.attempt > 1;
        let mut adopted = BTreeMap::new();
        let mut count = 0;
        loop {
            let sent = rows::open(rows.as_deref(), self.records);
            let from = if is_repeated { began } else { now() };
            let result = self.send(&sent, from).await;
            count += 1;
            let sends = sends_since(began, count, self.deps, self.write);
            let pause = match result {
                Ok(outcomes) => {
                    self.require_active_owner(&sent, &outcomes, rows.as_deref())?;
                    let outcomes = self.classified(outcomes, is_repeated, &sent, &adopted).await;
                    let merged = rows::merged(rows.take(), &sent, outcomes);
                    let merged = rows.insert(merged);
                    match self.resolve_duplicates(merged, is_repeated, &mut adopted).await {
                        Ok(()) => match rows::next_step(merged, self.upsert.batch.all_or_none, sends) {
                            Step::Finish => return Ok(Attempted::Completed(self.completed(merged))),
                            Step::Defer(retry) => return Ok(partial(merged, retry)),
                            Step::SendAgain(pause) => Ok(pause),
                        },
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            };
            let pause = match pause {
                Ok(pause) => pause,
                Err(error) => {
                    let pause = match error.retry() {
                        Retry::Unknown(pause) => sends.pause(pause),
                        Retry::After(_) | Retry::NeedsHuman | Retry::Never => None,
                    };
                    match (pause, &rows) {
                        (Some(pause), _) => {
                            is_repeated = true;
                            pause
                        }
                        // What is decided is kept.
                        (None, Some(rows)) => return Ok(partial(rows, error.retry())),
                        (None, None) => return Err(self.explain(error).await),
                    }
                }
            };
            tracing::info!(org.id = %self.write.org_id, sends = count, "sending records again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn explain(&self, error: salesforce::Error) -> Error {
        let mut reader = self.upsert.reader(self.deps, self.client, self.route, self.write.org_id);
        self.upsert.explain(&mut reader, self.client, error).await
    }

    /// Sends the records at these positions, and stores which of them changed. `from` is the time before the first request
    /// that may have changed them.
    async fn send(&self, sent: &[usize], from: Timestamp) -> Result<Vec<SaveOutcome>, salesforce::Error> {
        let records: Vec<JsonObject> = sent.iter().filter_map(|index| self.records.get(*index).cloned()).collect();
        let Upsert { object, batch } = self.upsert;
        let options = SaveOptions { all_or_none: batch.all_or_none, allow_duplicates: batch.duplicates.allows() };
        let outcomes = self.client.upsert(object, &batch.external_id_field, &records, options).await?;
        self.publish(&records, &outcomes, from).await;
        Ok(outcomes)
    }

    /// Stores the origins of the records that changed, and queues their hints.
    async fn publish(&self, records: &[JsonObject], outcomes: &[SaveOutcome], from: Timestamp) {
        let effects = Effects { deps: self.deps, route: self.route, write: self.write };
        let changed = origins::from_outcomes(effects.call_since(from), records, outcomes);
        effects.publish(&self.upsert.object, &changed).await;
    }

    /// Refuses the write if Salesforce refused the owner that the route names, and no record was written.
    fn require_active_owner(
        &self,
        sent: &[usize],
        outcomes: &[SaveOutcome],
        earlier: Option<&[RowOutcome]>,
    ) -> Result<(), Error> {
        let Some(owner) = self.route.owner_id else { return Ok(()) };
        let got_owner = |index: &usize| {
            let requested = self.upsert.batch.records.get(*index).map_or(0, JsonObject::len);
            self.records.get(*index).is_some_and(|sent| sent.len() > requested)
        };
        let is_refused = |outcome: &SaveOutcome| ownership::is_inactive(&outcome.errors);
        if !sent.iter().zip(outcomes).any(|(index, outcome)| got_owner(index) && is_refused(outcome)) {
            return Ok(());
        }
        self.deps.ledger.users.forget(self.write.org_id, owner);
        let any_written = outcomes.iter().any(|outcome| outcome.success)
            || earlier.is_some_and(|rows| rows.iter().any(|row| row.success));
        if any_written { Ok(()) } else { Err(Error::NoRoute(RouteError::RepInactive)) }
    }

    /// Returns the outcomes of the records at these positions with what follows from them.
    async fn classified(
        &self,
        outcomes: Vec<SaveOutcome>,
        is_repeated: bool,
        sent: &[usize],
        adopted: &BTreeMap<usize, RecordId>,
    ) -> Vec<RowOutcome> {
        let rows = rows::classified(outcomes, self.upsert.batch.all_or_none);
        let mut rows: Vec<RowOutcome> =
            rows.into_iter().zip(sent).map(|(row, index)| row.adopted_as(adopted.get(index))).collect();
        if is_repeated && !is_id(&self.upsert.batch.external_id_field) {
            self.correct_created(&mut rows).await;
        }
        rows
    }

    /// Corrects `created` of the records that Salesforce reports as updated, and that an earlier request may have created: it is
    /// false only for a record that is older than the write.
    async fn correct_created(&self, rows: &mut [RowOutcome]) {
        let unsure: Vec<RecordId> = rows.iter().filter(|row| row.is_update()).filter_map(|row| row.id).collect();
        if unsure.is_empty() {
            return;
        }
        let sets_created_date = |record: &JsonObject| find_field(record, CREATED_DATE.as_str()).is_some();
        let older = if self.records.iter().any(sets_created_date) {
            Vec::new()
        } else {
            older_than_write(self.client, self.write, &self.upsert.object, &unsure).await
        };
        for row in rows.iter_mut().filter(|row| row.is_update()) {
            let is_older = row.id.is_some_and(|id| older.contains(&id));
            row.correct_created(is_older, self.upsert.batch.duplicates);
        }
    }

    fn completed(&self, rows: &[RowOutcome]) -> Value {
        let failed = rows.iter().filter(|row| !row.success).count();
        tracing::info!(org.id = %self.write.org_id, records = rows.len(), failed, "wrote {} records", rows.len());
        rows::stored(rows)
    }
}

fn partial(rows: &[RowOutcome], retry: Retry) -> Attempted {
    Attempted::Partial { outcome: rows::stored(rows), retry }
}
