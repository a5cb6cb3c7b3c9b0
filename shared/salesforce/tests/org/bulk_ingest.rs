//! Ingest jobs of Bulk API 2.0.

use std::collections::HashMap;

use org_simulator::{BulkSettings, Effect};
use salesforce::bulk::{
    Compression, IngestFile, IngestJob, IngestOperation, IngestRow, IngestRows, JobError, JobId, JobState, ResultKind,
};
use salesforce::{Classify as _, Client, Error, FieldName, ObjectName, RecordId, Retry, Soql};
use serde_json::{Value, json};

use crate::org::{ACCOUNT, ADMIN, ID, KEY, NAME, OPPORTUNITY, Org, fields};

const DESCRIPTION: FieldName = FieldName::from_static("Description");

fn file(columns: &[FieldName], compression: Compression, records: impl IntoIterator<Item = Value>) -> IngestFile {
    let mut rows = IngestRows::new(columns, compression).unwrap();
    for record in records {
        assert!(rows.push(&fields(record)).unwrap());
    }
    rows.finish().unwrap()
}

/// Loads a file, and returns the job in its last state.
async fn load(client: &Client, object: &ObjectName, operation: &IngestOperation, file: &IngestFile) -> IngestJob {
    let job = client.create_ingest_job(object, operation).await.unwrap();
    assert_eq!(job.state, JobState::Open);
    client.upload_ingest_file(&job.id, file).await.unwrap();
    client.close_ingest_job(&job.id).await.unwrap();
    client.fetch_ingest_job(&job.id).await.unwrap()
}

/// Reads all results of a kind.
async fn results(client: &Client, job: &JobId, kind: ResultKind) -> Vec<IngestRow> {
    let (mut rows, mut locator) = (Vec::new(), None);
    loop {
        let mut page = client.open_ingest_results(job, kind, locator.as_ref()).await.unwrap();
        while let Some(row) = page.next_row().await.unwrap() {
            rows.push(row);
        }
        locator = page.next_page().cloned();
        if locator.is_none() {
            return rows;
        }
    }
}

#[tokio::test]
async fn a_job_writes_what_the_rows_say() {
    for compression in [Compression::None, Compression::Gzip] {
        let org = Org::start().await;
        let client = org.client(ADMIN);
        let description = "one, \"two\"\nthree";
        let columns = [KEY, NAME, DESCRIPTION, "NumberOfEmployees".parse().unwrap()];
        let record = |number: usize| json!({"Ferry_External_Id__c": format!("K{number}"), "Name": format!("Account {number}"), "Description": description, "NumberOfEmployees": number});
        let job =
            load(&client, &ACCOUNT, &IngestOperation::Upsert(KEY), &file(&columns, compression, (0..500).map(record)))
                .await;
        assert!(job.is_complete().unwrap());
        assert_eq!((job.rows, job.failed_rows, org.count("Account")), (500, 0, 500));

        // A field that is left out stays, null empties it.
        let columns = [KEY, NAME, DESCRIPTION];
        let changes = [
            json!({"Ferry_External_Id__c": "K1", "Name": "Renamed"}),
            json!({"Ferry_External_Id__c": "K2", "Description": null}),
        ];
        let job = load(&client, &ACCOUNT, &IngestOperation::Upsert(KEY), &file(&columns, compression, changes)).await;
        assert_eq!((job.rows, job.failed_rows), (2, 0));
        let written = results(&client, &job.id, ResultKind::Successful).await;
        assert!(written.iter().all(|row| row.outcome.success && !row.outcome.created && row.outcome.id.is_some()));
        let ids: HashMap<&str, RecordId> =
            written.iter().map(|row| (row.values["Ferry_External_Id__c"].as_str(), row.outcome.id.unwrap())).collect();
        let read = async |key: &str| {
            let found = client.retrieve(&ACCOUNT, &[ids[key]], &[NAME, DESCRIPTION]).await.unwrap();
            found.into_iter().next().unwrap().unwrap()
        };
        let (first, second) = (read("K1").await, read("K2").await);
        assert_eq!((first.text("Name"), first.text("Description")), (Some("Renamed"), Some(description)));
        assert_eq!((second.text("Name"), second.text("Description")), (Some("Account 2"), None));
    }
}

#[tokio::test]
async fn a_parent_is_named_by_its_external_id() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let account = org.create(ADMIN, &ACCOUNT, &fields(json!({"Name": "Gull", "Ferry_External_Id__c": "G"})));
    let names = ["Name", "StageName", "CloseDate", "Account.Ferry_External_Id__c"];
    let columns = names.map(|name| name.parse().unwrap());
    let record = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31", "Account": {"Ferry_External_Id__c": "G"}});
    let job = load(&client, &OPPORTUNITY, &IngestOperation::Insert, &file(&columns, Compression::Gzip, [record])).await;
    assert_eq!((job.rows, job.failed_rows), (1, 0));
    let soql = Soql::select(&["AccountId".parse().unwrap()]).from(&OPPORTUNITY);
    let found = client.query(&soql).await.unwrap().records;
    assert_eq!(found[0].text("AccountId"), Some(account.as_str()));
}

#[tokio::test]
async fn a_refused_row_is_named_with_its_errors() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    org.0.set_bulk(&BulkSettings { page_records: Some(2), ..BulkSettings::default() }).unwrap();
    let record = |number: usize| match number {
        5 => json!({"Ferry_External_Id__c": "K5", "Name": null, "Description": "of no name"}),
        number => json!({"Ferry_External_Id__c": format!("K{number}"), "Name": "Gull"}),
    };
    let file = file(&[KEY, NAME, DESCRIPTION], Compression::Gzip, (0..7).map(record));
    let job = load(&client, &ACCOUNT, &IngestOperation::Insert, &file).await;
    assert!(job.is_complete().unwrap(), "a job is complete although a row was refused");
    assert_eq!((job.rows, job.failed_rows), (7, 1));
    let failed = results(&client, &job.id, ResultKind::Failed).await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].values["Description"], "of no name");
    let error = &failed[0].outcome.errors[0];
    assert_eq!((error.code.as_str(), &error.fields[..]), ("REQUIRED_FIELD_MISSING", &["Name".to_owned()][..]));
    let written = results(&client, &job.id, ResultKind::Successful).await;
    assert_eq!(written.iter().filter(|row| row.outcome.created).count(), 6, "results of several pages");
    assert!(results(&client, &job.id, ResultKind::Unprocessed).await.is_empty());
}

#[tokio::test]
async fn a_failed_job_names_the_rows_that_were_not_tried() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let unknown = file(&["Nme".parse().unwrap()], Compression::None, [json!({"Nme": "Gull"})]);
    let job = load(&client, &ACCOUNT, &IngestOperation::Insert, &unknown).await;
    let error = job.is_complete().unwrap_err();
    assert!(matches!(&error, JobError::Failed { code: Some(code) } if code == "InvalidBatch"), "{error}");
    assert!(job.failure_message().unwrap().contains("Nme"));
    let rows = results(&client, &job.id, ResultKind::Unprocessed).await;
    assert_eq!(rows.iter().map(|row| row.values["Nme"].as_str()).collect::<Vec<_>>(), ["Gull"]);
    assert!(rows.iter().all(|row| !row.outcome.success && row.outcome.errors.is_empty()));
}

#[tokio::test]
async fn records_are_updated_and_deleted_by_id() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let ids: Vec<RecordId> = (0..3).map(|_| org.create(ADMIN, &ACCOUNT, &fields(json!({"Name": "Gull"})))).collect();
    let rename = file(&[ID, NAME], Compression::Gzip, ids.iter().map(|id| json!({"Id": id, "Name": "Tern"})));
    let job = load(&client, &ACCOUNT, &IngestOperation::Update, &rename).await;
    assert_eq!((job.rows, job.failed_rows), (3, 0));
    let found = client.query(&Soql::select(&[NAME]).from(&ACCOUNT)).await.unwrap().records;
    assert!(found.iter().all(|record| record.text("Name") == Some("Tern")));

    let delete = file(&[ID], Compression::Gzip, ids.iter().map(|id| json!({"Id": id})));
    let job = load(&client, &ACCOUNT, &IngestOperation::Delete, &delete).await;
    assert_eq!((job.rows, job.failed_rows), (3, 0));
    assert_eq!(client.count(&Soql::count().from(&ACCOUNT)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_job_is_stopped_and_deleted() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let job = client.create_ingest_job(&ACCOUNT, &IngestOperation::Insert).await.unwrap();
    assert!(!job.is_complete().unwrap());
    let error = client.open_ingest_results(&job.id, ResultKind::Failed, None).await.map(drop).unwrap_err();
    assert!(matches!(JobError::from(error), JobError::WrongState));
    let stopped = client.abort_ingest_job(&job.id).await.unwrap();
    assert!(matches!(stopped.is_complete(), Err(JobError::Aborted)));
    client.abort_ingest_job(&job.id).await.unwrap();
    let rows = file(&[NAME], Compression::None, [json!({"Name": "Gull"})]);
    let error = client.upload_ingest_file(&job.id, &rows).await.unwrap_err();
    assert!(matches!(JobError::from(error), JobError::WrongState));
    let error = client.close_ingest_job(&job.id).await.unwrap_err();
    assert!(matches!(JobError::from(error), JobError::WrongState), "a job that was stopped is not closed");
    client.delete_ingest_job(&job.id).await.unwrap();
    client.delete_ingest_job(&job.id).await.unwrap();
    let error = client.fetch_ingest_job(&job.id).await.unwrap_err();
    assert!(matches!(JobError::from(error), JobError::Gone));
    assert_eq!(org.count("Account"), 0);
}

#[tokio::test]
async fn lost_responses_write_nothing_twice() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let rows = file(&[NAME], Compression::Gzip, [json!({"Name": "Gull"})]);
    let job = client.create_ingest_job(&ACCOUNT, &IngestOperation::Insert).await.unwrap();
    let path = format!("jobs/ingest/{}", RecordId::from(job.id));
    org.fault(&format!("{path}/batches"), 1, Effect::ResetAfter);
    let error = client.upload_ingest_file(&job.id, &rows).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::Unknown(_)), "{error}");
    let error = client.upload_ingest_file(&job.id, &rows).await.unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "a second upload is refused: {error}");

    org.fault(&path, 1, Effect::ResetAfter);
    let closed = client.close_ingest_job(&job.id).await.unwrap();
    assert_ne!(closed.state, JobState::Open, "the job was closed by the lost call");
    assert_eq!(client.fetch_ingest_job(&job.id).await.unwrap().rows, 1);
    assert_eq!(org.count("Account"), 1);
}

#[tokio::test]
async fn results_that_are_cut_off_are_an_error() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let rows = file(&[NAME], Compression::Gzip, (0..50).map(|number| json!({"Name": format!("Account {number}")})));
    let job = load(&client, &ACCOUNT, &IngestOperation::Insert, &rows).await;
    let path = format!("jobs/ingest/{}/successfulResults", RecordId::from(job.id));
    for effect in [Effect::Truncate { keep_bytes: None }, Effect::MalformedJson] {
        org.fault(&path, 1, effect.clone());
        let mut page = client.open_ingest_results(&job.id, ResultKind::Successful, None).await.unwrap();
        let error = loop {
            match page.next_row().await {
                Ok(row) => assert!(row.is_some(), "{effect:?} looks like the end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error.retry(), Retry::Unknown(_)), "{effect:?}: {error}");
    }
}
