//! Measures the speed of query pages and the memory of a record.
//!
//! ```console
//! $ cargo run --release -p org-simulator --example query-paging
//! ```
//! One thread is both the org and its client. The time of a row is the CPU time of that thread, so that other processes
//! have no influence. Measured in November 2026 on one core of a small cloud machine, with 10,000 contacts read five
//! times, without link-time optimization:
//!
//! | page | rows | seconds | rows a second | bytes a row |
//! |---|---|---|---|---|
//! | 200 | 50000 | 0.93 | 54018 | 612 |
//! | 1000 | 50000 | 0.89 | 56476 | 611 |
//! | 2000 | 50000 | 0.88 | 56934 | 611 |
//!
//! A record of 20 fields, in addition to the 8 system fields, took 1,070 bytes.

use std::io::Write;
use std::time::Duration;

use org_simulator::{Options, Simulator};
use serde_json::{Map, Value, json};

type Failure = Box<dyn std::error::Error>;

const USER: &str = "admin@larkspur.example";
const RECORDS: usize = 10_000;
/// The fields of each record, in addition to the system fields.
const FIELDS: [&str; 20] = [
    "FirstName",
    "LastName",
    "Title",
    "Department",
    "Phone",
    "Fax",
    "MobilePhone",
    "HomePhone",
    "Email",
    "MailingStreet",
    "MailingCity",
    "MailingState",
    "MailingPostalCode",
    "MailingCountry",
    "OtherCity",
    "OtherCountry",
    "LeadSource",
    "Birthdate",
    "DoNotCall",
    "AssistantName",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let org = Simulator::start(Options::default()).await?;
    let empty = resident_bytes()?;
    for n in 0..RECORDS {
        org.create_record(USER, "Contact", &contact(n))?;
    }
    let bytes = resident_bytes()?.saturating_sub(empty) / RECORDS;
    let mut out = std::io::stdout();
    writeln!(out, "| page | rows | seconds | rows a second | bytes a row |\n|---|---|---|---|---|")?;
    for page in [200, 1_000, 2_000] {
        let run = walk(&org, page).await?;
        let seconds = run.time.as_secs_f64();
        let (rate, size) = (f64::from(run.rows) / seconds, run.bytes / u64::from(run.rows.max(1)));
        writeln!(out, "| {page} | {} | {seconds:.2} | {rate:.0} | {size} |", run.rows)?;
    }
    writeln!(out, "\nmemory of a record of {} fields: {bytes} bytes", FIELDS.len())?;
    org.stop().await;
    Ok(())
}

fn contact(n: usize) -> Map<String, Value> {
    let value = |field: &&str| match *field {
        "Email" => json!(format!("person{n}@example.com")),
        "LeadSource" => json!("Web"),
        "Birthdate" => json!("1980-02-29"),
        "DoNotCall" => json!(n.is_multiple_of(2)),
        "MailingStreet" => json!(format!("{n} Harbour Road")),
        other => json!(format!("{} {n}", &other[..3])),
    };
    FIELDS.iter().map(|field| ((*field).to_owned(), value(field))).collect()
}

struct Run {
    rows: u32,
    bytes: u64,
    time: Duration,
}

/// Reads all records in pages of that size, several times.
async fn walk(org: &Simulator, page: u32) -> Result<Run, Failure> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let token = org.access_token(USER)?;
    let first =
        format!("/services/data/v66.0/query?q=SELECT+Id,{}+FROM+Contact+WHERE+Department+!=+null", FIELDS.join(","));
    let mut run = Run { rows: 0, bytes: 0, time: Duration::ZERO };
    let start = on_core()?;
    for _ in 0..5 {
        let mut next = Some(first.clone());
        while let Some(path) = next {
            let request = http.get(format!("{}{path}", org.url())).bearer_auth(&token);
            let answer = request.header("sforce-query-options", format!("batchSize={page}")).send().await?;
            let body = answer.error_for_status()?.text().await?;
            run.bytes += u64::try_from(body.len())?;
            run.rows += u32::try_from(body.matches("\"attributes\"").count())?;
            next = address(&body);
        }
    }
    run.time = on_core()?.saturating_sub(start);
    Ok(run)
}

/// Returns `nextRecordsUrl`, without parsing the whole body as JSON.
fn address(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("\"nextRecordsUrl\":\"")?;
    rest.split_once('"').map(|(url, _)| url.to_owned())
}

/// Returns the CPU time of this process's only busy thread, as Linux counts it.
fn on_core() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("no time in /proc/self/schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Returns the memory of this process in RAM, as Linux counts it.
fn resident_bytes() -> Result<usize, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kib: usize = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1_024)
}
