//! Recorded responses, parsed by the calls that receive them.

use salesforce::bulk::{IngestJob, JobState, QueryJob};
use salesforce::{Error, FieldName, JsonObject, MASTER_RECORD_TYPE, ObjectName, RecordId, SaveOptions, Soql};
use serde_json::{Value, json};

use crate::replay::{Replay, recorded};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
const ID: FieldName = FieldName::ID;

fn id(id: &str) -> RecordId {
    id.parse().unwrap()
}

fn soql() -> Soql {
    Soql::select(&[ID]).from(&ACCOUNT)
}

/// Starts a server that replies with a recording; `None` if there are no recordings.
fn replay(path: &str) -> Option<Replay> {
    Some(Replay::once(200, recorded(path)?.to_string()))
}

#[tokio::test]
async fn recorded_pages_are_parsed() {
    for file in [
        "accounts-page-1-of-2",
        "accounts-page-2-of-2",
        "opportunities-31-developer-edition",
        "contacts-20-developer-edition",
        "cases-26-developer-edition",
        "child-to-parent",
        "nested-contacts-in-accounts",
        "contacts-with-opportunities-subquery",
        "opportunity-account-null",
        "record-types-seven-french-names",
        "users-profile-null",
        "empty",
    ] {
        let Some(recording) = recorded(&format!("rest/query/{file}.json")) else {
            return;
        };
        let server = Replay::once(200, recording.to_string());
        let page = server.client().query(&soql()).await.unwrap();
        assert_eq!(json!(page.total_size), recording["totalSize"], "{file}");
        assert_eq!(json!(page.done), recording["done"], "{file}");
        assert_eq!(page.done, page.next.is_none(), "{file}");
        let rows = recording["records"].as_array().unwrap();
        assert_eq!(page.records.len(), rows.len(), "{file}");
        let json = serde_json::to_string(&page.records).unwrap();
        assert!(!json.contains("attributes"), "{file}");
    }
}

#[tokio::test]
async fn the_next_page_is_fetched_from_its_recorded_path() {
    let (Some(one), Some(two)) =
        (recorded("rest/query/accounts-page-1-of-2.json"), recorded("rest/query/accounts-page-2-of-2.json"))
    else {
        return;
    };
    let server = Replay::start([&one, &two].map(|page| crate::replay::json(200, page.to_string())).into());
    let client = server.client();
    let first = client.query(&soql()).await.unwrap();
    let second = client.query_more(&first.next.unwrap()).await.unwrap();
    assert!(second.done);
    let path = one["nextRecordsUrl"].as_str().unwrap();
    assert_eq!(server.requests()[1].line, format!("GET {path}"));
    assert_eq!(server.requests()[1].header("sforce-query-options"), Some("batchSize=2000"));
}

#[tokio::test]
async fn a_recorded_count_is_parsed() {
    let Some(server) = replay("rest/query/count.json") else { return };
    assert_eq!(server.client().count(&Soql::count().from(&ACCOUNT)).await.unwrap(), 22);
}

#[tokio::test]
async fn a_recorded_record_is_parsed() {
    let Some(recording) = recorded("rest/records/get-account.json") else { return };
    let server = Replay::once(200, format!("[{recording}]"));
    let account = id("001dM00003jU9GxQAK");
    let record = server.client().retrieve(&ACCOUNT, &[account], &[ID]).await.unwrap().remove(0).unwrap();
    assert_eq!((record.id, record.object.as_str()), (account, "Account"));
    assert_eq!(record.text("Name"), Some("Edge Communications"));
    assert!(record.system_modstamp().is_some());
    assert_eq!(server.requests()[0].line, "POST /services/data/v66.0/composite/sobjects/Account");
}

#[tokio::test]
async fn recorded_upsert_outcomes_are_parsed() {
    let Some(server) = replay("rest/collections/create-contacts-partial-but-allOrNone.json") else { return };
    let key = FieldName::from_static("Ferry_External_Id__c");
    let record = |number: u8| {
        let json = json!({"Ferry_External_Id__c": format!("C-{number}")});
        serde_json::from_value::<JsonObject>(json).unwrap()
    };
    let outcomes = server
        .client()
        .upsert(&ACCOUNT, &key, &[record(1), record(2)], SaveOptions { all_or_none: true, ..SaveOptions::default() })
        .await
        .unwrap();
    assert_eq!(server.requests()[0].header("sforce-auto-assign"), Some("FALSE"));
    assert_eq!(outcomes[0].errors[0].code, "REQUIRED_FIELD_MISSING");
    assert_eq!(outcomes[0].errors[0].fields, ["LastName"]);
    assert_eq!(outcomes[1].errors[0].code, "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    let sent: Value = serde_json::from_str(&server.requests()[0].body).unwrap();
    assert_eq!(sent["records"][1], json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": "C-2"}));
    assert_eq!(server.requests()[0].line, "PATCH /services/data/v66.0/composite/sobjects/Account/Ferry_External_Id__c");
}

#[tokio::test]
async fn a_response_with_too_few_rows_is_an_error() {
    let server = Replay::once(200, "[]");
    let fetched = server.client().retrieve(&ACCOUNT, &[id("001dM00003jU9GxQAK")], &[ID]).await;
    assert!(matches!(fetched, Err(Error::InvalidResponse { .. })));
}

#[tokio::test]
async fn recorded_describes_are_parsed() {
    for object in ["Account", "Contact", "Lead", "Opportunity", "Case", "OpportunityContactRole"] {
        let Some(server) = replay(&format!("rest/describe/{object}.json")) else { return };
        let name = object.parse().unwrap();
        let describe = server.client().describe(&name).await.unwrap();
        assert_eq!(describe.summary.name, name);
        assert!(!describe.fields.is_empty(), "{object}");
    }
    let Some(server) = replay("rest/describe/Opportunity.json") else { return };
    let describe = server.client().describe(&OPPORTUNITY).await.unwrap();
    assert!(describe.record_type_infos[0].master);
    let required = describe.fields.iter().filter(|field| field.is_required_on_create());
    assert_eq!(required.map(|field| field.name.as_str()).collect::<Vec<_>>(), ["Name", "StageName", "CloseDate"]);
}

#[tokio::test]
async fn recorded_object_lists_are_parsed() {
    for file in ["global-shortened", "global-2026-trimmed"] {
        let Some(server) = replay(&format!("rest/describe/{file}.json")) else { return };
        let objects = server.client().describe_global().await.unwrap();
        assert!(objects.iter().any(|object| object.name == ACCOUNT), "{file}");
    }
}

#[tokio::test]
async fn recorded_picklists_are_parsed() {
    let Some(server) = replay("ui-api/picklist-values-by-record-type-account.json") else { return };
    let picklists = server.client().fetch_picklist_values(&ACCOUNT, &MASTER_RECORD_TYPE).await.unwrap();
    let source = &picklists[&FieldName::from_static("AccountSource")];
    assert_eq!((source.values[0].value.as_str(), source.values[0].label.as_str()), ("Web", "Web"));
    assert_eq!(
        server.requests()[0].line,
        "GET /services/data/v66.0/ui-api/object-info/Account/picklist-values/012000000000000AAA"
    );
}

#[tokio::test]
async fn a_recorded_composite_error_is_parsed() {
    use salesforce::composite::{CompositeRequest, Subrequest};
    let Some(server) = replay("rest/composite/sub-request-404-in-200.json") else { return };
    let part = Subrequest { method: "GET", url: "sobjects/Foo".into(), reference_id: "foo".into(), body: None };
    let request = CompositeRequest { all_or_none: true, requests: vec![part] };
    let responses = server.client().send_composite(&request).await.unwrap();
    assert!(responses[0].failure("run a test").unwrap().has_code("NOT_FOUND"));
}

#[test]
fn recorded_jobs_are_parsed() {
    use JobState::{InProgress, JobComplete, Open, UploadComplete};
    for (file, state, rows) in [
        ("delete-job-open", Open, 0),
        ("ingest-job-open", Open, 0),
        ("ingest-job-upload-complete", UploadComplete, 0),
        ("ingest-job-in-progress", InProgress, 2_000),
        ("ingest-job-complete", JobComplete, 3_000),
    ] {
        let Some(recording) = recorded(&format!("bulk/v2-{file}.json")) else { return };
        let job: IngestJob = serde_json::from_value(recording).unwrap();
        assert_eq!((job.state, job.rows, job.failed_rows), (state, rows, 0), "{file}");
    }
    for file in ["query-job-created", "queryall-job-created"] {
        let Some(recording) = recorded(&format!("bulk/v2-{file}.json")) else { return };
        let job: QueryJob = serde_json::from_value(recording).unwrap();
        assert!(!job.is_complete().unwrap(), "{file}");
    }
}
