//! One attempt of an upsert: sends the records, and those again that were refused for a reason that passes by itself, as
//! [`crate::rows`] decides. A record is upserted by its external id, so one whose response was lost can be sent again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use salesforce::{Classify, Client, FieldName, JsonObject, Record, RecordId, Retry, SaveOutcome, Soql, datetime, soql};
use serde_json::Value;
use store::Write;
use store::deferral::jitter;
use store::owner_policy::{Route, RouteError};
use writes::{Attempted, Error};

use crate::batch::find_field;
use crate::effects::Effects;
use crate::origins;
use crate::rows::{self, RowOutcome, Sends, Step};
use crate::{Deps, Upsert};

/// Salesforce's codes for an owner who is inactive.
const INACTIVE_OWNER: [&str; 2] = ["INACTIVE_OWNER_OR_USER", "OPERATION_WITH_INACTIVE_USER"];
/// The maximum by which Salesforce's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);
const CREATED_DATE: FieldName = FieldName::from_static("CreatedDate");

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
        let mut count = 0;
        loop {
            let sent = rows::open(rows.as_deref(), self.records);
            let from = if is_repeated { began } else { now() };
            let result = self.send(&sent, from).await;
            count += 1;
            let spent = Duration::try_from(now().duration_since(began)).unwrap_or_default();
            let left = rows::RESEND.now(&self.deps.ledger.clock).unwrap_or_default();
            let sends = Sends { count, spent, left, jitter: jitter(&(self.write.write_id, count)) };
            let pause = match result {
                Ok(outcomes) => {
                    self.require_active_owner(&sent, &outcomes, rows.as_deref())?;
                    let outcomes = self.classified(outcomes, is_repeated).await;
                    let merged = rows::merged(rows.take(), &sent, outcomes);
                    match rows::next_step(&merged, self.upsert.batch.all_or_none, sends) {
                        Step::Finish => return Ok(Attempted::Completed(self.completed(&merged))),
                        Step::Defer(retry) => return Ok(partial(&merged, retry)),
                        Step::SendAgain(pause) => {
                            rows = Some(merged);
                            pause
                        }
                    }
                }
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
        let outcomes = self.client.upsert(object, &batch.external_id_field, &records, batch.all_or_none).await?;
        let effects = Effects { deps: self.deps, route: self.route, write: self.write };
        effects.publish(object, &origins::from_outcomes(effects.call_since(from), &records, &outcomes)).await;
        Ok(outcomes)
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
        let is_inactive =
            |outcome: &SaveOutcome| outcome.errors.iter().any(|error| INACTIVE_OWNER.contains(&error.code.as_str()));
        if !sent.iter().zip(outcomes).any(|(index, outcome)| got_owner(index) && is_inactive(outcome)) {
            return Ok(());
        }
        self.deps.ledger.users.forget(self.write.org_id, owner);
        let any_written = outcomes.iter().any(|outcome| outcome.success)
            || earlier.is_some_and(|rows| rows.iter().any(|row| row.success));
        if any_written { Ok(()) } else { Err(Error::NoRoute(RouteError::RepInactive)) }
    }

    /// Returns the outcomes with what follows from them. If an earlier request may have created a record that Salesforce now
    /// reports as updated, `created` is false only for a record that is older than the write.
    async fn classified(&self, outcomes: Vec<SaveOutcome>, is_repeated: bool) -> Vec<RowOutcome> {
        let mut rows = rows::classified(outcomes, self.upsert.batch.all_or_none);
        let is_unsure = |row: &RowOutcome| is_repeated && row.success && row.created == Some(false);
        let unsure: Vec<RecordId> = rows.iter().filter(|row| is_unsure(row)).filter_map(|row| row.id).collect();
        if !unsure.is_empty() {
            let older = self.older_than_write(&unsure).await;
            for row in rows.iter_mut().filter(|row| is_unsure(row)) {
                row.created = row.id.filter(|id| older.contains(id)).map(|_| false);
            }
        }
        rows
    }

    /// Returns those of the records that existed before the write was requested. After a failed query that is none.
    async fn older_than_write(&self, records: &[RecordId]) -> Vec<RecordId> {
        let sets_created_date = |record: &JsonObject| find_field(record, CREATED_DATE.as_str()).is_some();
        if self.records.iter().any(sets_created_date) {
            return Vec::new();
        }
        let requested = self.write.created_at - CLOCK_SKEW;
        let ids: Vec<soql::Literal> = records.iter().map(soql::Literal::from).collect();
        let query = Soql::select(&[FieldName::ID, CREATED_DATE])
            .from(&self.upsert.object)
            .where_(soql::in_(&FieldName::ID, ids));
        let found = match self.client.query(&query).await {
            Ok(page) => page.records,
            Err(error) => {
                tracing::warn!(org.id = %self.write.org_id, write.id = %self.write.write_id, error = %Chain(&error),
                    "could not find out which records existed before the write");
                return Vec::new();
            }
        };
        let is_older = |record: &Record| {
            let created = record.text(CREATED_DATE.as_str()).and_then(|text| datetime::parse(text).ok());
            created.is_some_and(|created| created < requested)
        };
        found.iter().filter(|record| is_older(record)).map(|record| record.id).collect()
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
