//! Writes accounts with an ingest job, and reads them with a query job.
//!
//! ```console
//! $ cargo run -p salesforce --example bulk
//! complete: 20000 rows, 1 refused
//! refused K-19999: REQUIRED_FIELD_MISSING [Name]
//! read 19999 accounts from 20 pages, 4 at the same time
//! ```
//! It starts an org of its own. For another org, give [`Client::new`] a [`Sessions`] with a session of that org, and wait between
//! two polls as long as the org needs.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::TryStreamExt as _;
use org_simulator::{BulkSettings, Options, Seed, Simulator};
use salesforce::bulk::{Columns, Compression, IngestOperation, IngestRows, JobError, Locator, QueryScope, ResultKind};
use salesforce::{
    ApiVersion, BoxFuture, Client, Clock, Error, FieldName, Fingerprint, HostPolicy, Http, InstanceUrl, ObjectName,
    Session, Sessions, Soql,
};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const KEY: FieldName = FieldName::from_static("Ferry_External_Id__c");
const NAME: FieldName = FieldName::from_static("Name");
const EMPLOYEES: FieldName = FieldName::from_static("NumberOfEmployees");

const ACCOUNTS: usize = 20_000;
const PAGES_AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let org = Simulator::start(Options { seed: Seed::None, ..Options::default() }).await?;
    org.set_bulk(&BulkSettings { page_records: Some(1_000), ..BulkSettings::default() })?;
    let http = Http::new(HostPolicy::LoopbackToo, Clock::system())?;
    let session = Session {
        instance_url: InstanceUrl::parse(org.url(), HostPolicy::LoopbackToo)?,
        access_token: org.access_token("admin@larkspur.example")?.into(),
    };
    let client = Client::new(http, Arc::new(Single(session)), ApiVersion::DEFAULT);
    write(&client).await?;
    read(&client).await?;
    org.stop().await;
    Ok(())
}

async fn write(client: &Client) -> Result<(), Failure> {
    let mut rows = IngestRows::new(&[KEY, NAME, EMPLOYEES], Compression::Gzip)?;
    for number in 0..ACCOUNTS {
        let name = if number + 1 == ACCOUNTS { Value::Null } else { json!(format!("Account {number}")) };
        let account = json!({"Ferry_External_Id__c": format!("K-{number}"), "Name": name, "NumberOfEmployees": number});
        if !rows.push(account.as_object().ok_or("not an object")?)? {
            return Err("the file is full".into());
        }
    }
    let job = client.create_ingest_job(&ACCOUNT, &IngestOperation::Upsert(KEY)).await?;
    client.upload_ingest_file(&job.id, &rows.finish()?).await?;
    client.close_ingest_job(&job.id).await?;
    let job = loop {
        let job = client.fetch_ingest_job(&job.id).await?;
        if job.is_complete()? {
            break job;
        }
    };
    let mut out = std::io::stdout();
    writeln!(out, "complete: {} rows, {} refused", job.rows, job.failed_rows)?;
    let mut refused = client.open_ingest_results(&job.id, ResultKind::Failed, None).await?;
    while let Some(row) = refused.next_row().await? {
        let key = row.values.get("Ferry_External_Id__c").map_or("", String::as_str);
        for error in &row.outcome.errors {
            writeln!(out, "refused {key}: {} [{}]", error.code, error.fields.join(", "))?;
        }
    }
    Ok(())
}

async fn read(client: &Client) -> Result<(), Failure> {
    let columns = Columns::of(&client.describe(&ACCOUNT).await?);
    let soql = Soql::select(&[FieldName::ID, NAME, EMPLOYEES]).from(&ACCOUNT);
    let job = client.create_query_job(&soql, QueryScope::Existing).await?;
    while !client.fetch_query_job(&job.id).await?.is_complete()? {}
    let (records, pages) = (AtomicU64::new(0), AtomicU64::new(0));
    let read_page = async |locator: Locator| {
        let mut page = client.open_query_page(&job.id, Some(&locator), None, &columns).await?;
        while let Some(row) = page.next_record().await? {
            row?;
            records.fetch_add(1, Ordering::Relaxed);
        }
        pages.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let pages_of_job = client.query_page_locators(job.id);
    pages_of_job.try_for_each_concurrent(PAGES_AT_ONCE, read_page).await.map_err(JobError::from)?;
    client.delete_query_job(&job.id).await?;
    writeln!(
        std::io::stdout(),
        "read {} accounts from {} pages, {PAGES_AT_ONCE} at the same time",
        records.into_inner(),
        pages.into_inner()
    )?;
    Ok(())
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
