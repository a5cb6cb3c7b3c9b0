//! Query jobs of Bulk API 2.0.

use jiff::SignedDuration;
use org_simulator::BulkSettings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ApiResponse, CASEY, JORDAN, TestContext, fields};

async fn query_job(context: &TestContext, soql: &str) -> ApiResponse {
    context.post("jobs/query", json!({"operation": "query", "query": soql})).await
}

/// Creates a query job, waits until it is complete and returns its path.
async fn complete(context: &TestContext, soql: &str) -> String {
    let created = query_job(context, soql).await;
    assert_eq!((created.status, &created.body["state"]), (200, &json!("UploadComplete")), "{:?}", created.body);
    let id = created.body["id"].as_str().unwrap().to_owned();
    assert_eq!(context.get(&format!("jobs/query/{id}")).await.body["state"], "JobComplete");
    id
}

fn text(response: &ApiResponse) -> String {
    String::from_utf8(response.bytes.clone()).unwrap()
}

#[tokio::test]
async fn rows_are_csv_with_every_value_in_quotes() {
    let context = TestContext::new().await;
    let row = json!({"LastName": "O\"Neil,\nJr", "Company": "Quoting", "AnnualRevenue": 1200});
    let id = context.org.create_record(CASEY, "Lead", &fields(row)).unwrap();
    let soql = "SELECT Id, LastName, AnnualRevenue, Email, IsConverted, CreatedDate, Owner.Name FROM Lead WHERE Company = 'Quoting'";
    let job = complete(&context, soql).await;
    let results = context.get(&format!("jobs/query/{job}/results")).await;
    assert_eq!(results.header("content-type"), "text/csv");
    assert_eq!((results.header("sforce-locator"), results.header("sforce-numberofrecords")), ("null", "1"));
    let header = "\"Id\",\"LastName\",\"AnnualRevenue\",\"Email\",\"IsConverted\",\"CreatedDate\",\"Owner.Name\"";
    let values = "\"O\"\"Neil,\nJr\",\"1200.0\",\"\",\"false\",\"2026-11-22T10:00:00.000Z\",\"Casey Morrow\"";
    assert_eq!(text(&results), format!("{header}\n\"{id}\",{values}\n"));
}

#[tokio::test]
async fn pages_repeat_the_header_and_end_with_the_word_null() {
    let context = TestContext::new().await;
    let job = complete(&context, "SELECT Name FROM Account ORDER BY Name").await;
    let (mut locator, mut names, mut sizes) = (String::new(), Vec::new(), Vec::new());
    loop {
        let page = context.get(&format!("jobs/query/{job}/results?maxRecords=2{locator}")).await;
        let csv = text(&page);
        let mut lines = csv.lines();
        assert_eq!(lines.next(), Some("\"Name\""));
        names.extend(lines.map(str::to_owned));
        sizes.push(page.header("sforce-numberofrecords").to_owned());
        match page.header("sforce-locator") {
            "null" => break,
            next => locator = format!("&locator={next}"),
        }
    }
    assert_eq!((sizes, names.len()), (vec!["2".to_owned(), "2".to_owned(), "1".to_owned()], 5));
    assert!(names.is_sorted());
}

#[tokio::test]
async fn result_pages_list_urls_to_fetch_in_parallel() {
    let context = TestContext::new().await;
    for n in 0..7 {
        let lead = json!({"LastName": format!("L{n}"), "Company": "Pages"});
        context.org.create_record(CASEY, "Lead", &fields(lead)).unwrap();
    }
    context.org.set_bulk(&BulkSettings { page_records: Some(1), ..BulkSettings::default() }).unwrap();
    let job = complete(&context, "SELECT LastName FROM Lead WHERE Company = 'Pages' ORDER BY LastName").await;
    let first = context.get(&format!("jobs/query/{job}/resultPages")).await.body;
    assert_eq!((first["resultPages"].as_array().unwrap().len(), &first["done"]), (5, &json!(false)));
    let path = |url: &Value| url.as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap().to_owned();
    let second = context.get(&path(&first["nextRecordsUrl"])).await.body;
    assert_eq!((&second["done"], &second["nextRecordsUrl"]), (&json!(true), &Value::Null));
    let urls = [&first, &second].map(|page| page["resultPages"].as_array().unwrap().clone()).concat();
    let mut names = Vec::new();
    for url in &urls {
        names.push(text(&context.get(&path(&url["resultUrl"])).await).lines().nth(1).unwrap().to_owned());
    }
    assert_eq!(names, (0..7).map(|n| format!("\"L{n}\"")).collect::<Vec<_>>());
}

#[tokio::test]
async fn results_need_the_version_that_created_the_job() {
    let context = TestContext::new().await;
    let job = complete(&context, "SELECT Id FROM Account").await;
    for path in ["results", "resultPages"] {
        let url = format!("{}/services/data/v65.0/jobs/query/{job}/{path}", context.org.url());
        assert_eq!(context.plain(context.http.get(url).bearer_auth(context.token())).await.status, 409);
    }
}

#[tokio::test]
async fn a_client_has_to_poll_while_a_job_runs() {
    let context = TestContext::new().await;
    context.org.set_bulk(&BulkSettings { processing_ms: Some(60_000), ..BulkSettings::default() }).unwrap();
    let job = query_job(&context, "SELECT Id FROM Account").await.body["id"].as_str().unwrap().to_owned();
    let info = format!("jobs/query/{job}");
    for (seconds, state) in [(1, "UploadComplete"), (29, "InProgress"), (30, "JobComplete")] {
        context.org.advance_clock(SignedDuration::from_secs(seconds));
        assert_eq!(context.get(&info).await.body["state"], state);
        let results = context.get(&format!("{info}/results")).await;
        assert_eq!(results.status == 200, state == "JobComplete", "{:?}", results.body);
    }
    let done = context.get(&info).await.body;
    assert_eq!((&done["numberRecordsProcessed"], &done["totalProcessingTime"]), (&json!(5), &json!(60_000)));
}

#[tokio::test]
async fn a_job_has_times_of_whole_seconds() {
    let context = TestContext::new().await;
    context.org.advance_clock(SignedDuration::from_millis(345));
    let created = query_job(&context, "SELECT Id FROM Account").await.body;
    let id = created["id"].as_str().unwrap().to_owned();
    context.org.advance_clock(SignedDuration::from_millis(700));
    let info = context.get(&format!("jobs/query/{id}")).await.body;
    for body in [&created, &info] {
        for name in ["createdDate", "systemModstamp"] {
            assert!(body[name].as_str().unwrap().ends_with(".000+0000"), "{name}: {}", body[name]);
        }
    }
}

#[tokio::test]
async fn an_ended_job_cannot_be_aborted() {
    let context = TestContext::new().await;
    context.org.set_bulk(&BulkSettings { processing_ms: Some(60_000), ..BulkSettings::default() }).unwrap();
    let job = query_job(&context, "SELECT Id FROM Account").await.body["id"].as_str().unwrap().to_owned();
    let info = format!("jobs/query/{job}");
    assert_eq!(context.delete(&info).await.code(), "INVALIDJOBSTATE");
    assert_eq!(context.patch(&info, json!({"state": "Aborted"})).await.body["state"], "Aborted");
    context.org.advance_clock(SignedDuration::from_hours(1));
    assert_eq!(context.get(&info).await.body["state"], "Aborted");
    let again = context.patch(&info, json!({"state": "Aborted"})).await;
    let refusal = json!([{"message": "Aborting already Completed Job not allowed", "errorCode": "INVALIDJOBSTATE"}]);
    assert_eq!((again.status, again.body), (400, refusal));
    assert_eq!(context.delete(&info).await.status, 204);
    assert_eq!(context.get(&info).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_job_set_to_fail_reports_its_error() {
    let context = TestContext::new().await;
    let reason = "InternalServerError : retried more than fifteen times";
    let settings = json!({"bulk": {"fail_next": reason}});
    assert_eq!(context.admin(Method::POST, "settings", Some(settings)).await.status, 200);
    let job = query_job(&context, "SELECT Id FROM Account").await.body["id"].as_str().unwrap().to_owned();
    let info = context.get(&format!("jobs/query/{job}")).await.body;
    assert_eq!((&info["state"], &info["errorMessage"]), (&json!("Failed"), &json!(reason)));
    assert_eq!(context.get(&format!("jobs/query/{job}/results")).await.code(), "INVALIDJOBSTATE");
    complete(&context, "SELECT Id FROM Account").await;
}

#[tokio::test]
async fn queries_that_bulk_does_not_support_are_rejected() {
    let context = TestContext::new().await;
    for (soql, code) in [
        ("SELECT COUNT() FROM Account", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 1", "API_ERROR"),
        ("SELECT Id, VersionData FROM ContentVersion", "API_ERROR"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
        ("", "INVALIDJOB"),
    ] {
        let refused = query_job(&context, soql).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{soql}: {:?}", refused.body);
    }
    assert_eq!(context.get("jobs/query").await.body["records"], json!([]));
}

#[tokio::test]
async fn query_all_includes_the_recycle_bin() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    context.delete(&format!("sobjects/Account/{id}")).await;
    for (operation, count) in [("query", 4), ("queryAll", 5)] {
        let body = json!({"operation": operation, "query": "SELECT Id, IsDeleted FROM Account"});
        let job = context.post("jobs/query", body).await.body["id"].as_str().unwrap().to_owned();
        let info = context.get(&format!("jobs/query/{job}")).await.body;
        assert_eq!((&info["numberRecordsProcessed"], &info["operation"]), (&json!(count), &json!(operation)));
    }
}

#[tokio::test]
async fn results_have_the_requested_format() {
    let context = TestContext::new().await;
    let body = json!({"operation": "query", "query": "SELECT Name, Type FROM Account ORDER BY Name LIMIT 1",
        "lineEnding": "CRLF", "columnDelimiter": "PIPE", "contentType": "CSV"});
    let created = context.post("jobs/query", body).await.body;
    assert_eq!((&created["lineEnding"], &created["columnDelimiter"]), (&json!("CRLF"), &json!("PIPE")));
    let csv = text(&context.get(&format!("jobs/query/{}/results", created["id"].as_str().unwrap())).await);
    assert!(csv.starts_with("\"Name\"|\"Type\"\r\n\"") && csv.ends_with("\"\r\n"), "{csv}");
    for wrong in [
        json!({"lineEnding": "CR"}),
        json!({"columnDelimiter": "SPACE"}),
        json!({"contentType": "JSON"}),
        json!({"color": "red"}),
    ] {
        let mut body = json!({"operation": "query", "query": "SELECT Id FROM Account"});
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(context.post("jobs/query", body).await.code(), "JSON_PARSER_ERROR");
    }
}

#[tokio::test]
async fn jobs_are_limited_by_the_day_and_kept_for_a_week() {
    let context = TestContext::new().await;
    context.org.set_bulk(&BulkSettings { query_jobs_a_day: Some(2), ..BulkSettings::default() }).unwrap();
    let job = complete(&context, "SELECT Id FROM Account").await;
    complete(&context, "SELECT Id FROM Account").await;
    let refused = query_job(&context, "SELECT Id FROM Account").await;
    assert_eq!(refused.code(), "LIMIT_EXCEEDED");
    assert_eq!(refused.body[0]["message"], "Max bulk v2 query jobs (2) per 24 hrs has been reached");
    assert_eq!(context.get("limits").await.body["DailyBulkV2QueryJobs"], json!({"Max": 2, "Remaining": 0}));

    context.org.advance_clock(SignedDuration::from_hours(24));
    let mut context = context;
    context.log_in(crate::support::ADMIN);
    complete(&context, "SELECT Id FROM Account").await;
    assert_eq!(context.get(&format!("jobs/query/{job}/results")).await.status, 200);
    context.org.advance_clock(SignedDuration::from_hours(6 * 24 + 1));
    context.log_in(crate::support::ADMIN);
    assert_eq!(context.get(&format!("jobs/query/{job}/results")).await.status, 404);
}

#[tokio::test]
async fn users_see_their_own_jobs_and_admins_all() {
    let mut context = TestContext::new().await;
    context.org.set_private("Account", true).unwrap();
    let account = json!({"Name": "Casey's own"});
    context.org.create_record(CASEY, "Account", &fields(account)).unwrap();
    context.log_in(CASEY);
    let job = complete(&context, "SELECT Name FROM Account WHERE Name LIKE 'Casey%' OR Name LIKE 'Jordan%'").await;
    assert_eq!(text(&context.get(&format!("jobs/query/{job}/results")).await), "\"Name\"\n\"Casey's own\"\n");
    context.log_in(JORDAN);
    assert_eq!(context.get(&format!("jobs/query/{job}")).await.status, 404);
    assert_eq!(context.get("jobs/query").await.body["records"], json!([]));
    context.log_in(crate::support::ADMIN);
    let list = context.get("jobs/query?jobType=V2Query&concurrencyMode=parallel&isPkChunkingEnabled=false").await.body;
    assert_eq!((&list["records"][0]["id"], &list["done"]), (&json!(job), &json!(true)));
    assert_eq!(context.get("jobs/query?jobType=Classic").await.body["records"], json!([]));
    assert_eq!(context.get("jobs/query?color=red").await.status, 400);
}
