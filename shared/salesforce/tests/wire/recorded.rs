//! Recorded answers through the calls that get such answers.

use salesforce::{Error, FieldName, JsonObject, MASTER_RECORD_TYPE, ObjectName, RecordId, Soql};
use serde_json::{Value, json};

use crate::replay::{Answer, Replay, recorded};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
const ID: FieldName = FieldName::from_static("Id");

fn id(id: &str) -> RecordId {
    id.parse().unwrap()
}

fn soql() -> Soql {
    Soql::select(&[ID]).from(&ACCOUNT)
}

/// A server that answers one request with a recording, unless there are none.
fn playing(path: &str) -> Option<Replay> {
    Some(Replay::once(200, recorded(path)?.to_string()))
}

#[tokio::test]
async fn recorded_pages_are_read() {
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
async fn the_next_page_is_asked_for_at_the_address_that_was_told() {
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
    let told = one["nextRecordsUrl"].as_str().unwrap();
    assert_eq!(server.seen()[1].line, format!("GET {told}"));
    assert_eq!(server.seen()[1].header("sforce-query-options"), Some("batchSize=2000"));
}

#[tokio::test]
async fn a_recorded_count_is_read() {
    let Some(server) = playing("rest/query/count.json") else { return };
    assert_eq!(server.client().count(&Soql::count().from(&ACCOUNT)).await.unwrap(), 22);
}

#[tokio::test]
async fn a_recorded_record_is_read() {
    let Some(server) = playing("rest/records/get-account.json") else { return };
    let account = id("001dM00003jU9GxQAK");
    let record = server.client().fetch_record(&ACCOUNT, &account, &[ID]).await.unwrap().unwrap();
    assert_eq!((record.id, record.object.as_str()), (account, "Account"));
    assert_eq!(record.text("Name"), Some("Edge Communications"));
    assert!(record.system_modstamp().is_some());
    assert_eq!(server.seen()[0].line, "GET /services/data/v66.0/sobjects/Account/001dM00003jU9GxQAK?fields=Id");
}

#[tokio::test]
async fn recorded_writes_are_read() {
    let Some(created) = recorded("rest/records/create-201.json") else { return };
    let empty = || Answer::Send(204, vec![], String::new());
    let server = Replay::start(vec![crate::replay::json(201, created.to_string()), empty(), empty()]);
    let client = server.client();
    let account = client.create(&ACCOUNT, &JsonObject::new()).await.unwrap();
    assert_eq!(account, id("001dM00003kRs59QAC"));
    client.update(&ACCOUNT, &account, &JsonObject::new()).await.unwrap();
    client.delete(&ACCOUNT, &account).await.unwrap();
    let lines: Vec<String> = server.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        [
            "POST /services/data/v66.0/sobjects/Account",
            "PATCH /services/data/v66.0/sobjects/Account/001dM00003kRs59QAC",
            "DELETE /services/data/v66.0/sobjects/Account/001dM00003kRs59QAC",
        ]
    );
    assert_eq!(server.seen()[0].header("sforce-auto-assign"), Some("FALSE"));
}

#[tokio::test]
async fn recorded_outcomes_of_an_upsert_are_read() {
    let Some(server) = playing("rest/collections/create-contacts-partial-but-allOrNone.json") else { return };
    let key = FieldName::from_static("Ferry_External_Id__c");
    let record = |number: u8| {
        let json = json!({"Ferry_External_Id__c": format!("C-{number}")});
        serde_json::from_value::<JsonObject>(json).unwrap()
    };
    let outcomes = server.client().upsert(&ACCOUNT, &key, &[record(1), record(2)], true).await.unwrap();
    assert_eq!(outcomes[0].errors[0].code, "REQUIRED_FIELD_MISSING");
    assert_eq!(outcomes[0].errors[0].fields, ["LastName"]);
    assert_eq!(outcomes[1].errors[0].code, "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    let sent: Value = serde_json::from_str(&server.seen()[0].body).unwrap();
    assert_eq!(sent["records"][1], json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": "C-2"}));
    assert_eq!(server.seen()[0].line, "PATCH /services/data/v66.0/composite/sobjects/Account/Ferry_External_Id__c");
}

#[tokio::test]
async fn an_answer_for_fewer_records_is_no_success() {
    let server = Replay::once(200, "[]");
    let fetched = server.client().retrieve(&ACCOUNT, &[id("001dM00003jU9GxQAK")], &[ID]).await;
    assert!(matches!(fetched, Err(Error::InvalidResponse { .. })));
}

#[tokio::test]
async fn recorded_describes_are_read() {
    for object in ["Account", "Contact", "Lead", "Opportunity", "Case", "OpportunityContactRole"] {
        let Some(server) = playing(&format!("rest/describe/{object}.json")) else { return };
        let name = object.parse().unwrap();
        let describe = server.client().describe(&name).await.unwrap();
        assert_eq!(describe.name, name);
        assert!(!describe.fields.is_empty(), "{object}");
    }
    let Some(server) = playing("rest/describe/Opportunity.json") else { return };
    let describe = server.client().describe(&OPPORTUNITY).await.unwrap();
    let required = describe.fields.iter().filter(|field| field.required_on_create());
    let required: Vec<&str> = required.map(|field| field.name.as_str()).collect();
    for field in ["Name", "StageName", "CloseDate"] {
        assert!(required.contains(&field), "{field} among {required:?}");
    }
    assert!(describe.record_type_infos[0].master);
}

#[tokio::test]
async fn recorded_lists_of_all_objects_are_read() {
    for file in ["global-shortened", "global-2026-trimmed"] {
        let Some(server) = playing(&format!("rest/describe/{file}.json")) else { return };
        let objects = server.client().describe_global().await.unwrap();
        assert!(objects.iter().any(|object| object.name == ACCOUNT), "{file}");
    }
}

#[tokio::test]
async fn recorded_changes_are_read() {
    let window = ("2026-11-21T00:00:00Z".parse().unwrap(), "2026-11-22T00:00:00Z".parse().unwrap());
    let Some(server) = playing("rest/get-updated.json") else { return };
    let updated = server.client().fetch_updated(&ACCOUNT, window.0, window.1).await.unwrap();
    assert_eq!(updated.ids.len(), 7);
    assert_eq!(updated.latest_date_covered, "2015-08-19T08:17:00Z".parse().unwrap());
    assert_eq!(
        server.seen()[0].line,
        "GET /services/data/v66.0/sobjects/Account/updated/?start=2026-11-21T00%3A00%3A00.000Z&end=2026-11-22T00%3A00%3A00.000Z"
    );
    let Some(server) = playing("rest/get-deleted.json") else { return };
    let deleted = server.client().fetch_deleted(&ACCOUNT, window.0, window.1).await.unwrap();
    assert_eq!(deleted.records[0].id, id("a00D0000008pQRAIA2"));
    assert_eq!(deleted.earliest_date_available, "2013-05-03T15:57:00Z".parse().unwrap());
}

#[tokio::test]
async fn recorded_limits_and_picklists_are_read() {
    let Some(server) = playing("rest/limits.json") else { return };
    let limits = server.client().limits().await.unwrap();
    assert!(limits["DailyApiRequests"].max > 0);
    let Some(server) = playing("ui-api/picklist-values-by-record-type-account.json") else { return };
    let picklists = server.client().fetch_picklist_values(&ACCOUNT, &MASTER_RECORD_TYPE).await.unwrap();
    let source = &picklists[&FieldName::from_static("AccountSource")];
    assert_eq!((source.values[0].value.as_str(), source.values[0].label.as_str()), ("Web", "Web"));
    assert_eq!(
        server.seen()[0].line,
        "GET /services/data/v66.0/ui-api/object-info/Account/picklist-values/012000000000000AAA"
    );
}

#[tokio::test]
async fn a_recorded_composite_answer_tells_the_failed_part() {
    use salesforce::composite::{CompositeRequest, Subrequest};
    let Some(server) = playing("rest/composite/sub-request-404-in-200.json") else { return };
    let part = Subrequest { method: "GET", url: "sobjects/Foo".into(), reference_id: "foo".into(), body: None };
    let request = CompositeRequest { all_or_none: true, requests: vec![part] };
    let answers = server.client().send_composite(&request).await.unwrap();
    assert!(answers[0].failure("a test").unwrap().has_code("NOT_FOUND"));
}
