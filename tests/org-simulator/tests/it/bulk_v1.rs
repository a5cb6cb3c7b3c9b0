//! Jobs of Bulk API 1.0.

use org_simulator::BulkSettings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, CASEY, Scene, fields, recorded};

const XML: &str = "application/xml; charset=UTF-8";

/// Sends a request below `job`, with the session header of Bulk API 1.0.
async fn send(scene: &Scene, method: Method, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let url = format!("{}/services/async/37.0/job{path}", scene.org.url());
    let request = scene.http.request(method, url).header("X-SFDC-Session", scene.token());
    scene.plain(request.header("content-type", content_type).body(body)).await
}

async fn get(scene: &Scene, path: &str) -> Answer {
    send(scene, Method::GET, path, "", "").await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

/// Returns the text of the first element with that name.
fn value(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
}

/// Returns the names of elements in their order, with the attributes of the first.
fn names(xml: &str) -> Vec<String> {
    xml.split('<').skip(1).map(|part| part.split('>').next().unwrap().split_whitespace().collect()).collect()
}

fn job_info(content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <jobInfo xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">{content}</jobInfo>"
    )
}

fn asked(operation: &str, more: &str) -> String {
    job_info(&format!("<operation>{operation}</operation><object>Account</object>{more}<contentType>CSV</contentType>"))
}

async fn open(scene: &Scene, operation: &str, more: &str) -> String {
    let made = send(scene, Method::POST, "", XML, asked(operation, more)).await;
    assert_eq!((made.status, made.header("content-type")), (201, "application/xml"), "{}", text(&made));
    format!("/{}", value(&text(&made), "id"))
}

async fn add(scene: &Scene, job: &str, csv: &str) -> String {
    let added = send(scene, Method::POST, &format!("{job}/batch"), "text/csv; charset=UTF-8", csv.to_owned()).await;
    assert_eq!(added.status, 201, "{}", text(&added));
    assert_eq!(value(&text(&added), "state"), "Queued");
    format!("{job}/batch/{}", value(&text(&added), "id"))
}

async fn change(scene: &Scene, job: &str, state: &str) -> Answer {
    send(scene, Method::POST, job, XML, job_info(&format!("<state>{state}</state>"))).await
}

fn refusal(answer: &Answer) -> (u16, String, String) {
    let xml = text(answer);
    assert!(xml.contains("<error\n   xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">"), "{xml}");
    (answer.status, value(&xml, "exceptionCode"), value(&xml, "exceptionMessage"))
}

#[tokio::test]
async fn an_open_job_is_described_as_recorded() {
    let scene = Scene::new().await;
    let ours = text(&send(&scene, Method::POST, "", XML, asked("insert", "")).await);
    let Some(path) = recorded("bulk/v1-job-open.xml") else { return };
    let theirs = std::fs::read_to_string(path).unwrap();
    assert_eq!(names(&ours), names(&theirs));
    let same_but = ["id", "createdById", "createdDate", "systemModstamp"];
    let elements = names(&theirs).into_iter().skip(2).filter(|name| !name.starts_with('/'));
    for name in elements.filter(|name| !same_but.contains(&name.as_str())) {
        assert_eq!(value(&ours, &name), value(&theirs, &name), "{name}");
    }
    let shape = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    for name in ["createdDate", "systemModstamp"] {
        assert_eq!(shape(&value(&ours, name)), shape(&value(&theirs, name)), "{name}");
    }
    assert_eq!(value(&ours, "id")[..3], value(&theirs, "id")[..3]);
}

#[tokio::test]
async fn results_are_written_as_recorded() {
    let scene = Scene::new().await;
    let job = open(&scene, "insert", "").await;
    let batch = add(&scene, &job, "Name\nFirst\nSecond\n").await;
    let ours = get(&scene, &format!("{batch}/result")).await;
    assert_eq!((ours.status, ours.header("content-type")), (200, "text/csv"));
    let Some(path) = recorded("bulk/v1-batch-result.csv") else { return };
    let without_ids = |csv: &str| -> Vec<String> {
        csv.lines()
            .map(|line| if line.starts_with("\"001") { line[20..].to_owned() } else { line.to_owned() })
            .collect()
    };
    assert_eq!(without_ids(&text(&ours)), without_ids(&std::fs::read_to_string(path).unwrap()));
}

#[tokio::test]
async fn a_job_runs_from_its_first_batch_to_its_end() {
    let scene = Scene::new().await;
    let settings = BulkSettings { processing_ms: Some(60_000), ..BulkSettings::default() };
    scene.org.set_bulk(&settings).unwrap();
    let job = open(&scene, "insert", "").await;
    let csv = "Name,AnnualRevenue\r\nAsync One,12.5\r\n,1\r\n";
    let batch = add(&scene, &job, csv).await;
    let failing = add(&scene, &job, "Nonsense__c\n1\n").await;
    let early = get(&scene, &format!("{batch}/result")).await;
    assert_eq!(refusal(&early), (400, "InvalidBatch".to_owned(), "Batch not completed".to_owned()));
    assert_eq!(value(&text(&get(&scene, &job).await), "numberBatchesQueued"), "2");

    let closed = change(&scene, &job, "Closed").await;
    assert_eq!((closed.status, value(&text(&closed), "state")), (200, "Closed".to_owned()));
    let late = send(&scene, Method::POST, &format!("{job}/batch"), "text/csv", "Name\nLate\n").await;
    assert_eq!(refusal(&late).1, "InvalidJobState");
    assert_eq!(refusal(&change(&scene, &job, "Closed").await).2, "Closing already Closed Job not allowed");

    scene.org.advance_clock(jiff::SignedDuration::from_secs(60));
    let id = scene.id_of("Account", "Async One").await;
    let missing = "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --";
    assert_eq!(
        text(&get(&scene, &format!("{batch}/result")).await),
        format!(
            "\"Id\",\"Success\",\"Created\",\"Error\"\n\"{id}\",\"true\",\"true\",\"\"\n\"\",\"false\",\"false\",\"{missing}\"\n"
        )
    );
    assert_eq!(text(&get(&scene, &format!("{batch}/request")).await), csv);
    let failed = text(&get(&scene, &failing).await);
    assert_eq!(value(&failed, "state"), "Failed");
    assert_eq!(value(&failed, "stateMessage"), "InvalidBatch : Field name not found : Nonsense__c");
    let info = text(&get(&scene, &job).await);
    let count = |name: &str| value(&info, name);
    assert_eq!((count("numberBatchesCompleted"), count("numberBatchesFailed")), ("1".to_owned(), "1".to_owned()));
    assert_eq!((count("numberRecordsProcessed"), count("numberRecordsFailed")), ("2".to_owned(), "1".to_owned()));
    let list = text(&get(&scene, &format!("{job}/batch")).await);
    assert_eq!((list.matches("<batchInfo>").count(), value(&list, "jobId")), (2, job[1..].to_owned()));
}

#[tokio::test]
async fn records_are_updated_upserted_and_deleted() {
    let scene = Scene::new().await;
    let id = scene.id_of("Account", "Fjordglass Optics").await;
    scene.org.update_record(ADMIN, "Account", &id, &fields(json!({"Ferry_External_Id__c": "V-1"}))).unwrap();
    let rows = [
        ("update", "", format!("Id,Phone\n{id},1\n"), format!("\"{id}\",\"true\",\"false\",\"\"\n")),
        (
            "upsert",
            "<externalIdFieldName>Ferry_External_Id__c</externalIdFieldName>",
            "Ferry_External_Id__c,Website\nv-1,x.example\n".to_owned(),
            format!("\"{id}\",\"true\",\"false\",\"\"\n"),
        ),
    ];
    for (operation, more, csv, line) in rows {
        let job = open(&scene, operation, more).await;
        let batch = add(&scene, &job, &csv).await;
        let result = text(&get(&scene, &format!("{batch}/result")).await);
        assert!(result.ends_with(&line), "{operation}: {result}");
    }
    let record = scene.org.record("Account", &id).unwrap();
    assert_eq!((&record["Phone"], &record["Website"]), (&json!("1"), &json!("x.example")));
    let made = scene.post("sobjects/Account", json!({"Name": "Short-lived"})).await.body["id"].clone();
    let job = open(&scene, "delete", "").await;
    let batch = add(&scene, &job, &format!("Id\n{}\n", made.as_str().unwrap())).await;
    assert!(text(&get(&scene, &format!("{batch}/result")).await).contains("\"true\",\"false\""));
    assert_eq!(scene.get(&format!("sobjects/Account/{}", made.as_str().unwrap())).await.status, 404);
}

#[tokio::test]
async fn an_aborted_job_leaves_its_batches_unprocessed() {
    let scene = Scene::new().await;
    let settings = BulkSettings { processing_ms: Some(60_000), ..BulkSettings::default() };
    scene.org.set_bulk(&settings).unwrap();
    let job = open(&scene, "insert", "").await;
    let batch = add(&scene, &job, "Name\nNever\n").await;
    assert_eq!(value(&text(&change(&scene, &job, "Aborted").await), "state"), "Aborted");
    scene.org.advance_clock(jiff::SignedDuration::from_secs(120));
    assert_eq!(value(&text(&get(&scene, &batch).await), "state"), "NotProcessed");
    assert_eq!(scene.query("SELECT Id FROM Account WHERE Name = 'Never'").await.body["totalSize"], 0);
    assert_eq!(refusal(&change(&scene, &job, "Closed").await).1, "InvalidJobState");
}

#[tokio::test]
async fn a_json_request_gets_a_json_response() {
    let scene = Scene::new().await;
    let body = json!({"operation": "insert", "object": "Account", "contentType": "CSV"}).to_string();
    let job = send(&scene, Method::POST, "", "application/json", body).await;
    assert_eq!((job.status, &job.body["state"], &job.body["apiVersion"]), (201, &json!("Open"), &json!(37.0)));
    assert!(job.body["createdDate"].as_str().unwrap().ends_with(".000+0000"));
    let path = format!("/{}", job.body["id"].as_str().unwrap());
    let closed = send(&scene, Method::POST, &path, "application/json", r#"{"state":"Closed"}"#).await;
    assert_eq!(closed.body["state"], "Closed");
    let again = send(&scene, Method::POST, &path, "application/json", r#"{"state":"Closed"}"#).await;
    assert_eq!((again.status, &again.body["exceptionCode"]), (400, &json!("InvalidJobState")));
}

#[tokio::test]
async fn unsupported_features_are_rejected() {
    let scene = Scene::new().await;
    let bodies = [
        (asked("query", ""), "FeatureNotEnabled"),
        (asked("insert", "<concurrencyMode>Serial</concurrencyMode>"), "FeatureNotEnabled"),
        (job_info("<operation>insert</operation><object>Account</object>"), "FeatureNotEnabled"),
        (asked("insert", "<fastPath>true</fastPath>"), "InvalidJob"),
        (asked("insert", "").replace("Account", "Nonsense__c"), "InvalidJob"),
        (asked("upsert", ""), "InvalidJob"),
        (asked("hardDelete", ""), "FeatureNotEnabled"),
        (asked("nonsense", ""), "InvalidOperation"),
        ("<jobInfo>".to_owned(), "InvalidXML"),
    ];
    for (body, code) in bodies {
        let answer = send(&scene, Method::POST, "", XML, body.clone()).await;
        assert_eq!(refusal(&answer).1, code, "{body}");
    }
    let url = format!("{}/services/async/37.0/job", scene.org.url());
    let chunked = scene.http.post(&url).bearer_auth(scene.token()).header("Sforce-Enable-PKChunking", "true");
    assert_eq!(refusal(&scene.plain(chunked.body(asked("insert", ""))).await).1, "FeatureNotEnabled");
    let job = open(&scene, "insert", "").await;
    let xml = send(&scene, Method::POST, &format!("{job}/batch"), XML, "<sObjects/>").await;
    assert_eq!(refusal(&xml).1, "InvalidBatch");
    assert_eq!(refusal(&get(&scene, &format!("{job}/batch/751000000000000AAA")).await).1, "InvalidBatch");
    assert_eq!(refusal(&get(&scene, &format!("{job}?fields=id")).await).1, "InvalidUrl");
    assert_eq!(refusal(&get(&scene, "/750000000000000AAA").await).1, "InvalidJob");
    assert_eq!(refusal(&send(&scene, Method::DELETE, &job, XML, "").await).1, "InvalidUrl");
    let stranger = scene.http.get(format!("{url}{job}")).header("X-SFDC-Session", "nonsense");
    let invalid = (400, "InvalidSessionId".to_owned(), "Invalid session id".to_owned());
    assert_eq!(refusal(&scene.plain(stranger).await), invalid);
    assert_eq!(refusal(&scene.plain(scene.http.get(format!("{url}{job}"))).await), invalid);
}

#[tokio::test]
async fn a_job_is_visible_to_its_creator_in_its_own_api() {
    let mut scene = Scene::new().await;
    let job = open(&scene, "insert", "").await;
    assert_eq!(scene.get(&format!("jobs/ingest{job}")).await.status, 404);
    assert_eq!(scene.get("jobs/ingest").await.body["records"], Value::Array(Vec::new()));
    scene.log_in(CASEY);
    assert_eq!(refusal(&get(&scene, &job).await).1, "InvalidJob");
}

#[tokio::test]
async fn a_batch_has_at_most_ten_thousand_records() {
    let scene = Scene::new().await;
    let job = open(&scene, "update", "").await;
    let csv = format!("Id\n{}", "x\n".repeat(10_001));
    let added = text(&send(&scene, Method::POST, &format!("{job}/batch"), "text/csv", csv).await);
    assert_eq!(value(&added, "state"), "Failed");
    assert!(value(&added, "stateMessage").starts_with("InvalidBatch : "));
}
