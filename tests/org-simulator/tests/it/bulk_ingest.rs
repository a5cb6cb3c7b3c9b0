//! Ingest jobs of Bulk API 2.0.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use org_simulator::BulkSettings;
use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, ApiResponse, CASEY, TestContext, fields};

const KEY: &str = "Ferry_External_Id__c";

/// Sends a request whose body is not JSON.
async fn send(
    context: &TestContext,
    method: Method,
    path: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> ApiResponse {
    let url = format!("{}/services/data/v66.0/{path}", context.org.url());
    let request = context.http.request(method, url).bearer_auth(context.token()).header("content-type", content_type);
    context.plain(request.body(body)).await
}

async fn open(context: &TestContext, job: Value) -> String {
    let created = context.post("jobs/ingest", job).await;
    assert_eq!((created.status, &created.body["state"]), (200, &json!("Open")), "{:?}", created.body);
    format!("jobs/ingest/{}", created.body["id"].as_str().unwrap())
}

async fn upload(context: &TestContext, job: &str, csv: &str) {
    assert_eq!(send(context, Method::PUT, &format!("{job}/batches"), "text/csv", csv.to_owned()).await.status, 201);
}

/// Loads a CSV and returns the address of the job.
async fn load(context: &TestContext, job: Value, csv: &str) -> String {
    let job = open(context, job).await;
    upload(context, &job, csv).await;
    let closed = context.patch(&job, json!({"state": "UploadComplete"})).await;
    assert_eq!(closed.body["state"], "UploadComplete");
    job
}

async fn results(context: &TestContext, job: &str, name: &str) -> String {
    let response = context.get(&format!("{job}/{name}")).await;
    assert_eq!((response.status, response.header("content-type")), (200, "text/csv"), "{:?}", response.body);
    String::from_utf8(response.bytes).unwrap()
}

async fn counts(context: &TestContext, job: &str) -> (Value, Value, Value) {
    let info = context.get(job).await.body;
    (info["state"].clone(), info["numberRecordsProcessed"].clone(), info["numberRecordsFailed"].clone())
}

fn insert(object: &str) -> Value {
    json!({"object": object, "operation": "insert", "contentType": "CSV", "lineEnding": "LF"})
}

#[tokio::test]
async fn rows_succeed_and_fail_one_by_one() {
    let context = TestContext::new().await;
    let csv = "Name,Type,AnnualRevenue,Description\n\"Bulk, Inc.\",Prospect,12.5,\"two\nlines\"\n,Prospect,1,\nThird,,nonsense,\n";
    let job = load(&context, insert("Account"), csv).await;
    assert_eq!(counts(&context, &job).await, (json!("JobComplete"), json!(3), json!(2)));
    let id = context.id_of("Account", "Bulk, Inc.").await;
    let record = context.org.record("Account", &id).unwrap();
    assert_eq!((&record["Description"], &record["AnnualRevenue"]), (&json!("two\nlines"), &json!(12.5)));
    let header = "Name,Type,AnnualRevenue,Description";
    assert_eq!(
        results(&context, &job, "successfulResults").await,
        format!("\"sf__Id\",\"sf__Created\",{header}\n\"{id}\",\"true\",\"Bulk, Inc.\",Prospect,12.5,\"two\nlines\"\n")
    );
    let missing = "\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\",,Prospect,1,";
    let kind = "INVALID_FIELD:Failed to deserialize field at col 2. Due to, 'nonsense' is not a valid value for the type \
                xsd:double:AnnualRevenue --";
    assert_eq!(
        results(&context, &job, "failedResults").await,
        format!("\"sf__Id\",\"sf__Error\",{header}\n{missing}\n\"\",\"{kind}\",Third,,nonsense,\n")
    );
    assert_eq!(results(&context, &job, "unprocessedrecords").await, format!("{header}\n"));
}

#[tokio::test]
async fn an_upsert_reports_which_records_it_created() {
    let context = TestContext::new().await;
    let job = json!({"object": "Account", "operation": "upsert", "externalIdFieldName": KEY});
    load(&context, job.clone(), &format!("{KEY},Name\nA-1,First\n")).await;
    let csv = format!("{KEY},Name,Phone\na-1,Again,\nA-2,Second,1\n,Third,\nA-3,One,\nA-3,Two,\n");
    let job = load(&context, job, &csv).await;
    assert_eq!(counts(&context, &job).await, (json!("JobComplete"), json!(5), json!(3)));
    let done = results(&context, &job, "successfulResults").await;
    let (first, second) = (context.id_of("Account", "Again").await, context.id_of("Account", "Second").await);
    assert!(
        done.contains(&format!("\"{first}\",\"false\",a-1,Again,\n\"{second}\",\"true\",A-2,Second,1\n")),
        "{done}"
    );
    let failed = results(&context, &job, "failedResults").await;
    assert!(failed.contains(&format!("\"MISSING_ARGUMENT:{KEY} not specified")), "{failed}");
    assert_eq!(failed.matches("DUPLICATE_VALUE:Duplicate external id specified: A-3").count(), 2);
}

#[tokio::test]
async fn an_empty_value_keeps_a_field_and_na_clears_it() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    let set = json!({"Phone": "1", "Website": "x.example"});
    context.org.update_record(ADMIN, "Account", &id, &fields(set)).unwrap();
    let job = json!({"object": "Account", "operation": "update"});
    let csv = format!("Id,Phone,Website\n{id},,#N/A\n,1,\n0015e000000zzzzAAA,1,\nx,1,\n");
    let job = load(&context, job, &csv).await;
    let record = context.org.record("Account", &id).unwrap();
    assert_eq!((&record["Phone"], &record["Website"]), (&json!("1"), &Value::Null));
    let failed = results(&context, &job, "failedResults").await;
    for error in ["MISSING_ARGUMENT:Id not specified in an update call:--", "MALFORMED_ID:"] {
        assert!(failed.contains(error), "{failed}");
    }
    assert_eq!(counts(&context, &job).await, (json!("JobComplete"), json!(4), json!(3)));
}

#[tokio::test]
async fn parents_are_named_by_their_keys() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    context.org.update_record(ADMIN, "Account", &account, &fields(json!({KEY: "P-1"}))).unwrap();
    let csv = format!("LastName,Account.{KEY},Owner.Username\nBy key,P-1,{CASEY}\nUnknown,P-9,{CASEY}\nNone,,\n");
    let job = load(&context, insert("Contact"), &csv).await;
    assert_eq!(counts(&context, &job).await, (json!("JobComplete"), json!(3), json!(1)));
    let response = context.query("SELECT AccountId, Owner.Username FROM Contact WHERE LastName = 'By key'").await;
    let row = &response.body["records"][0];
    assert_eq!((&row["AccountId"], &row["Owner"]["Username"]), (&json!(account), &json!(CASEY)));
    let failed = results(&context, &job, "failedResults").await;
    assert!(failed.contains("INVALID_FIELD:Foreign key external ID: p-9 not found for field"), "{failed}");

    let id = context.id_of("Contact", "By key").await;
    let job = json!({"object": "Contact", "operation": "update"});
    load(&context, job, &format!("Id,Account.{KEY}\n{id},#N/A\n")).await;
    assert_eq!(context.org.record("Contact", &id).unwrap()["AccountId"], Value::Null);
}

#[tokio::test]
async fn deletes_use_the_recycle_bin_and_hard_deletes_do_not() {
    let context = TestContext::new().await;
    let ids = [
        context.id_of("Account", "Fjordglass Optics").await,
        context.org.create_record(CASEY, "Account", &fields(json!({"Name": "Gone"}))).unwrap(),
    ];
    let delete = |operation: &str| json!({"object": "Account", "operation": operation});
    load(&context, delete("delete"), &format!("Id\n{}\n", ids[0])).await;
    assert_eq!(context.org.record("Account", &ids[0]).unwrap()["IsDeleted"], json!(true));

    assert_eq!(context.post("jobs/ingest", delete("hardDelete")).await.code(), "FEATURENOTENABLED");
    let hard_delete = BTreeMap::from([(ADMIN.to_owned(), true)]);
    context.org.set_bulk(&BulkSettings { hard_delete, ..BulkSettings::default() }).unwrap();
    load(&context, delete("hardDelete"), &format!("Id\n{}\n", ids[1])).await;
    assert_eq!(context.org.record("Account", &ids[1]), None);

    let job = load(&context, delete("delete"), &format!("Id,Name\n{},x\n", ids[0])).await;
    assert_eq!(context.get(&job).await.body["errorMessage"], "InvalidBatch : The 'delete' batch must contain only ids");
}

#[tokio::test]
async fn an_unreadable_upload_fails_the_job_and_is_returned() {
    let context = TestContext::new().await;
    for (csv, reason) in [
        ("Name,Nope\nA,1\n", "InvalidBatch : Field name not found : Nope"),
        ("Name\r\nA\r\n", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
        (
            "Name\nA \"b\"\n",
            "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote",
        ),
        ("\u{feff}Name\nA\n", "InvalidBatch : Field name not found : \u{feff}Name"),
        ("", "InvalidBatch : Records not found"),
    ] {
        let job = load(&context, insert("Account"), csv).await;
        let info = context.get(&job).await.body;
        assert_eq!((&info["state"], &info["errorMessage"]), (&json!("Failed"), &json!(reason)));
        assert_eq!(info["numberRecordsProcessed"], 0);
        assert_eq!(results(&context, &job, "unprocessedrecords").await, csv);
    }
}

#[tokio::test]
async fn a_job_aborted_half_way_lists_its_unprocessed_rows() {
    let context = TestContext::new().await;
    context.org.set_bulk(&BulkSettings { processing_ms: Some(100_000), ..BulkSettings::default() }).unwrap();
    let rows: String = (0..1_000).map(|n| format!("Half {n}\n")).collect();
    let job = load(&context, insert("Account"), &format!("Name\n{rows}")).await;
    assert_eq!(counts(&context, &job).await.0, "UploadComplete");
    assert_eq!(context.get(&format!("{job}/unprocessedrecords")).await.code(), "INVALIDJOBSTATE");
    context.org.advance_clock(SignedDuration::from_secs(60));
    assert_eq!(counts(&context, &job).await, (json!("InProgress"), json!(400), json!(0)));
    context.patch(&job, json!({"state": "Aborted"})).await;
    context.org.advance_clock(SignedDuration::from_hours(1));
    assert_eq!(counts(&context, &job).await, (json!("Aborted"), json!(400), json!(0)));
    assert_eq!(results(&context, &job, "successfulResults").await.lines().count(), 401);
    let rest = results(&context, &job, "unprocessedrecords").await;
    assert_eq!((rest.lines().count(), rest.lines().nth(1)), (601, Some("Half 400")));
    let written = context.query("SELECT COUNT() FROM Account WHERE Name LIKE 'Half %'").await;
    assert_eq!(written.body["totalSize"], 400);
}

#[tokio::test]
async fn one_request_may_contain_job_and_data() {
    let context = TestContext::new().await;
    let body = "--B\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n\
                {\"object\":\"Contact\",\"contentType\":\"CSV\",\"operation\":\"insert\",\"lineEnding\":\"LF\"}\r\n\
                --B\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n\
                LastName\nMulti\n\r\n--B--\r\n";
    let created = send(&context, Method::POST, "jobs/ingest/", "multipart/form-data; boundary=\"B\"", body).await.body;
    assert_eq!(created["state"], "UploadComplete");
    let job = format!("jobs/ingest/{}", created["id"].as_str().unwrap());
    assert_eq!(counts(&context, &job).await, (json!("JobComplete"), json!(1), json!(0)));
    context.id_of("Contact", "Multi").await;
}

#[tokio::test]
async fn a_job_takes_one_upload_and_only_while_it_is_open() {
    let context = TestContext::new().await;
    let job = open(&context, insert("Account")).await;
    let batches = format!("{job}/batches");
    let put = async |kind: &str| send(&context, Method::PUT, &batches, kind, "Name\nA\n").await;
    assert_eq!(put("application/json").await.status, 415);
    assert_eq!(context.delete(&job).await.code(), "INVALIDJOBSTATE");
    assert_eq!(put("text/csv; charset=UTF-8").await.status, 201);
    let again = put("text/csv").await;
    assert_eq!(again.code(), "CLIENTINPUTERROR");
    assert!(again.body[0]["message"].as_str().unwrap().contains("Found multiple contents for job"));
    for state in ["InProgress", "JobComplete", "Open"] {
        assert_eq!(context.patch(&job, json!({"state": state})).await.code(), "INVALIDJOBSTATE");
    }
    context.patch(&job, json!({"state": "UploadComplete"})).await;
    assert_eq!(put("text/csv").await.code(), "INVALIDJOBSTATE");
    assert_eq!(context.patch(&job, json!({"state": "UploadComplete"})).await.code(), "INVALIDJOBSTATE");
    assert_eq!(context.patch(&job, json!({"state": "Aborted"})).await.code(), "INVALIDJOBSTATE");
    assert_eq!(context.delete(&job).await.status, 204);
    assert_eq!(context.get(&job).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn objects_that_bulk_cannot_load_are_rejected() {
    let context = TestContext::new().await;
    for (job, code, message) in [
        (json!({"object": "Nope", "operation": "insert"}), "INVALIDJOB", "InvalidJob : Unable to find object: Nope"),
        (
            json!({"object": "ContentNote", "operation": "insert"}),
            "INVALIDENTITY",
            "Entity 'ContentNote' is not supported by the Bulk API.",
        ),
        (json!({"object": "Account", "operation": "merge"}), "INVALIDOPERATION", "merge"),
        (json!({"object": "Account", "operation": "upsert"}), "INVALIDJOB", "External ID was blank for Account"),
        (
            json!({"object": "Account", "operation": "upsert", "externalIdFieldName": "Phone"}),
            "INVALIDJOB",
            "Phone does not match an External ID",
        ),
        (json!({"object": "Account", "operation": "insert", "color": "red"}), "JSON_PARSER_ERROR", "color"),
    ] {
        let refused = context.post("jobs/ingest", job).await;
        assert_eq!((refused.status, refused.code()), (400, code));
        assert!(refused.body[0]["message"].as_str().unwrap().contains(message), "{:?}", refused.body);
    }
    assert_eq!(context.get("jobs/ingest").await.body["records"], json!([]));
    context.org.set_bulk(&BulkSettings { batches_a_day: Some(1), ..BulkSettings::default() }).unwrap();
    load(&context, insert("Account"), "Name\nOne\n").await;
    assert_eq!(context.post("jobs/ingest", insert("Account")).await.code(), "EXCEEDEDQUOTA");
}

#[tokio::test]
async fn rows_follow_the_rules_of_single_writes() {
    let mut context = TestContext::new().await;
    context.org.set_private("Account", true).unwrap();
    let id = context.org.create_record(ADMIN, "Account", &fields(json!({"Name": "Private"}))).unwrap();
    context.log_in(CASEY);
    let job = json!({"object": "Account", "operation": "update"});
    let job = load(&context, job, &format!("Id,Phone\n{id},1\n")).await;
    let failed = results(&context, &job, "failedResults").await;
    let single = context.patch(&format!("sobjects/Account/{id}"), json!({"Phone": "1"})).await;
    assert!(failed.contains(&format!("\"{id}\",\"{}:", single.code())), "{failed} {}", single.code());
}

#[tokio::test]
async fn a_list_of_jobs_has_pages() {
    let context = TestContext::new().await;
    let mut made = Vec::new();
    for _ in 0..1_001 {
        made.push(context.post("jobs/ingest", insert("Lead")).await.body["id"].clone());
    }
    let first = context.get("jobs/ingest?jobType=V2Ingest").await.body;
    assert_eq!((first["records"].as_array().unwrap().len(), &first["done"]), (1_000, &json!(false)));
    let next = first["nextRecordsUrl"].as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap();
    let second = context.get(next).await.body;
    assert_eq!((second["records"].as_array().unwrap().len(), &second["done"]), (1, &json!(true)));
    assert_eq!((&first["records"][0]["id"], &second["records"][0]["id"]), (&made[0], &made[1_000]));
}

/// Returns the data rows of a CSV without line breaks in values.
fn rows(csv: &str) -> Vec<&str> {
    csv.lines().skip(1).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Each row is in exactly one of the three results, whatever the upload and the time at which the job ends.
    #[test]
    fn no_row_is_lost(
        names in prop::collection::vec(prop_oneof![4 => "[A-Za-z]{1,6}", 1 => Just(String::new()), 1 => Just("#N/A".to_owned())], 0..450),
        stop in 0_i64..12,
        broken in prop::bool::weighted(0.2),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let context = TestContext::new().await;
            context.org.set_bulk(&BulkSettings { processing_ms: Some(10_000), ..BulkSettings::default() }).unwrap();
            let input: Vec<String> = names.iter().enumerate().map(|(n, name)| format!("{name},{n}")).collect();
            let header = if broken { "Name,Nope" } else { "Name,NumberOfEmployees" };
            let job = load(&context, insert("Account"), &format!("{header}\n{}\n", input.join("\n"))).await;
            context.org.advance_clock(SignedDuration::from_secs(stop));
            let info = context.get(&job).await.body;
            if info["state"] != "JobComplete" && info["state"] != "Failed" {
                context.patch(&job, json!({"state": "Aborted"})).await;
            }
            let mut found = Vec::new();
            for name in ["successfulResults", "failedResults", "unprocessedrecords"] {
                let csv = results(&context, &job, name).await;
                let own = |row: &str| if name == "unprocessedrecords" { row.to_owned() } else { row.rsplitn(3, ',').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(",") };
                found.extend(rows(&csv).into_iter().map(own));
            }
            let mut expected = input.clone();
            found.sort();
            expected.sort();
            assert_eq!(found, expected);
        });
    }
}

#[tokio::test]
async fn twenty_thousand_rows_are_loaded_and_found_again() {
    let context = TestContext::new().await;
    let rows: String = (0..20_000).map(|n| format!("B-{n},Bulk {n},Prospect\n")).collect();
    let job = json!({"object": "Account", "operation": "upsert", "externalIdFieldName": KEY});
    let job = load(&context, job, &format!("{KEY},Name,Type\n{rows}")).await;
    assert_eq!(counts(&context, &job).await, (json!("JobComplete"), json!(20_000), json!(0)));
    let body = json!({"operation": "query", "query": format!("SELECT Id, Name FROM Account WHERE {KEY} LIKE 'B-%'")});
    let job = context.post("jobs/query", body).await.body["id"].as_str().unwrap().to_owned();
    let results = context.get(&format!("jobs/query/{job}/results")).await;
    assert_eq!(results.header("sforce-numberofrecords"), "20000");
}

#[tokio::test]
async fn a_wrong_value_is_named_with_its_column_and_type() {
    let context = TestContext::new().await;
    let csv = "Name,StageName,CloseDate\nNoemi,Prospecting,2003-04-987654321987654321\n";
    let job = load(&context, insert("Opportunity"), csv).await;
    let failed = results(&context, &job, "failedResults").await;
    let error = "INVALID_FIELD:Failed to deserialize field at col 2. Due to, '2003-04-987654321987654321' is not a valid value \
                 for the type xsd:date:CloseDate --";
    assert!(failed.contains(&format!("\"\",\"{error}\",Noemi,Prospecting,")), "{failed}");
    for (field, value, kind) in [
        ("NumberOfEmployees", "many", "xsd:int"),
        ("AnnualRevenue", "1.000,5", "xsd:double"),
        ("Ferry_Flag__c", "perhaps", "xsd:boolean"),
        ("Ferry_Seen__c", "yesterday", "xsd:dateTime"),
    ] {
        let fields =
            json!([{"name": "Ferry_Flag__c", "type": "boolean"}, {"name": "Ferry_Seen__c", "type": "datetime"}]);
        context.admin(Method::POST, "objects", Some(json!({"name": "Account", "fields": fields}))).await;
        let job = load(&context, insert("Account"), &format!("{field},Name\n\"{value}\",x\n")).await;
        let failed = results(&context, &job, "failedResults").await;
        assert!(
            failed.contains(&format!("col 0. Due to, '{value}' is not a valid value for the type {kind}:{field} --")),
            "{failed}"
        );
    }
}
