//! Changed records on their way into the mirror: the time that `record-upsert` needs for a batch of hints, and the time that the
//! same writes need without it.
//!
//! The function is a separate process, the org is simulated, and the state is in the emulator, which is one Python process: the
//! time of a batch means something only in comparison with that of the bare writes.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Json;
use axum::Router;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use local::{Emulator, unique_prefix};
use org_simulator::{Options, Seed, Simulator};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Outcome, RuntimeApi};

/// Concurrent writes, as many as the function makes.
const PARALLEL_WRITES: usize = 32;

/// An org with records, and the function that mirrors them.
pub struct Upserts {
    org: Simulator,
    admin: String,
    records: Vec<String>,
    function: RuntimeApi,
    dynamodb: aws_sdk_dynamodb::Client,
    mirror: String,
    _emulator: Emulator,
    _broker: JoinSet<()>,
}

/// The measurements of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Upsert {
    /// The time from sending the batch to the function's response.
    pub took: Duration,
    /// Calls to Salesforce.
    pub api_calls: u64,
    /// The time for writing the same rows, with one request each, as the function does.
    pub bare_writes: Duration,
}

impl Upserts {
    /// Starts the function and an org with this number of Accounts.
    ///
    /// # Errors
    /// A process does not start.
    pub async fn prepare(function: &Path, records: usize) -> Result<Self> {
        let emulator = Emulator::start().await?;
        let state = emulator.create_state(&unique_prefix()).await?;
        let org = Simulator::start(Options { seed: Seed::None, ..Options::default() }).await?;
        let admin = org.users().into_iter().find(|user| user.is_admin).context("the org has no admin")?.username;
        let create = |number: usize| {
            let fields = json!({ "Name": format!("Account {number}"), "Industry": "Energy", "BillingCity": "Lisbon" });
            Ok(org.create_record(&admin, "Account", fields.as_object().context("the fields are not an object")?)?)
        };
        let records = (0..records).map(create).collect::<Result<_>>()?;
        let (broker, tasks) = broker(json!({
            "answer": "token", "access_token": org.access_token(&admin)?, "instance_url": org.url(),
        }))
        .await?;
        let mirror = state.tables.name("records");
        let environment = [
            ("ORGS_TABLE", state.tables.name("orgs")),
            ("RECORDS_TABLE", mirror.clone()),
            ("DELIVERIES_TABLE", state.tables.name("deliveries")),
            ("BUDGETS_TABLE", state.tables.name("budgets")),
            ("FRESHNESS_TABLE", state.tables.name("freshness")),
            ("CURSORS_TABLE", state.tables.name("cursors")),
            ("RECORD_UPSERT_QUEUE_URL", state.physical("RecordUpsertQueue")?.to_owned()),
            ("DEAD_LETTERS_QUEUE_URL", state.physical("RecordUpsertDeadLetters")?.to_owned()),
            ("TOKEN_BROKER_FUNCTION", "token-broker".to_owned()),
            ("SALESFORCE_HOSTS", "loopback".to_owned()),
            ("AWS_ENDPOINT_URL", emulator.endpoint().to_owned()),
            ("AWS_ENDPOINT_URL_LAMBDA", broker),
            ("AWS_REGION", local::emulator::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        let function =
            RuntimeApi::start(function, &environment.each_ref().map(|(name, value)| (*name, value.as_str())))?;
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let row = active_org(&org.org_id());
        dynamodb.put_item().table_name(state.tables.name("orgs")).set_item(Some(row)).send().await?;
        Ok(Self { org, admin, records, function, dynamodb, mirror, _emulator: emulator, _broker: tasks })
    }

    /// Changes every record, sends a hint for each in one batch, and then writes the same rows again without the function.
    ///
    /// # Errors
    /// The function did not bring all records into the mirror.
    pub async fn measure(&self, run: usize) -> Result<Upsert> {
        for id in &self.records {
            let fields = json!({ "Phone": format!("+351 {run}") });
            self.org.update_record(
                &self.admin,
                "Account",
                id,
                fields.as_object().context("the fields are not an object")?,
            )?;
        }
        let calls = self.org.api_calls();
        let result = self.function.invoke(&self.batch(run)).await?;
        let done = result.outcome == Outcome::Response(json!({ "batchItemFailures": [] }));
        ensure!(done, "{:?}; its log: {:?}", result.outcome, self.function.logs());
        let api_calls = self.org.api_calls() - calls;
        let rows = self.rows().await?;
        let phone = format!("+351 {run}");
        let current = rows.iter().filter(|row| has_text(row, &phone)).count();
        ensure!(current == self.records.len(), "{current} of {} records are mirrored", self.records.len());
        Ok(Upsert { took: result.latency, api_calls, bare_writes: self.write(rows).await? })
    }

    fn batch(&self, run: usize) -> Value {
        let message = |(number, id): (usize, &String)| {
            let hint = json!({
                "org_id": self.org.org_id(), "delivery_id": format!("{run}-{number}"), "source": "outbound_message",
                "record": { "object": "Account", "record_id": id }, "received_at": "2026-11-22T10:00:00.000Z",
            });
            json!({ "messageId": number.to_string(), "body": hint.to_string() })
        };
        json!({ "Records": self.records.iter().enumerate().map(message).collect::<Vec<_>>() })
    }

    async fn rows(&self) -> Result<Vec<HashMap<String, AttributeValue>>> {
        let mut pages = self.dynamodb.scan().table_name(&self.mirror).into_paginator().items().send();
        let mut rows = Vec::new();
        while let Some(row) = pages.next().await {
            rows.push(row?);
        }
        Ok(rows)
    }

    async fn write(&self, rows: Vec<HashMap<String, AttributeValue>>) -> Result<Duration> {
        let began = now();
        stream::iter(rows)
            .map(|row| self.dynamodb.put_item().table_name(&self.mirror).set_item(Some(row)).send())
            .buffer_unordered(PARALLEL_WRITES)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await?;
        Ok(now() - began)
    }
}

/// Returns the row of an active org, without which the function drops its hints.
pub(crate) fn active_org(org_id: &str) -> HashMap<String, AttributeValue> {
    let at = "2026-11-22T09:00:00.000Z";
    let texts = [
        ("org_id", org_id),
        ("state", "active"),
        ("tenant", "bench"),
        ("environment", "production"),
        ("claimed_at", at),
        ("updated_at", at),
    ];
    let mut row: HashMap<_, _> =
        texts.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into();
    row.insert("revision".to_owned(), AttributeValue::N("1".to_owned()));
    row
}

fn has_text(row: &HashMap<String, AttributeValue>, wanted: &str) -> bool {
    row.values().any(|value| value.as_s().is_ok_and(|text| text.contains(&format!("\"{wanted}\""))))
}

/// Serves the same response to every invocation, as a token broker with a valid token does. Returns its URL.
pub(crate) async fn broker(response: Value) -> Result<(String, JoinSet<()>)> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("loopback has no free port")?;
    let url = format!("http://{}", listener.local_addr()?);
    let routes = Router::new().fallback(move || std::future::ready(Json(response.clone())));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // `serve` never returns: it retries when `accept` fails.
        let _ = axum::serve(listener, routes).await;
    });
    Ok((url, tasks))
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: measuring real time is what this crate is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
