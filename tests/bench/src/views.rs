//! Views of records over a Salesforce that takes its time: the time from a request to its response, and the calls to Salesforce.
//!
//! The function is a separate process, the org is simulated and delays each response, and the state is in the emulator.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use local::{Emulator, unique_prefix};
use org_simulator::{Effect, Fault, Options, Simulator};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::upserts::{active_org, broker};
use crate::{Outcome, RuntimeApi};

/// The platform's id of the rep.
const REP: &str = "rep-1";
/// The id of the rep's connection: the beginning of the SHA-256 of the rep's id.
const CONNECTION: &str = "personal-1ef67c0c98b933972aa9ec295b7b3e32";
/// The number of contacts, opportunities and calls of the account.
const RECORDS: usize = 30;

/// An org with a customer, and the function that shows it.
pub struct Views {
    org: Simulator,
    paths: Vec<(&'static str, String)>,
    function: RuntimeApi,
    _emulator: Emulator,
    _broker: JoinSet<()>,
}

/// The measurements of one view.
#[derive(Clone, Debug)]
pub struct ReadView {
    /// The view.
    pub view: &'static str,
    /// The time from the request to the response.
    pub took: Duration,
    /// Calls to Salesforce.
    pub api_calls: u64,
    /// The size of the response's body.
    pub bytes: usize,
}

impl Views {
    /// Starts the function and an org with a customer, whose responses take `delay`.
    ///
    /// # Errors
    /// A process does not start.
    pub async fn prepare(function: &Path, delay: Duration) -> Result<Self> {
        let emulator = Emulator::start().await?;
        let state = emulator.create_state(&unique_prefix()).await?;
        let org = Simulator::start(Options::default()).await?;
        let user = org.users().into_iter().find(|user| !user.is_admin).context("the org has no rep")?;
        let paths = customer(&org, &user.username)?;
        let delay = Effect::DelayBefore { delay_ms: u64::try_from(delay.as_millis())? };
        let path_prefix = "/services/data/".to_owned();
        org.fault(Fault { path_prefix, method: None, times: u32::MAX, effect: delay });
        let (broker, tasks) = broker(json!({
            "answer": "token", "access_token": org.access_token(&user.username)?, "instance_url": org.url(),
        }))
        .await?;
        let table = |noun: &str| state.tables.name(noun);
        let environment = [
            ("ORGS_TABLE", table("orgs")),
            ("CONNECTIONS_TABLE", table("connections")),
            ("CURSORS_TABLE", table("cursors")),
            ("RECORDS_TABLE", table("records")),
            ("PIPELINES_TABLE", table("pipelines")),
            ("AUDITS_TABLE", table("audits")),
            ("USERS_TABLE", table("users")),
            ("BUDGETS_TABLE", table("budgets")),
            ("TOKEN_BROKER_FUNCTION", "token-broker".to_owned()),
            ("SALESFORCE_HOSTS", "loopback".to_owned()),
            ("AWS_ENDPOINT_URL", emulator.endpoint().to_owned()),
            ("AWS_ENDPOINT_URL_LAMBDA", broker),
            ("AWS_REGION", local::emulator::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let put = |noun: &str| dynamodb.put_item().table_name(table(noun));
        put("orgs").set_item(Some(active_org(&org.org_id()))).send().await?;
        put("connections").set_item(Some(connection(&org, &user.id, true))).send().await?;
        let function =
            RuntimeApi::start(function, &environment.each_ref().map(|(name, value)| (*name, value.as_str())))?;
        Ok(Self { org, paths, function, _emulator: emulator, _broker: tasks })
    }

    /// Requests each view once.
    ///
    /// # Errors
    /// A view is not returned.
    pub async fn measure(&self) -> Result<Vec<ReadView>> {
        let mut measured = Vec::with_capacity(self.paths.len());
        for (view, path) in &self.paths {
            let calls = self.org.api_calls();
            let result = self.function.invoke(&event(&format!("/v1/orgs/{}{path}", self.org.org_id()))).await?;
            let Outcome::Response(response) = &result.outcome else {
                anyhow::bail!("{:?}; its log: {:?}", result.outcome, self.function.logs())
            };
            ensure!(response["statusCode"] == 200, "{response}");
            let bytes = response["body"].as_str().map_or(0, str::len);
            let api_calls = self.org.api_calls() - calls;
            measured.push(ReadView { view, took: result.latency, api_calls, bytes });
        }
        Ok(measured)
    }
}

/// Creates a customer, and returns the paths of its views.
fn customer(org: &Simulator, user: &str) -> Result<Vec<(&'static str, String)>> {
    let create = |object: &str, fields: Value| -> Result<String> {
        Ok(org.create_record(user, object, fields.as_object().context("the fields are not an object")?)?)
    };
    let account = create("Account", json!({"Name": "Fjordglass"}))?;
    let (mut contact, mut opportunity) = (String::new(), String::new());
    for number in 0..RECORDS {
        contact = create("Contact", json!({"LastName": format!("Moe {number}"), "AccountId": account}))?;
        let deal = json!({"Name": format!("Lenses {number}"), "StageName": "Prospecting", "CloseDate": "2026-12-31",
            "AccountId": account});
        opportunity = create("Opportunity", deal)?;
        create("OpportunityContactRole", json!({"OpportunityId": opportunity, "ContactId": contact}))?;
        create("Task", json!({"Subject": "Call", "ActivityDate": "2026-11-21", "WhoId": contact, "WhatId": account}))?;
    }
    let lead = create("Lead", json!({"LastName": "Dahl", "Company": "Nordlys"}))?;
    Ok(vec![
        ("account", format!("/accounts/{account}")),
        ("contact", format!("/contacts/{contact}")),
        ("lead", format!("/leads/{lead}")),
        ("opportunity", format!("/opportunities/{opportunity}")),
    ])
}

/// Returns the row of the rep's connection, or of the team's.
pub(crate) fn connection(org: &Simulator, user_id: &str, of_rep: bool) -> HashMap<String, AttributeValue> {
    let (org_id, at) = (org.org_id(), "2026-11-22T09:00:00.000Z");
    let kind: &[_] = if of_rep {
        &[("connection_id", CONNECTION), ("kind", "personal"), ("platform_user", REP)]
    } else {
        &[("connection_id", "team"), ("kind", "team")]
    };
    let texts = [
        ("org_id", org_id.as_str()),
        ("tenant", "bench"),
        ("user_id", user_id),
        ("app", "bench"),
        ("login_url", org.url()),
        ("instance_url", org.url()),
        ("state", "active"),
        ("created_at", at),
        ("connected_at", at),
        ("updated_at", at),
    ];
    let texts = texts.iter().chain(kind);
    texts.map(|(name, value)| ((*name).to_owned(), AttributeValue::S((*value).to_owned()))).collect()
}

/// Returns the request of the platform's server on behalf of the rep, as API Gateway sends it.
fn event(path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": format!("as={REP}"),
        "queryStringParameters": { "as": REP },
        "headers": { "host": "ferry.example.com" },
        "requestContext": {
            "accountId": "000000000000", "apiId": "bench", "domainName": "ferry.example.com", "domainPrefix": "ferry",
            "authorizer": { "jwt": { "claims": { "tenant": "bench", "scope": "ferry/read" }, "scopes": null } },
            "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench" },
            "requestId": "bench", "routeKey": "$default", "stage": "$default",
            "time": "22/Nov/2026:00:00:00 +0000", "timeEpoch": 1_795_305_600_000_u64,
        },
        "isBase64Encoded": false,
    })
}
