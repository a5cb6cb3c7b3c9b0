//! The functions that the platform calls: several processes of each, as API Gateway would call them. Some invocations end with
//! a kill.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bench::{Outcome, RuntimeApi};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::KILLS;
use super::plan::{Plan, Request};
use super::platform::Sent;
use crate::{Binary, Connected, TENANT};

/// The number of processes of each function.
const PROCESSES: usize = 3;
/// The latest time of a kill after the start of an invocation. Most invocations take longer.
const KILLED_WITHIN_MS: u64 = 120;

/// The processes.
pub(super) struct Fronts<'a> {
    org: String,
    records: Pool<'a>,
    notes: Pool<'a>,
    calm: &'a AtomicBool,
    random: Mutex<StdRng>,
    killed: AtomicUsize,
    most_kills: usize,
    kills_notes: bool,
}

/// The answer to a request. `None` if the function was killed or ended first.
pub(super) type Answer = Option<(u64, Value)>;

impl<'a> Fronts<'a> {
    pub(super) fn start(
        connected: &Connected,
        binaries: &'a [Binary],
        plan: Plan,
        calm: &'a AtomicBool,
    ) -> Result<Self> {
        let [records, notes] = binaries else { bail!("there are two functions") };
        Ok(Self {
            org: connected.stack.simulator().org_id(),
            records: Pool::start(records)?,
            notes: Pool::start(notes)?,
            calm,
            random: Mutex::new(StdRng::seed_from_u64(plan.seed)),
            killed: AtomicUsize::new(0),
            most_kills: plan.kills,
            kills_notes: !plan.is_short,
        })
    }

    pub(super) fn killed(&self) -> usize {
        self.killed.load(Ordering::Acquire)
    }

    /// Sends a write to the function of its kind. Kills the function sometimes.
    pub(super) async fn write(&self, request: &Request, rep: usize, path: &str, body: &Value) -> Result<Answer> {
        let pool = if request.is_note() { &self.notes } else { &self.records };
        let path = format!("/v1/orgs/{}{path}", self.org);
        let mut event = event("POST", &path, &format!("as=rep-{rep}"));
        event["headers"]["idempotency-key"] = request.key.as_str().into();
        event["headers"]["content-type"] = "application/json".into();
        event["body"] = body.to_string().into();
        let kill = if request.is_note() && !self.kills_notes { None } else { self.roll_kill() };
        let answer = pool.invoke(&event, kill).await?;
        if answer.is_none() {
            self.killed.fetch_add(1, Ordering::AcqRel);
        }
        Ok(answer)
    }

    /// Returns the write as the ledger shows it.
    pub(super) async fn view(&self, sent: &Sent) -> Result<Value> {
        let path = format!("/v1/orgs/{}/writes/{}", self.org, sent.write_id);
        let answer = self.records.invoke(&event("GET", &path, ""), None).await?;
        let (status, view) = answer.context("the function ended while it showed a write")?;
        Ok(if status == 200 { view } else { json!({ "state": "missing", "status": status }) })
    }

    fn roll_kill(&self) -> Option<Duration> {
        if self.calm.load(Ordering::Acquire) || self.killed() >= self.most_kills {
            return None;
        }
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.random_bool(KILLS).then(|| Duration::from_millis(random.random_range(0..KILLED_WITHIN_MS)))
    }
}

/// Several processes of one function. Each handles one event at a time.
struct Pool<'a> {
    binary: &'a Binary,
    free: AsyncMutex<Vec<RuntimeApi>>,
    permits: Semaphore,
}

impl<'a> Pool<'a> {
    fn start(binary: &'a Binary) -> Result<Self> {
        let free = (0..PROCESSES).map(|_| binary.start()).collect::<Result<Vec<_>>>()?;
        Ok(Self { binary, free: AsyncMutex::new(free), permits: Semaphore::new(PROCESSES) })
    }

    /// Invokes a free process, and kills it after a time.
    async fn invoke(&self, event: &Value, kill: Option<Duration>) -> Result<Answer> {
        let _permit = self.permits.acquire().await?;
        let process = match self.free.lock().await.pop() {
            Some(process) => process,
            None => self.binary.start()?,
        };
        let outcome = tokio::select! {
            result = process.invoke(event) => result?.outcome,
            () = after(kill) => {
                process.kill().await;
                Outcome::Exited("killed".to_owned())
            }
        };
        match outcome {
            Outcome::Response(response) => {
                self.free.lock().await.push(process);
                let status = response["statusCode"].as_u64().context("a response has no status")?;
                let body = response["body"].as_str().unwrap_or_default();
                Ok(Some((status, serde_json::from_str(body).unwrap_or_default())))
            }
            Outcome::Error(error) => bail!("a function failed: {error} {:?}", process.logs()),
            // The process is dropped, and the next caller starts another one.
            Outcome::Exited(_) | Outcome::TimedOut => Ok(None),
        }
    }
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Returns an event of an HTTP API, payload format 2.0, with a token of the tenant.
fn event(method: &str, path: &str, query: &str) -> Value {
    let scope = "ferry/read ferry/write ferry/admin";
    let claims = json!({ "iss": "https://login.example.com", "aud": "ferry", "tenant": TENANT, "scope": scope });
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": { "host": "api.example.com" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
            "authorizer": { "jwt": { "claims": claims, "scopes": null } },
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "rig" },
            "requestId": "id", "routeKey": "$default", "stage": "$default",
            "time": "22/Nov/2026:10:15:30 +0000", "timeEpoch": 1_795_342_530_000_u64,
        },
        "isBase64Encoded": false,
    })
}
