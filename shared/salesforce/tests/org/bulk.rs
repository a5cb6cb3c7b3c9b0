//! Query jobs of Bulk API 2.0.

use futures::TryStreamExt as _;
use org_simulator::{BulkSettings, Effect};
use salesforce::bulk::{Columns, JobError, JobId, JobState, Locator, QueryScope};
use salesforce::{Classify as _, Client, Error, FieldName, Record, Retry, Soql};
use serde_json::json;

use crate::org::{ACCOUNT, ADMIN, ID, NAME, Org, fields};

const MODSTAMP: FieldName = FieldName::from_static("SystemModstamp");

fn accounts() -> Soql {
    let names = [ID, NAME, MODSTAMP, "NumberOfEmployees".parse().unwrap(), "Owner.Username".parse().unwrap()];
    Soql::select(&names).from(&ACCOUNT)
}

/// Creates an org with as many accounts; the name of one has all that CSV quotes.
async fn org_with(count: usize) -> Org {
    let org = Org::start().await;
    for number in 0..count {
        let name = if number == 1 { "Gull, \"Sons\"\nand more".to_owned() } else { format!("Account {number}") };
        org.create(ADMIN, &ACCOUNT, &fields(json!({"Name": name, "NumberOfEmployees": number})));
    }
    org
}

/// Creates a job that reads all accounts.
async fn complete_job(client: &Client) -> (JobId, Columns) {
    let columns = Columns::of(&client.describe(&ACCOUNT).await.unwrap());
    let job = client.create_query_job(&accounts(), QueryScope::Existing).await.unwrap();
    assert!(client.fetch_query_job(&job.id).await.unwrap().is_complete().unwrap());
    (job.id, columns)
}

/// Reads a page, and the locator of the next one.
async fn read_page(
    client: &Client,
    (job, columns): &(JobId, Columns),
    locator: Option<&Locator>,
    max_rows: Option<u32>,
) -> Result<(Vec<Record>, Option<Locator>), Error> {
    let mut page = client.open_query_page(job, locator, max_rows, columns).await?;
    let mut records = Vec::new();
    while let Some(record) = page.next_record().await? {
        records.push(record?);
    }
    assert!(page.next_record().await?.is_none(), "it stays at the end");
    Ok((records, page.next_page().cloned()))
}

#[tokio::test]
async fn pages_of_a_job_have_the_records_of_the_query() {
    let org = org_with(7).await;
    let client = org.client(ADMIN);
    let job = complete_job(&client).await;
    let (mut locator, mut found, mut pages) = (None, Vec::new(), 0);
    loop {
        let (records, next) = read_page(&client, &job, locator.as_ref(), Some(3)).await.unwrap();
        found.extend(records);
        (locator, pages) = (next, pages + 1);
        if locator.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    let mut queried = client.query(&accounts()).await.unwrap().records;
    found.sort_by_key(|record| record.id);
    queried.sort_by_key(|record| record.id);
    assert_eq!(found, queried);
}

#[tokio::test]
async fn listed_pages_are_read_at_the_same_time() {
    let org = org_with(13).await;
    org.0.set_bulk(&BulkSettings { page_records: Some(2), ..BulkSettings::default() }).unwrap();
    let client = org.client(ADMIN);
    let job = complete_job(&client).await;
    let first = client.list_query_pages(&job.0, None).await.unwrap();
    let rest = client.list_query_pages(&job.0, first.next.as_ref()).await.unwrap();
    assert_eq!((first.pages.len(), rest.pages.len(), rest.next), (5, 2, None));

    let found = std::sync::Mutex::new(Vec::new());
    let read = async |locator: Locator| {
        let (records, _) = read_page(&client, &job, Some(&locator), None).await?;
        found.lock().unwrap().extend(records.iter().map(|record| record.id));
        Ok(())
    };
    client.query_page_locators(job.0).try_for_each_concurrent(4, read).await.unwrap();
    let mut ids = found.into_inner().unwrap();
    assert_eq!(ids.len(), 13);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 13, "each record is on one page");
}

#[tokio::test]
async fn a_query_that_finds_nothing_has_an_empty_page() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let job = complete_job(&client).await;
    assert_eq!(read_page(&client, &job, None, None).await.unwrap(), (Vec::new(), None));
}

#[tokio::test]
async fn a_page_that_is_cut_off_is_an_error() {
    // The large ones are compressed.
    for count in [5, 100] {
        let org = org_with(count).await;
        let client = org.client(ADMIN);
        let job = complete_job(&client).await;
        let path = format!("jobs/query/{}/results", salesforce::RecordId::from(job.0));
        let whole = read_page(&client, &job, None, None).await.unwrap().0;
        for effect in [Effect::Truncate { keep_bytes: None }, Effect::MalformedJson] {
            org.fault(&path, 1, effect.clone());
            let error = read_page(&client, &job, None, None).await.unwrap_err();
            assert!(matches!(error.retry(), Retry::Unknown(_)), "{effect:?}: {error}");
            assert_eq!(read_page(&client, &job, None, None).await.unwrap().0, whole, "the page can be read again");
        }
    }
}

#[tokio::test]
async fn a_job_waits_fails_and_is_stopped() {
    let org = org_with(1).await;
    let client = org.client(ADMIN);
    org.0.set_bulk(&BulkSettings { processing_ms: Some(60_000), ..BulkSettings::default() }).unwrap();
    let job = client.create_query_job(&accounts(), QueryScope::All).await.unwrap();
    assert!(!job.is_complete().unwrap());
    let columns = Columns::of(&client.describe(&ACCOUNT).await.unwrap());
    let error = client.open_query_page(&job.id, None, None, &columns).await.map(drop).unwrap_err();
    assert!(matches!(JobError::from(error), JobError::WrongState));
    let stopped = client.abort_query_job(&job.id).await.unwrap();
    assert!(matches!(stopped.is_complete(), Err(JobError::Aborted)));
    assert_eq!(client.abort_query_job(&job.id).await.unwrap().state, JobState::Aborted, "again");
    client.delete_query_job(&job.id).await.unwrap();
    client.delete_query_job(&job.id).await.unwrap();
    let error = client.fetch_query_job(&job.id).await.unwrap_err();
    assert!(matches!(JobError::from(error), JobError::Gone));

    let fail = Some("QUERY_TIMEOUT: the query ran too long".to_owned());
    org.0.set_bulk(&BulkSettings { processing_ms: Some(0), fail_next: fail, ..BulkSettings::default() }).unwrap();
    let job = client.create_query_job(&accounts(), QueryScope::Existing).await.unwrap();
    let failed = client.fetch_query_job(&job.id).await.unwrap().is_complete().unwrap_err();
    assert_eq!(failed.to_string(), "the Bulk job has failed: QUERY_TIMEOUT");
}

#[tokio::test]
async fn a_wrong_locator_is_refused() {
    let org = org_with(2).await;
    let client = org.client(ADMIN);
    let job = complete_job(&client).await;
    let wrong = Locator::try_from("wrong!".to_owned()).unwrap();
    let error = read_page(&client, &job, Some(&wrong), None).await.unwrap_err();
    assert!(matches!(JobError::from(error), JobError::LocatorExpired));
}

#[tokio::test]
async fn a_job_over_the_limit_of_the_day_is_not_sent_again() {
    let org = org_with(0).await;
    org.0.set_bulk(&BulkSettings { query_jobs_a_day: Some(0), ..BulkSettings::default() }).unwrap();
    let client = org.client(ADMIN);
    let error = client.create_query_job(&accounts(), QueryScope::Existing).await.unwrap_err();
    assert!(matches!(JobError::from(error), JobError::LimitReached { .. }));
    assert_eq!(client.api_calls(), 1);
}
