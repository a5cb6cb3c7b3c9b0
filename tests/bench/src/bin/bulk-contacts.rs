//! Measures how the client reads contacts with a Bulk query job: rows a second, CPU time and memory.

use std::io::{BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use futures::TryStreamExt as _;
use org_simulator::{BulkSettings, Options as OrgOptions, Seed, Simulator};
use salesforce::bulk::{Columns, Locator, QueryScope};
use salesforce::{
    ApiVersion, BoxFuture, Client, Clock, Error, FieldName, Fingerprint, HostPolicy, Http, InstanceUrl, JsonObject,
    ObjectName, Session, Sessions, Soql, Timeouts,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

const CONTACT: ObjectName = ObjectName::from_static("Contact");
const USER: &str = "admin@larkspur.example";
const FIELDS: [&str; 20] = [
    "Id",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "MobilePhone",
    "Title",
    "Department",
    "LeadSource",
    "Birthdate",
    "DoNotCall",
    "MailingStreet",
    "MailingCity",
    "MailingPostalCode",
    "MailingCountry",
    "Description",
    "AccountId",
    "OwnerId",
    "CreatedDate",
    "SystemModstamp",
];

/// Reads the contacts of an org with a Bulk query job, several pages at the same time.
///
/// The org is the simulator in a process of its own, whose time is printed apart. The memory is the highest that this process
/// has had so far, so that it may not grow with the rows.
#[derive(Parser)]
#[command(name = "bulk-contacts")]
struct Options {
    /// Numbers of contacts, ascending: the org grows from one to the next
    #[arg(default_values_t = [100_000, 1_000_000])]
    rows: Vec<u64>,
    /// Pages that are read at the same time
    #[arg(long, default_value_t = 4)]
    pages_at_once: usize,
    /// Contacts on a page
    #[arg(long, default_value_t = 50_000)]
    page_rows: usize,
    /// Is the org: creates as many contacts as each line of the input says
    #[arg(long, hide = true)]
    org: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = if options.org { be_org(options.page_rows).await } else { run(&options).await };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "bulk-contacts: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let mut org = Org::start(options.page_rows)?;
    // The org answers the creation of a job of a million rows when it has read them.
    let timeouts = Timeouts { attempt: Duration::from_mins(10), ..Timeouts::default() };
    let http = Http::new(HostPolicy::LoopbackToo, Clock::system())?.with_timeouts(timeouts);
    let session = Session {
        instance_url: InstanceUrl::parse(&org.address.url, HostPolicy::LoopbackToo)?,
        access_token: org.address.access_token.clone().into(),
    };
    let client = Client::new(http, Arc::new(Single(session)), ApiVersion::DEFAULT);
    for rows in &options.rows {
        org.grow(*rows)?;
        let line = measure(&client, &org, *rows, options.pages_at_once).await?;
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

async fn measure(client: &Client, org: &Org, rows: u64, pages_at_once: usize) -> Result<serde_json::Value> {
    let columns = Columns::of(&client.describe(&CONTACT).await?);
    let fields: Vec<FieldName> = FIELDS.iter().map(|name| name.parse()).collect::<Result<_, Error>>()?;
    let job = client.create_query_job(&Soql::select(&fields).from(&CONTACT), QueryScope::Existing).await?;
    while !client.fetch_query_job(&job.id).await?.is_complete()? {}
    let calls = client.api_calls();
    let (own, orgs, began) = (cpu(std::process::id())?, cpu(org.process.id())?, now());
    let (read, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let read_page = async |locator: Locator| {
        let mut page = client.open_query_page(&job.id, Some(&locator), None, &columns).await?;
        while let Some(row) = page.next_record().await? {
            row?;
            read.fetch_add(1, Ordering::Relaxed);
        }
        bytes.fetch_add(page.bytes(), Ordering::Relaxed);
        Ok(())
    };
    client.query_page_locators(job.id).try_for_each_concurrent(pages_at_once, read_page).await?;
    let took = now() - began;
    let (own, orgs) = (cpu(std::process::id())? - own, cpu(org.process.id())? - orgs);
    let read = read.into_inner();
    ensure!(read == rows, "{read} of {rows} rows were read");
    client.delete_query_job(&job.id).await?;
    Ok(json!({
        "rows": rows,
        "fields": FIELDS.len(),
        "csv_mb": bytes.into_inner() / 1_000_000,
        "api_calls": client.api_calls() - calls,
        "seconds": (took.as_secs_f64() * 10.0).round() / 10.0,
        "rows_a_second": (rows as f64 / took.as_secs_f64()).round(),
        "cpu_us_a_row": (own.as_secs_f64() * 1e7 / rows as f64).round() / 10.0,
        "org_cpu_us_a_row": (orgs.as_secs_f64() * 1e7 / rows as f64).round() / 10.0,
        "peak_mb": bench::peak_bytes(std::process::id()).unwrap_or_default() / 1_000_000,
    }))
}

fn cpu(process: u32) -> Result<Duration> {
    bench::cpu_time(process).context("this system has no /proc")
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: measuring real time is what this crate is for")]
fn now() -> Instant {
    Instant::now()
}

/// The simulator in a process of its own, which ends with its input.
struct Org {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: Address,
}

#[derive(Serialize, Deserialize)]
struct Address {
    url: String,
    access_token: String,
}

impl Org {
    fn start(page_rows: usize) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--org", "--page-rows", &page_rows.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start the org")?;
        let input = process.stdin.take().context("the org has no input")?;
        let mut output = BufReader::new(process.stdout.take().context("the org has no output")?);
        let address = serde_json::from_str(&line(&mut output)?).context("the org did not say its address")?;
        Ok(Self { process, input, output, address })
    }

    /// Creates contacts until there are as many.
    fn grow(&mut self, rows: u64) -> Result<()> {
        writeln!(self.input, "{rows}")?;
        let grown: u64 = line(&mut self.output)?.trim().parse()?;
        ensure!(grown == rows, "the org has {grown} contacts");
        Ok(())
    }
}

fn line(output: &mut impl std::io::BufRead) -> Result<String> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    Ok(line)
}

async fn be_org(page_rows: usize) -> Result<()> {
    let org = Simulator::start(OrgOptions { seed: Seed::None, ..OrgOptions::default() }).await?;
    org.set_bulk(&BulkSettings { page_records: Some(page_rows), ..BulkSettings::default() })?;
    let address = Address { url: org.url().to_owned(), access_token: org.access_token(USER)? };
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(&address)?)?;
    let account = org.create_record(USER, "Account", &object(json!({"Name": "Larkspur"}))?)?;
    let mut created = 0;
    for line in std::io::stdin().lines() {
        let wanted: u64 = line?.trim().parse()?;
        while created < wanted {
            org.create_record(USER, "Contact", &contact(created, &account)?)?;
            created += 1;
        }
        writeln!(out, "{created}")?;
    }
    Ok(())
}

fn contact(n: u64, account: &str) -> Result<JsonObject> {
    object(json!({
        "FirstName": format!("Person {n}"),
        "LastName": format!("O'Neil, \"{n}\""),
        "Email": format!("person{n}@example.com"),
        "Phone": format!("+44 20 {n:08}"),
        "MobilePhone": format!("+44 7{n:09}"),
        "Title": "Director of Operations",
        "Department": format!("Department {}", n % 100),
        "LeadSource": "Web",
        "Birthdate": "1980-02-29",
        "DoNotCall": n.is_multiple_of(2),
        "MailingStreet": format!("{n} Harbour Road\nFloor 3"),
        "MailingCity": "London",
        "MailingPostalCode": "E1 6AN",
        "MailingCountry": "United Kingdom",
        "Description": "Met at the fair in spring. Wants a call back in the autumn.",
        "AccountId": account,
    }))
}

fn object(json: serde_json::Value) -> Result<JsonObject> {
    Ok(serde_json::from_value(json)?)
}

/// Has only one session.
struct Single(Session);

impl Sessions for Single {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(async move {
            match refused {
                None => Ok(self.0.clone()),
                Some(_) => Err(Error::SessionRefused { operation: "renew the session" }),
            }
        })
    }
}
