//! Query jobs of Bulk API 2.0.

use org_simulator::BulkSettings;
use salesforce::bulk::{Columns, JobState, Locator, QueryScope};
use salesforce::{FieldName, Record, Soql};
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

#[tokio::test]
async fn pages_of_a_job_have_the_records_of_the_query() {
    let org = org_with(7).await;
    let client = org.client(ADMIN);
    let columns = Columns::of(&client.describe(&ACCOUNT).await.unwrap());
    let job = client.create_query_job(&accounts(), QueryScope::Existing).await.unwrap();
    assert_eq!(client.fetch_query_job(&job.id).await.unwrap().state, JobState::JobComplete);

    let (mut locator, mut found, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = client.fetch_query_page(&job.id, locator.as_ref(), 3).await.unwrap();
        found.extend(page.records(&columns).collect::<Result<Vec<Record>, _>>().unwrap());
        (locator, pages) = (page.next, pages + 1);
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
async fn listed_pages_can_be_read_in_any_order() {
    let org = org_with(13).await;
    org.0.set_bulk(&BulkSettings { page_records: Some(2), ..BulkSettings::default() }).unwrap();
    let client = org.client(ADMIN);
    let columns = Columns::of(&client.describe(&ACCOUNT).await.unwrap());
    let job = client.create_query_job(&accounts(), QueryScope::Existing).await.unwrap();

    let first = client.list_query_pages(&job.id, None).await.unwrap();
    let rest = client.list_query_pages(&job.id, first.next.as_ref()).await.unwrap();
    assert_eq!((first.pages.len(), rest.pages.len(), rest.next), (5, 2, None));
    let mut ids = Vec::new();
    for locator in rest.pages.iter().chain(&first.pages).rev() {
        let page = client.fetch_query_page(&job.id, Some(locator), 2).await.unwrap();
        ids.extend(page.records(&columns).map(|record| record.unwrap().id));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 13);
}

#[tokio::test]
async fn a_job_waits_fails_and_is_stopped() {
    let org = org_with(1).await;
    let client = org.client(ADMIN);
    org.0.set_bulk(&BulkSettings { processing_ms: Some(60_000), ..BulkSettings::default() }).unwrap();
    let job = client.create_query_job(&accounts(), QueryScope::All).await.unwrap();
    assert!(!job.state.is_final());
    let error = client.fetch_query_page(&job.id, None, 100).await.unwrap_err();
    assert!(matches!(error, salesforce::Error::Rejected { .. }), "{error}");
    assert_eq!(client.abort_query_job(&job.id).await.unwrap().state, JobState::Aborted);
    assert_eq!(client.abort_query_job(&job.id).await.unwrap().state, JobState::Aborted, "again");
    client.delete_query_job(&job.id).await.unwrap();
    client.delete_query_job(&job.id).await.unwrap();
    assert!(client.fetch_query_job(&job.id).await.unwrap_err().is_not_found());

    let fail = Some("QUERY_TIMEOUT: the query ran too long".to_owned());
    org.0.set_bulk(&BulkSettings { processing_ms: Some(0), fail_next: fail, ..BulkSettings::default() }).unwrap();
    let job = client.create_query_job(&accounts(), QueryScope::Existing).await.unwrap();
    let failed = client.fetch_query_job(&job.id).await.unwrap();
    assert_eq!((failed.state, failed.failure_code()), (JobState::Failed, Some("QUERY_TIMEOUT")));
}

#[tokio::test]
async fn a_wrong_locator_is_refused() {
    let org = org_with(2).await;
    let client = org.client(ADMIN);
    let job = client.create_query_job(&accounts(), QueryScope::Existing).await.unwrap();
    let wrong = Locator::try_from("wrong!".to_owned()).unwrap();
    let error = client.fetch_query_page(&job.id, Some(&wrong), 10).await.unwrap_err();
    assert!(error.has_code("INVALID_QUERY_LOCATOR"), "{error}");
}
