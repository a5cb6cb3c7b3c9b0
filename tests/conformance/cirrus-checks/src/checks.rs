//! The checks: calls of the client, and the expected results.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cirrus::auth::{StaticTokenAuth, WebServerFlow};
use cirrus::reqwest::{Client, redirect};
use cirrus::{
    BulkIngestJob, BulkIngestSpec, BulkJobListOptions, BulkJobState, BulkOperation, BulkQuerySpec, Cirrus, CirrusError,
};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

const ADMIN: &str = "admin@larkspur.example";
const CASEY: &str = "casey@larkspur.example";
const REDIRECT: &str = "http://localhost:8580/oauth/callback";
const ROWS: usize = 20_000;

/// An org and a client with a session in it.
struct TestContext {
    url: String,
    http: Client,
    sf: Cirrus,
}

fn equal<T: PartialEq + Debug>(found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}").into()) }
}

/// Checks that the call was refused with this status and code.
fn refused<T: Debug>(call: Result<T, CirrusError>, status: u16, code: &str) -> Outcome {
    match call {
        Err(CirrusError::Api { status: found, errors, .. }) => {
            let first = errors.first().map(|error| error.error_code.as_str());
            equal((found, first), (status, Some(code)))
        }
        other => Err(format!("{other:?} instead of {code}").into()),
    }
}

async fn admin(http: &Client, url: &str, path: &str, body: Value) -> Result<Value, Failure> {
    let response = http.post(format!("{url}/_simulator/{path}")).json(&body).send().await?;
    Ok(response.error_for_status()?.json().await?)
}

async fn report(name: &str, check: impl Future<Output = Outcome>) {
    match check.await {
        Ok(()) => println!("passed  cirrus: {name}"),
        Err(error) => println!("FAILED  cirrus: {name}: {}", error.to_string().replace('\n', " ")),
    }
}

/// Runs every check.
pub async fn all() -> Outcome {
    let url = std::env::var("ORG_URL")?;
    let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build()?;
    let key = json!({"name": "Key__c", "type": "string", "length": 40, "external_id": true, "unique": true});
    admin(&http, &url, "objects", json!({"name": "Account", "fields": [key]})).await?;
    let session = admin(&http, &url, "sessions", json!({"username": ADMIN})).await?;
    let token = session["access_token"].as_str().unwrap_or_default();
    let sf =
        Cirrus::builder().auth(Arc::new(StaticTokenAuth::new(token, url.as_str()))).api_version("v66.0").build()?;
    let context = TestContext { url, http, sf };
    report("the web server flow with PKCE, and refresh", context.web_server_flow()).await;
    report("a record is created, read, changed and deleted", context.crud()).await;
    report("an upsert creates, then updates", context.upsert()).await;
    report("collections have an outcome for each record", context.collections()).await;
    report("a composite request refers to created records", context.composite()).await;
    report("twenty thousand rows are upserted in bulk", context.bulk_upsert()).await;
    report("twenty thousand rows are queried in bulk, page by page", context.bulk_query()).await;
    report("one request brings job and data, and rows fail one by one", context.bulk_inline()).await;
    report("a bulk job is aborted, listed and deleted", context.bulk_abort()).await;
    report("five thousand rows are read page by page", context.paging()).await;
    report("describe, limits and versions return the org's data", context.describe()).await;
    report("refusals have Salesforce's codes", context.refusals()).await;
    Ok(())
}

impl TestContext {
    async fn web_server_flow(&self) -> Outcome {
        let app = json!({"name": "Conformance", "client_id": "conformance.cirrus", "client_secret": "not-a-secret", "redirect_uri": REDIRECT});
        admin(&self.http, &self.url, "apps", app).await?;
        let flow = WebServerFlow::builder()
            .consumer_key("conformance.cirrus")
            .consumer_secret("not-a-secret")
            .redirect_uri(REDIRECT)
            .login_url(self.url.as_str())
            .scopes(["api", "refresh_token"])
            .build()?;
        let (page, pending) = flow.start()?;
        let response = self.http.get(page).header("x-simulator-user", CASEY).send().await?;
        let back = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
        let back = cirrus::reqwest::Url::parse(&back)?;
        let parameter = |wanted: &str| {
            back.query_pairs()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
                .ok_or(back.to_string())
        };
        let session = flow.complete(pending, &parameter("code")?, &parameter("state")?).await?;
        let auth = flow.refresh_auth(&session)?.build()?;
        let sf = Cirrus::builder().auth(Arc::new(auth)).api_version("v66.0").build()?;
        let count = async || Ok::<_, CirrusError>(sf.query("SELECT COUNT() FROM Account").await?.total_size);
        equal(count().await?, 5)?;
        // The session has expired: the client has to refresh its token.
        admin(&self.http, &self.url, &format!("users/{CASEY}/expire-sessions"), json!({})).await?;
        equal(count().await?, 5)?;
        let stale = Arc::new(StaticTokenAuth::new(session.access_token.as_str(), self.url.as_str()));
        let stale = Cirrus::builder().auth(stale).api_version("v66.0").build()?;
        refused(stale.query("SELECT COUNT() FROM Account").await, 401, "INVALID_SESSION_ID")
    }

    async fn crud(&self) -> Outcome {
        let accounts = self.sf.sobject("Account");
        let made = accounts.create(&json!({"Name": "Conformance", "AnnualRevenue": 12.5})).await?;
        equal((made.success, made.id.len(), made.errors.len()), (true, 18, 0))?;
        let read = accounts.retrieve(&made.id).await?;
        equal((&read["Name"], &read["AnnualRevenue"]), (&json!("Conformance"), &json!(12.5)))?;
        accounts.update(&made.id, &json!({"Phone": "1"})).await?;
        let read = accounts.retrieve_with_fields(&made.id, &["Phone"]).await?;
        equal((&read["Phone"], &read["Name"]), (&json!("1"), &Value::Null))?;
        accounts.delete(&made.id).await?;
        refused(accounts.retrieve(&made.id).await, 404, "ENTITY_IS_DELETED")
    }

    async fn upsert(&self) -> Outcome {
        let accounts = self.sf.sobject("Account");
        let first = accounts.upsert("Key__c", "R/1", &json!({"Name": "First"})).await?;
        let second = accounts.upsert("Key__c", "r/1", &json!({"Name": "Second"})).await?;
        equal((first.created, second.created, &second.id), (Some(true), Some(false), &first.id))?;
        let read = accounts.retrieve_by_external_id("Key__c", "R/1").await?;
        equal((&read["Name"], &read["Key__c"]), (&json!("Second"), &json!("R/1")))
    }

    async fn collections(&self) -> Outcome {
        let sobjects = self.sf.composite().sobjects();
        let leads = [json!({"LastName": "One", "Company": "Collection"}), json!({"Company": "Collection"})];
        let outcome = sobjects.create_records("Lead", &leads, false).await?;
        equal(outcome.iter().map(|one| one.success).collect::<Vec<_>>(), vec![true, false])?;
        let error = outcome[1].errors.first().ok_or("no error")?;
        equal((error.status_code.as_str(), &error.fields), ("REQUIRED_FIELD_MISSING", &vec!["LastName".to_owned()]))?;
        let halted = sobjects.create_records("Lead", &leads, true).await?;
        let code = halted[0].errors.first().map(|error| error.status_code.as_str());
        equal(code, Some("ALL_OR_NONE_OPERATION_ROLLED_BACK"))?;
        let accounts = [json!({"Key__c": "R/1", "Name": "Third"}), json!({"Key__c": "R-2", "Name": "New"})];
        let upserted = sobjects.upsert_records("Account", "Key__c", &accounts, true).await?;
        equal(upserted.iter().map(|one| one.created).collect::<Vec<_>>(), vec![Some(false), Some(true)])?;
        let id = outcome[0].id.clone().ok_or("no id")?;
        equal(sobjects.delete(&[id], true).await?.iter().all(|one| one.success), true)
    }

    async fn composite(&self) -> Outcome {
        let base = "/services/data/v66.0/sobjects";
        let body = json!({"allOrNone": true, "compositeRequest": [
            {"method": "POST", "url": format!("{base}/Account"), "referenceId": "account", "body": {"Name": "Composite"}},
            {"method": "GET", "url": format!("{base}/Account/@{{account.id}}?fields=Name"), "referenceId": "read"},
        ]});
        let parts = self.sf.composite().execute(&body).await?.composite_response;
        equal(parts.iter().map(|part| part.http_status_code).collect::<Vec<_>>(), vec![201, 200])?;
        equal(&parts[1].body["Name"], &json!("Composite"))
    }

    /// Polls until the job has ended.
    async fn ended(&self, id: &str) -> Result<BulkIngestJob, Failure> {
        for _ in 0..600 {
            let job = self.sf.bulk().ingest().get(id).await?;
            match job.state {
                BulkJobState::UploadComplete | BulkJobState::InProgress => {
                    tokio::time::sleep(Duration::from_millis(100)).await
                }
                _ => return Ok(job),
            }
        }
        Err("the job did not end".into())
    }

    async fn bulk_upsert(&self) -> Outcome {
        admin(&self.http, &self.url, "settings", json!({"bulk": {"processing_ms": 1_000}})).await?;
        let ingest = self.sf.bulk().ingest();
        let spec = BulkIngestSpec::new("Account", BulkOperation::Upsert).external_id_field_name("Key__c");
        let job = ingest.create(&spec).await?;
        equal(job.state, BulkJobState::Open)?;
        let rows: String = (0..ROWS).map(|n| format!("B-{n},Bulk {n},{n}\n")).collect();
        ingest.upload(&job.id, format!("Key__c,Name,AnnualRevenue\n{rows}").into()).await?;
        equal(ingest.close(&job.id).await?.state, BulkJobState::UploadComplete)?;
        let job = self.ended(&job.id).await?;
        let rows = i64::try_from(ROWS)?;
        equal(
            (job.state, job.number_records_processed, job.number_records_failed),
            (BulkJobState::JobComplete, Some(rows), Some(0)),
        )?;
        let done = String::from_utf8(ingest.successful_results(&job.id).await?.to_vec())?;
        equal(done.lines().count(), ROWS + 1)?;
        equal(done.lines().next(), Some("\"sf__Id\",\"sf__Created\",Key__c,Name,AnnualRevenue"))?;
        admin(&self.http, &self.url, "settings", json!({"bulk": {"processing_ms": 0, "page_records": 3_000}})).await?;
        equal(self.sf.query("SELECT COUNT() FROM Account WHERE Key__c LIKE 'B-%'").await?.total_size, rows)
    }

    async fn bulk_query(&self) -> Outcome {
        let query = self.sf.bulk().query();
        let spec = BulkQuerySpec::new("SELECT Id, Key__c FROM Account WHERE Key__c LIKE 'B-%'", BulkOperation::Query);
        let id = query.create(&spec).await?.id;
        equal(query.get(&id).await?.state, BulkJobState::JobComplete)?;
        let (mut locator, mut pages, mut rows) = (None::<String>, 0, BTreeSet::new());
        loop {
            let page = query.results(&id, locator.as_deref(), None).await?;
            let text = String::from_utf8(page.csv.to_vec())?;
            equal(page.number_of_records, Some(i64::try_from(text.lines().count() - 1)?))?;
            rows.extend(text.lines().skip(1).map(str::to_owned));
            pages += 1;
            match page.locator {
                Some(next) => locator = Some(next),
                None => break,
            }
        }
        equal((pages, rows.len()), (7, ROWS))?;
        let first = query.result_pages(&id, None).await?;
        let rest = query.result_pages(&id, first.next_locator().as_deref()).await?;
        equal((first.result_pages.len(), first.done, rest.result_pages.len(), rest.done), (5, false, 2, true))?;
        let mut side_by_side = BTreeSet::new();
        for page in first.result_pages.iter().chain(&rest.result_pages) {
            let page = query.results(&id, page.locator().as_deref(), None).await?;
            side_by_side.extend(String::from_utf8(page.csv.to_vec())?.lines().skip(1).map(str::to_owned));
        }
        equal(side_by_side == rows, true)?;
        query.delete(&id).await?;
        refused(query.get(&id).await, 404, "NOT_FOUND")
    }

    async fn bulk_inline(&self) -> Outcome {
        let ingest = self.sf.bulk().ingest();
        let spec = BulkIngestSpec::new("Account", BulkOperation::Insert);
        let job = ingest.create_with_data(&spec, "Name,Key__c\nInline,R-9\n,R-8\n".into()).await?;
        let job = self.ended(&job.id).await?;
        equal(
            (job.state, job.number_records_processed, job.number_records_failed),
            (BulkJobState::JobComplete, Some(2), Some(1)),
        )?;
        let failed = String::from_utf8(ingest.failed_results(&job.id).await?.to_vec())?;
        let row = "\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\",,R-8";
        equal(failed.lines().nth(1), Some(row))?;
        let rest = String::from_utf8(ingest.unprocessed_records(&job.id).await?.to_vec())?;
        equal(rest.trim_end(), "Name,Key__c")
    }

    async fn bulk_abort(&self) -> Outcome {
        let ingest = self.sf.bulk().ingest();
        let id = ingest.create(&BulkIngestSpec::new("Lead", BulkOperation::Insert)).await?.id;
        equal(ingest.abort(&id).await?.state, BulkJobState::Aborted)?;
        let list = ingest.list(&BulkJobListOptions::new()).await?;
        equal((list.done, list.records.iter().any(|job| job.id == id)), (true, true))?;
        refused(ingest.abort(&id).await, 400, "INVALIDJOBSTATE")?;
        ingest.delete(&id).await?;
        refused(ingest.get(&id).await, 404, "NOT_FOUND")?;
        refused(ingest.create(&BulkIngestSpec::new("Nope", BulkOperation::Insert)).await, 400, "INVALIDJOB")
    }

    async fn paging(&self) -> Outcome {
        let soql = "SELECT Id FROM Account WHERE Name LIKE 'Bulk %' LIMIT 5001";
        let first = self.sf.query(soql).await?;
        equal((first.total_size, first.done, first.records.len()), (5_001, false, 2_000))?;
        let rows: Vec<Value> = self.sf.query_stream(soql).try_collect().await?;
        let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["Id"].as_str()).collect();
        equal(ids.len(), 5_001)
    }

    async fn describe(&self) -> Outcome {
        let account = self.sf.sobject("Account").describe().await?;
        let fields = account["fields"].as_array().ok_or("no fields")?;
        let key = fields.iter().find(|field| field["name"] == "Key__c").ok_or("no key")?;
        equal((&key["externalId"], &account["keyPrefix"]), (&json!(true), &json!("001")))?;
        let all = self.sf.sobjects().describe_global().await?;
        equal(all.sobjects.iter().any(|object| object.name == "Opportunity"), true)?;
        let limits = self.sf.limits().await?;
        let daily = limits.get("DailyApiRequests").ok_or("no limit of calls")?;
        let header = self.sf.last_limit_info().ok_or("no Sforce-Limit-Info")?;
        equal((i64::from(header.allowed), i64::from(header.used)), (daily.max, daily.max - daily.remaining))?;
        equal(self.sf.versions().await?.iter().any(|known| known.version == "66.0"), true)
    }

    async fn refusals(&self) -> Outcome {
        let accounts = self.sf.sobject("Account");
        refused(accounts.create(&json!({"Name": "x", "Nope": 1})).await, 400, "INVALID_FIELD")?;
        refused(accounts.create(&json!({"Phone": "1"})).await, 400, "REQUIRED_FIELD_MISSING")?;
        refused(accounts.create(&json!({"Name": "x", "Key__c": "R-2"})).await, 400, "DUPLICATE_VALUE")?;
        refused(self.sf.query("SELECT FROM Account").await, 400, "MALFORMED_QUERY")?;
        refused(self.sf.query("SELECT Id FROM Nope").await, 400, "INVALID_TYPE")?;
        refused(self.sf.get::<Value>("nowhere").await, 404, "NOT_FOUND")?;
        let auth = Arc::new(StaticTokenAuth::new("not a session", self.url.as_str()));
        let stranger = Cirrus::builder().auth(auth).api_version("v66.0").build()?;
        refused(stranger.query("SELECT Id FROM Account").await, 401, "INVALID_SESSION_ID")
    }
}
