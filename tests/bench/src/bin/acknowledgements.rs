//! Measures acknowledgements: the webhook function is a process, its tables are in the emulator, and its queue is a server on
//! loopback that accepts every message at once, so that the function's own work is measured.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use axum::{Json, Router};
use bench::{Outcome, RuntimeApi};
use clap::Parser;
use local::Emulator;
use salesforce::OrgId;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Sends outbound messages to the webhook function, one after the other, and prints a line of JSON for each kind of message:
/// latency, memory, and the CPU time (user and system) that the function's process used per message.
#[derive(Parser)]
#[command(name = "acknowledgements", after_help = "Build first: cargo build --release -p outbound-message")]
struct Options {
    /// The function's binary, such as target/release/outbound-message
    function: PathBuf,
    /// Number of messages of each kind
    #[arg(long, default_value_t = 1000)]
    messages: usize,
}

const ORG: &str = "00D5e000000KQ2eEAG";
const UNKNOWN: &str = "00D5e000000KQ2fEAG";
const SECRET: &str = "what-is-hashed-below-and-is-otherwise-no-secret";
/// The SHA-256 of [`SECRET`].
const HASH: &str = "652073e6afb51e94644b3ebe74cc9f66d456c68bd0f238f1ff1e6bbb810fc72b";
const MIB: usize = 1024 * 1024;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "acknowledgements: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let emulator = Emulator::start().await?;
    let tables = emulator.create_tables(&local::unique_prefix()).await?;
    put_org(&emulator, &tables.name("orgs")).await?;
    let mut queue = JoinSet::new();
    let queue_url = serve_queue(&mut queue).await?;
    let environment = [
        ("AWS_ENDPOINT_URL_DYNAMODB", emulator.endpoint()),
        ("AWS_ENDPOINT_URL_SQS", queue_url.as_str()),
        ("LOG_LEVEL", "info"),
        ("ORGS_TABLE", &tables.name("orgs")),
        ("RECORD_UPSERT_QUEUE_URL", &format!("{queue_url}/000000000000/record-upsert")),
    ];
    let function = RuntimeApi::start(&options.function, &environment)?;
    for notifications in [1, 10, 100] {
        let event = event(ORG, SECRET, &message(notifications));
        let Sent { times, cpu } = send(&function, &event, options.messages, 200).await?;
        let total: Duration = times.iter().sum();
        let a_second = (times.len() as f64 / total.as_secs_f64()).round();
        let cpu_us_per_message = (cpu.as_secs_f64() * 1e6 / times.len() as f64).round();
        print(&json!({
            "notifications": notifications, "acknowledged": times.len(), "a_second": a_second,
            "p50_us": at(&times, 50), "p99_us": at(&times, 99), "cpu_us_per_message": cpu_us_per_message,
            "resident_mib": resident(&function)?,
        }))?;
    }
    for (reason, org, secret) in [
        ("unknown org", UNKNOWN, SECRET),
        ("wrong secret", ORG, "wrong"),
        ("unknown org", UNKNOWN, SECRET),
        ("wrong secret", ORG, "wrong"),
    ] {
        let Sent { times, .. } = send(&function, &event(org, secret, &message(1)), options.messages, 404).await?;
        print(&json!({ "refused": reason, "times": times.len(), "p50_us": at(&times, 50), "p99_us": at(&times, 99) }))?;
    }
    let large = message(100) + &" ".repeat(6 * MIB - message(100).len());
    // An event of Lambda has at most 6 MB, and base64 makes a body a third larger: in AWS, a body has at most 4.5 MB.
    let Sent { times, .. } = send(&function, &event(ORG, SECRET, &large), 3, 200).await?;
    print(&json!({ "body_bytes": large.len(), "p50_us": at(&times, 50), "resident_mib": resident(&function)? }))?;
    function.kill().await;
    Ok(())
}

/// The measurements of one series of calls.
struct Sent {
    /// The latency of each call, the shortest first.
    times: Vec<Duration>,
    /// CPU time that the function's process used for all of them, in user mode and in the kernel.
    cpu: Duration,
}

/// Invokes the function `count` times with one event, after up to ten calls to warm it up that are not measured.
async fn send(function: &RuntimeApi, event: &Value, count: usize, status: u64) -> Result<Sent> {
    for _ in 0..count.min(10) {
        send_once(function, event, status).await?;
    }
    let cpu_before = cpu_time(function)?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(send_once(function, event, status).await?);
    }
    let cpu = cpu_time(function)?.saturating_sub(cpu_before);
    times.sort_unstable();
    Ok(Sent { times, cpu })
}

/// Returns the latency of one call, which has to have this status.
async fn send_once(function: &RuntimeApi, event: &Value, status: u64) -> Result<Duration> {
    let result = function.invoke(event).await?;
    let Outcome::Response(response) = &result.outcome else {
        anyhow::bail!("{:?}\n{}", result.outcome, function.logs().join("\n"));
    };
    ensure!(response["statusCode"] == status, "{response}\n{}", function.logs().join("\n"));
    Ok(result.latency)
}

async fn put_org(emulator: &Emulator, table: &str) -> Result<()> {
    let org: OrgId = ORG.parse()?;
    let at = "2026-11-22T10:00:00.000Z";
    let secret = json!({ "M": { "sha256": { "S": HASH }, "created_at": { "S": at } } });
    let item = json!({
        "org_id": { "S": org.as_str() }, "state": { "S": "active" }, "tenant": { "S": "bench" },
        "environment": { "S": "production" }, "webhook_secrets": { "L": [secret] }, "claimed_at": { "S": at },
        "updated_at": { "S": at }, "revision": { "N": "1" },
    });
    let request = json!({ "TableName": table, "Item": item });
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(emulator.endpoint()).body(request.to_string());
    let request = request.header("x-amz-target", "DynamoDB_20120810.PutItem");
    let request = request.header("content-type", "application/x-amz-json-1.0");
    let request =
        request.header("authorization", "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/dynamodb/aws4_request");
    request.send().await?.error_for_status().context("could not store the org in the emulator")?;
    Ok(())
}

/// Serves a queue that accepts every message. Returns its URL.
async fn serve_queue(tasks: &mut JoinSet<()>) -> Result<String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let routes = Router::new().fallback(async |request: Bytes| {
        let request: Value = serde_json::from_slice(&request).unwrap_or_default();
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        let accepted = |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x" });
        Json(json!({ "Successful": entries.iter().map(accepted).collect::<Vec<_>>() }))
    });
    tasks.spawn(async move {
        // `serve` never returns: it retries when `accept` fails.
        let _ = axum::serve(listener, routes).await;
    });
    Ok(url)
}

/// Returns the event of API Gateway for a webhook call.
fn event(org: &str, secret: &str, body: &str) -> Value {
    let path = format!("/webhooks/salesforce/{org}/{secret}");
    json!({
        "version": "2.0", "routeKey": "ANY /webhooks/salesforce/{org_id}/{secret}", "rawPath": path, "rawQueryString": "",
        "headers": { "content-type": "text/xml; charset=utf-8", "host": "hooks.example.com" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "hooks.example.com", "domainPrefix": "hooks",
            "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench" },
            "requestId": "id", "routeKey": "ANY", "stage": "$default", "time": "22/Nov/2026:10:15:30 +0000",
            "timeEpoch": 1_795_342_530_000_u64,
        },
        "body": body, "isBase64Encoded": false,
    })
}

/// Returns an outbound message about opportunities with seven fields each.
fn message(notifications: usize) -> String {
    let notifications: String = (0..notifications)
        .map(|n| {
            format!(
                "<Notification><Id>04l5e000000{n:04}</Id><sObject xsi:type=\"sf:Opportunity\" \
                 xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"><sf:Id>0065e000000{n:04}</sf:Id>\
                 <sf:AccountId>0015e00000ZkM3hAAF</sf:AccountId><sf:Amount>15000.0</sf:Amount>\
                 <sf:CloseDate>2026-12-31</sf:CloseDate><sf:IsClosed>false</sf:IsClosed>\
                 <sf:Name>Acme &amp; Sons - renewal</sf:Name><sf:StageName>Prospecting</sf:StageName></sObject></Notification>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>\
         <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\"><OrganizationId>{ORG}</OrganizationId>\
         <ActionId>04k5e000000CaRkAAK</ActionId><SessionId xsi:nil=\"true\"/>{notifications}</notifications>\
         </soapenv:Body></soapenv:Envelope>"
    )
}

fn cpu_time(function: &RuntimeApi) -> Result<Duration> {
    function.cpu_time().context("could not read the function's CPU time: this needs Linux's /proc")
}

fn resident(function: &RuntimeApi) -> Result<f64> {
    let bytes = function.resident_bytes().context("could not read the function's memory: this needs Linux's /proc")?;
    Ok((bytes as f64 / MIB as f64 * 10.0).round() / 10.0)
}

/// Returns a percentile of sorted times, in microseconds.
fn at(sorted: &[Duration], percent: usize) -> u128 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).map_or(0, Duration::as_micros)
}

fn print(line: &Value) -> Result<()> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
