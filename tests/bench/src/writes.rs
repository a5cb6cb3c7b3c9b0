//! Writes of 200 records: the calls to Salesforce, the requests to AWS and the time of one request of the platform.
//!
//! The function is a separate process, the org is simulated, and the state is in the emulator, which is one Python process: the
//! counts are the result, and the time means something only in comparison.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local::{Emulator, unique_prefix};
use org_simulator::{Options, Simulator};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::upserts::{active_org, broker};
use crate::views::connection;
use crate::{Outcome, Proxy, RuntimeApi};

/// The external-id field of the package.
const KEY: &str = "Ferry_External_Id__c";
/// The platform's id of the rep.
const REP: &str = "rep-1";

/// An org, and the function that writes to it.
pub struct Writes {
    org: Simulator,
    function: RuntimeApi,
    aws: Proxy,
    records: usize,
    _emulator: Emulator,
    _broker: JoinSet<()>,
}

/// The measurements of one request.
#[derive(Clone, Debug)]
pub struct Written {
    /// The time from the request to the response.
    pub took: Duration,
    /// Calls to Salesforce.
    pub api_calls: u64,
    /// Requests to AWS by name, the token broker's invocation not among them.
    pub aws: BTreeMap<String, usize>,
}

impl Writes {
    /// Starts the function and an org. With `team_only` the team writes for the rep.
    ///
    /// # Errors
    /// A process does not start.
    pub async fn prepare(function: &Path, records: usize, team_only: bool) -> Result<Self> {
        let emulator = Emulator::start().await?;
        let state = emulator.create_state(&unique_prefix()).await?;
        let org = Simulator::start(Options::default()).await?;
        let user =
            org.users().into_iter().find(|user| user.is_admin != team_only).context("the org has no such user")?;
        let rep = org.users().into_iter().find(|user| !user.is_admin).context("the org has no rep")?;
        let (broker, tasks) = broker(json!({
            "answer": "token", "access_token": org.access_token(&user.username)?, "instance_url": org.url(),
        }))
        .await?;
        let aws = Proxy::start(emulator.endpoint()).await?;
        let table = |noun: &str| state.tables.name(noun);
        let policy = if team_only { "team-only" } else { "rep-then-team" };
        let environment = [
            ("ORGS_TABLE", table("orgs")),
            ("CONNECTIONS_TABLE", table("connections")),
            ("USERS_TABLE", table("users")),
            ("WRITES_TABLE", table("writes")),
            ("WRITE_ORDER_TABLE", table("write_order")),
            ("BUDGETS_TABLE", table("budgets")),
            ("ORIGINS_TABLE", table("origins")),
            ("PIPELINES_TABLE", table("pipelines")),
            ("WRITE_QUEUE_URL", state.physical("RecordWriteQueue")?.to_owned()),
            ("RECORD_UPSERT_QUEUE_URL", state.physical("RecordUpsertQueue")?.to_owned()),
            ("OWNER_POLICY", policy.to_owned()),
            ("TOKEN_BROKER_FUNCTION", "token-broker".to_owned()),
            ("SALESFORCE_HOSTS", "loopback".to_owned()),
            ("AWS_ENDPOINT_URL", aws.url().to_owned()),
            ("AWS_ENDPOINT_URL_LAMBDA", broker),
            ("AWS_REGION", local::emulator::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let put = |noun: &str| dynamodb.put_item().table_name(table(noun));
        put("orgs").set_item(Some(active_org(&org.org_id()))).send().await?;
        for connection in [connection(&org, &rep.id, true), connection(&org, &user.id, false)] {
            put("connections").set_item(Some(connection)).send().await?;
        }
        let function =
            RuntimeApi::start(function, &environment.each_ref().map(|(name, value)| (*name, value.as_str())))?;
        Ok(Self { org, function, aws, records, _emulator: emulator, _broker: tasks })
    }

    /// Writes the records once for the rep: new ones at the first run, changed ones afterwards.
    ///
    /// # Errors
    /// A record was not written.
    pub async fn measure(&self, run: usize) -> Result<Written> {
        let record = |n: usize| json!({ KEY: format!("C-{n}"), "LastName": format!("Moe {n}"), "Department": format!("Run {run}") });
        let body = json!({ "external_id_field": KEY, "records": (0..self.records).map(record).collect::<Vec<_>>() });
        let calls = self.org.api_calls();
        drop(self.aws.take_counts());
        let result = self.function.invoke(&self.event(&format!("run-{run}"), &body)).await?;
        let Outcome::Response(response) = &result.outcome else {
            anyhow::bail!("{:?}; its log: {:?}", result.outcome, self.function.logs())
        };
        ensure!(response["statusCode"] == 200, "{response}");
        let outcome: Value = serde_json::from_str(response["body"].as_str().context("no body")?)?;
        let records = outcome["records"].as_array().context("no records")?;
        let written = records.iter().filter(|record| record["success"] == true).count();
        ensure!(written == self.records, "{written} of {} records were written: {outcome}", self.records);
        let api_calls = self.org.api_calls() - calls;
        Ok(Written { took: result.latency, api_calls, aws: self.aws.take_counts() })
    }

    /// Returns the request of the platform's server on behalf of the rep, as API Gateway sends it.
    fn event(&self, key: &str, body: &Value) -> Value {
        let path = format!("/v1/orgs/{}/records/Contact", self.org.org_id());
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": format!("as={REP}"),
            "queryStringParameters": { "as": REP },
            "headers": { "host": "ferry.example.com", "content-type": "application/json", "idempotency-key": key },
            "body": body.to_string(),
            "requestContext": {
                "accountId": "000000000000", "apiId": "bench", "domainName": "ferry.example.com", "domainPrefix": "ferry",
                "authorizer": { "jwt": { "claims": { "tenant": "bench", "scope": "ferry/write" }, "scopes": null } },
                "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench" },
                "requestId": "bench", "routeKey": "$default", "stage": "$default",
                "time": "22/Nov/2026:00:00:00 +0000", "timeEpoch": 1_795_305_600_000_u64,
            },
            "isBase64Encoded": false,
        })
    }
}
