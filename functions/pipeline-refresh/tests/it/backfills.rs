//! Backfills of large objects by Bulk API 2.0.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use jiff::SignedDuration;
use org_simulator::{BulkSettings, Effect};
use pipeline_refresh::backfill::Bulk;
use pipeline_refresh::handle;
use salesforce::{JsonObject, Record};
use serde_json::{Value, json};
use store::{
    BackfillMethod, BackfillProgress, Change, CursorName, Deferrals, Observation, Records, RefreshKind, RefreshTask,
};

use crate::failures::fault;
use crate::fields::hide;
use crate::harness::{ACCOUNT, TestContext, event, run};

/// A context that copies Accounts by Bulk, in pages of 10 rows.
async fn large(context: TestContext, accounts: usize) -> (TestContext, Vec<String>) {
    let mut context = context;
    context.deps.mirrored_objects = vec![ACCOUNT];
    context.deps.bulk = Bulk::new(10, 3).with_page_rows(10);
    let accounts = context.accounts(accounts);
    (context, accounts)
}

/// Begins the backfill and reads its job to the end, which is complete at once. Returns the messages of the first pages.
async fn begin(context: &TestContext) -> (RefreshTask, Vec<RefreshTask>) {
    let (task, delayed) = (context.task(RefreshKind::Backfill), context.delayed().await);
    context.work_on(std::slice::from_ref(&task)).await;
    assert_eq!(context.delayed().await, delayed + 1, "the poll of the job waits in the queue");
    // Delivered again, the task polls the job at once.
    context.work_on(std::slice::from_ref(&task)).await;
    (task, context.take_backfills().await)
}

/// Works on messages until no more come.
async fn drain(context: &TestContext, mut tasks: Vec<RefreshTask>) -> usize {
    let mut invocations = 0;
    while let Some(task) = tasks.pop() {
        assert!(context.work_on(&[task]).await.is_empty());
        tasks.extend(context.take_backfills().await);
        invocations += 1;
    }
    invocations
}

impl TestContext {
    /// Stores that the backfill of Accounts fails.
    async fn record_failure(&self, reason: &str) {
        let (name, now) = (CursorName::backfill(&ACCOUNT), self.deps.clock.now());
        self.deps.cursors.record_failure(self.org, &name, reason, now).await.expect("the cursors");
    }
}

async fn progress(context: &TestContext) -> BackfillProgress {
    context.cursor(&CursorName::backfill(&ACCOUNT)).await.progress.expect("progress")
}

#[test]
fn a_large_object_is_copied_by_bulk_page_after_page() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 95).await;
        let in_org = context.count_in_org("Account") as u64;

        let (_, pages) = begin(&context).await;
        let parts: Vec<_> = pages.iter().map(|task| task.part).collect();
        assert_eq!(parts, [Some(1)]);
        let invocations = drain(&context, pages).await;

        assert_eq!(invocations as u64, in_org.div_ceil(10), "a message for each page");
        context.assert_mirrored(&accounts).await;
        let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert!(cursor.checkpoint.is_none() && cursor.covered_until.is_some());
        let done = cursor.progress.unwrap();
        assert_eq!((done.method, done.total), (BackfillMethod::Bulk, Some(in_org)));
        assert_eq!((done.rows, done.pages), (in_org, in_org.div_ceil(10)));
        assert!(done.completed_at.is_some() && done.bytes > done.rows);
        assert_eq!(context.calls().get("queryAll"), None, "no row is read by REST");
        let rest = context.queued().await;
        assert_eq!((rest.len(), rest[0].kind), (1, RefreshKind::Incremental), "what changed meanwhile is read next");
    });
}

#[test]
fn a_page_costs_few_requests_beside_those_for_its_rows() {
    run(async {
        let (context, _) = large(TestContext::connected_killable().await, 25).await;
        let (_, pages) = begin(&context).await;
        // The execution environment remembers the types of the fields.
        context.work_on(&pages).await;
        let pages = context.take_backfills().await;
        context.take_aws_requests();
        let calls = context.simulator.api_calls();

        context.work_on(&pages).await;

        assert_eq!(context.simulator.api_calls() - calls, 1, "a call to Salesforce for a page");
        let mut requests = context.take_aws_requests();
        let rows = [requests.remove("BatchGetItem"), requests.remove("PutItem")];
        assert_eq!(rows, [Some(1), Some(10)], "a read for 100 rows, and a write for each");
        requests.retain(|name, _| !name.starts_with("GET "));
        let beside: usize = requests.values().sum();
        assert_eq!(beside, 15, "docs/nightly-refresh.md says 15: {requests:?}");
    });
}

/// Answers the first of the writes to a table as DynamoDB answers one that it throttles.
#[derive(Debug)]
struct Throttles(AtomicUsize);

impl Intercept for Throttles {
    fn name(&self) -> &'static str {
        "throttles"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Of a batch of reads, the response names the table.
        let is_write = context.response().headers().get("content-length") == Some("2");
        let left = |left: usize| left.checked_sub(1);
        if is_write && self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok() {
            let code = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
            let response = context.response_mut();
            *response.status_mut() = 400_u16.try_into()?;
            response.headers_mut().remove("x-amz-crc32");
            *response.body_mut() = json!({ "__type": code, "message": "slower" }).to_string().into();
        }
        Ok(())
    }
}

#[test]
fn a_page_that_dynamodb_throttles_is_stored_and_halves_the_pages_at_once() {
    run(async {
        let (mut context, accounts) = large(TestContext::connected().await, 45).await;
        let (_, pages) = begin(&context).await;
        let parallel = async |context: &TestContext| {
            let checkpoint = context.cursor(&CursorName::backfill(&ACCOUNT)).await.checkpoint.unwrap();
            serde_json::from_str::<Value>(&checkpoint).unwrap()["parallel"].clone()
        };
        assert_eq!(parallel(&context).await, 2);
        let unthrottled = context.deps.records.clone();
        let config = context.dynamodb().config().to_builder();
        let config = config.retry_config(RetryConfig::disabled()).interceptor(Throttles(AtomicUsize::new(4)));
        let records = Records::new(Client::from_conf(config.build()), context.table("records"));
        context.deps.records = records.with_clock(context.clock.clone());

        context.work_on(&pages).await;
        assert_eq!(parallel(&context).await, 1);
        assert_eq!(progress(&context).await.rows, 10);

        context.deps.records = unthrottled;
        let next = context.take_backfills().await;
        context.work_on(&next).await;
        assert_eq!(parallel(&context).await, 2, "one more after a page without a throttle");
        drain(&context, context.take_backfills().await).await;
        context.assert_mirrored(&accounts).await;
    });
}

#[test]
fn several_pages_are_read_at_the_same_time() {
    run(async {
        let (context, accounts) = large(TestContext::connected_killable().await, 45).await;
        let (_, pages) = begin(&context).await;
        // A worker that is killed while it stores its rows has sent the page after it.
        let mut passes = 0;
        let next = loop {
            let deadline = context.deps.clock.now() + SignedDuration::from_mins(15);
            assert!(!context.killed_at(passes, handle(&context.deps, event(&pages), deadline)).await, "was not sent");
            let sent = context.take_backfills().await;
            if !sent.is_empty() {
                break sent;
            }
            context.pass(SignedDuration::from_mins(61));
            passes += 1;
        };
        assert_eq!(next[0].part, Some(2), "{next:?}");
        drain(&context, next).await;
        assert_eq!(context.cursor(&CursorName::backfill(&ACCOUNT)).await.covered_until, None, "page 1 is not done");

        context.pass(SignedDuration::from_mins(90));
        drain(&context, pages).await;
        context.assert_mirrored(&accounts).await;
        assert!(context.cursor(&CursorName::backfill(&ACCOUNT)).await.covered_until.is_some());
    });
}

#[test]
fn a_bulk_backfill_killed_at_every_point_loses_no_row() {
    run(async {
        let (context, accounts) = large(TestContext::connected_killable().await, 35).await;
        let task = context.task(RefreshKind::Backfill);
        let (mut waiting, mut kills) = (vec![task.clone()], 0);
        for passes in (0..300).map(|n: usize| n * 7 % 37) {
            let message = waiting.first().cloned().unwrap_or_else(|| task.clone());
            let deadline = context.deps.clock.now() + SignedDuration::from_mins(15);
            let work = handle(&context.deps, event(std::slice::from_ref(&message)), deadline);
            if context.killed_at(passes, work).await {
                waiting.retain(|waits| *waits != message);
            } else {
                kills += 1;
                context.pass(SignedDuration::from_mins(80));
            }
            waiting.extend(context.take_backfills().await);
            let cursor = context.deps.cursors.load(context.org, &CursorName::backfill(&ACCOUNT)).await.unwrap();
            if cursor.is_some_and(|cursor| cursor.covered_until.is_some()) {
                break;
            }
        }
        assert!(kills > 5, "killed {kills} times");
        context.assert_mirrored(&accounts).await;
    });
}

#[test]
fn a_backfill_overwrites_no_newer_row() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 12).await;
        let (_, pages) = begin(&context).await;
        // The job has its rows. One is changed after that, and of another a formula, without a new SystemModstamp.
        context.pass(SignedDuration::from_secs(5));
        let before = context.simulator.record("Account", &accounts[1]).unwrap();
        context.rename(&accounts[0], "Newer");
        let changed = context.simulator.record("Account", &accounts[0]).unwrap();
        let mut formula = before.clone();
        formula.insert("Name".to_owned(), json!("Formula"));
        let now = context.deps.clock.now();
        let read = [changed, formula].map(|fields| Change::Upsert { record: record(fields), read_at: now });
        for stored in context.deps.records.apply_all(context.org, &ACCOUNT, read.into()).await {
            stored.unwrap();
        }

        context.pass(SignedDuration::from_secs(5));
        drain(&context, pages).await;

        let mut names = Vec::new();
        for id in &accounts[..3] {
            let row = context.deps.records.load(context.org, &ACCOUNT, id.parse().unwrap()).await.unwrap().unwrap();
            names.push(row.fields["Name"].as_str().unwrap_or_default().to_owned());
        }
        assert_eq!(names, ["Newer", "Formula", "Account 2"]);
    });
}

fn record(fields: JsonObject) -> Record {
    Record { object: ACCOUNT, id: fields["Id"].as_str().unwrap().parse().unwrap(), fields }
}

#[test]
fn other_tasks_do_not_multiply_the_polls_of_a_job() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        let processing_ms = Some(40 * 60 * 1_000);
        context.simulator.set_bulk(&BulkSettings { processing_ms, ..BulkSettings::default() }).unwrap();
        let backfill = context.task(RefreshKind::Backfill);
        context.work_on(std::slice::from_ref(&backfill)).await;
        context.record_failure("salesforce_unavailable").await;

        context.pass(SignedDuration::from_mins(5));
        let rest = context.task(RefreshKind::Incremental).for_object(ACCOUNT);
        context.work_on(&[context.task(RefreshKind::Nightly), rest.clone(), rest]).await;
        assert_eq!(context.delayed().await, 1, "the message of the poll");

        context.work_on(std::slice::from_ref(&backfill)).await;
        assert_eq!(context.delayed().await, 2, "the message of the next poll");
        let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert_eq!(cursor.failure, None, "an answer of Salesforce ends the failure");

        context.pass(SignedDuration::from_mins(60));
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;
        drain(&context, context.take_backfills().await).await;
        context.assert_mirrored(&accounts).await;
    });
}

#[test]
fn a_failed_job_is_begun_again() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        let fail_next = Some("InternalServerError : try again".to_owned());
        context.simulator.set_bulk(&BulkSettings { fail_next, ..BulkSettings::default() }).unwrap();

        let (task, pages) = begin(&context).await;
        assert!(pages.is_empty(), "the job has failed");
        context.work_on(&[task]).await;
        drain(&context, context.take_backfills().await).await;

        context.assert_mirrored(&accounts).await;
        assert_eq!(context.calls()["jobs/query"], 2);
    });
}

/// Copies accounts by a job that `lose` loses after its first page, and checks that another job copies all of them.
async fn assert_begun_again(lose: impl FnOnce(&TestContext)) {
    let (context, accounts) = large(TestContext::connected().await, 25).await;
    let (task, pages) = begin(&context).await;
    context.work_on(&pages).await;
    let next = context.take_backfills().await;
    lose(&context);

    context.work_on(&next).await;
    context.simulator.clear_faults();
    context.work_on(&[task]).await;
    drain(&context, context.take_backfills().await).await;

    context.assert_mirrored(&accounts).await;
    assert_eq!(context.calls()["jobs/query"], 2);
    assert_eq!(progress(&context).await.rows, context.count_in_org("Account") as u64, "counted anew");
    assert!(context.dead_letters().await.is_empty());
}

#[test]
fn a_job_that_is_gone_is_begun_again() {
    run(assert_begun_again(|context| {
        let gone = Effect::Error { status: 404, code: "NOT_FOUND".to_owned(), message: "no".to_owned() };
        context.simulator.fault(fault("jobs/query/", 3, gone));
    }));
}

/// As when the org's other work needs its calls for longer than Salesforce keeps the rows.
#[test]
fn a_job_whose_rows_salesforce_has_deleted_is_begun_again() {
    run(assert_begun_again(|context| context.pass(SignedDuration::from_hours(8 * 24))));
}

#[test]
fn a_job_whose_locator_is_unknown_is_begun_again() {
    run(assert_begun_again(|context| {
        let message = "invalid query locator".to_owned();
        let unknown = Effect::Error { status: 400, code: "INVALID_QUERY_LOCATOR".to_owned(), message };
        context.simulator.fault(fault("jobs/query/", 1, unknown));
    }));
}

#[test]
fn a_job_with_a_field_that_is_hidden_meanwhile_is_begun_again() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        let (task, pages) = begin(&context).await;
        hide(&context, &["Phone"]);

        context.work_on(&pages).await;
        context.work_on(&[task]).await;
        drain(&context, context.take_backfills().await).await;

        context.assert_mirrored(&accounts).await;
        assert_eq!(context.calls()["jobs/query"], 2);
    });
}

#[test]
fn a_number_that_becomes_visible_between_two_backfills_is_no_text() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        let score = json!({ "name": "Account", "fields": [{ "name": "Score__c", "type": "double" }] });
        context.simulator.define_object(score).unwrap();
        context.update("Account", &accounts[0], &json!({ "Score__c": 7.5 }));
        hide(&context, &["Score__c"]);
        let (_, pages) = begin(&context).await;
        drain(&context, pages).await;

        // The execution environment remembers types for an hour.
        context.pass(SignedDuration::from_mins(30));
        hide(&context, &[]);
        let (_, pages) = begin(&context).await;
        drain(&context, pages).await;

        let row =
            context.deps.records.load(context.org, &ACCOUNT, accounts[0].parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(row.fields["Score__c"], json!(7.5));
    });
}

#[test]
fn a_backfill_that_reads_new_fields_is_not_begun_again() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        context.update("Account", &accounts[0], &json!({ "Phone": "555-0100" }));
        hide(&context, &["Phone"]);
        let (_, pages) = begin(&context).await;
        drain(&context, pages).await;
        context.queued().await;
        context.pass(SignedDuration::from_hours(2));
        hide(&context, &[]);

        context.work_on(&[context.task(RefreshKind::Backfill)]).await;

        let seen = context.deps.cursors.seen_fields(context.org, &ACCOUNT).await.unwrap().unwrap();
        assert_eq!(seen.last_change.unwrap().added, ["Phone".parse().unwrap()]);
        assert!(context.take_backfills().await.is_empty(), "its own job reads the field");
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;
        drain(&context, context.take_backfills().await).await;
        let row =
            context.deps.records.load(context.org, &ACCOUNT, accounts[0].parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((&row.fields["Phone"], context.calls()["jobs/query"]), (&json!("555-0100"), 2));
    });
}

#[test]
fn a_night_goes_on_with_a_backfill_whose_messages_are_lost() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 35).await;
        for id in &accounts {
            context.update("Account", id, &json!({ "Phone": "555-0100" }));
        }
        hide(&context, &["Phone"]);
        context.pass(SignedDuration::from_hours(1));
        let (first, pages) = begin(&context).await;
        drain(&context, pages).await;
        context.pass(SignedDuration::from_hours(2));
        hide(&context, &[]);
        let (second, pages) = begin(&context).await;
        // The polls are delayed: they are lost whenever they come.
        let is_poll = |task: &RefreshTask| {
            let began = [&first, &second].map(|began| began.requested_at.as_millisecond());
            task.part.is_none() && began.contains(&task.requested_at.as_millisecond())
        };
        let queued = async || {
            let mut tasks = context.queued().await;
            tasks.retain(|task| !is_poll(task));
            tasks
        };
        context.work_on(&pages).await;
        assert!(!queued().await.is_empty(), "the next page, which is lost");
        context.pass(SignedDuration::from_hours(20));

        context.work_on(&[context.task(RefreshKind::Nightly)]).await;
        let follower = queued().await;
        let [backfill] = &follower[..] else { panic!("{follower:?}") };
        assert_eq!((backfill.kind, &backfill.object), (RefreshKind::Backfill, &Some(ACCOUNT)));
        context.work_on(&follower).await;
        let pages = queued().await;
        assert!(!pages.is_empty());
        context.work_on(&[context.task(RefreshKind::Nightly), backfill.clone()]).await;
        let more = queued().await;
        assert!(more.is_empty(), "another task would read the pages twice: {more:?}");
        drain(&context, pages).await;

        assert_eq!(context.calls()["jobs/query"], 2, "its job goes on");
        let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert!(cursor.checkpoint.is_none());
        for id in &accounts {
            let row = context.deps.records.load(context.org, &ACCOUNT, id.parse().unwrap()).await.unwrap().unwrap();
            assert_eq!(row.fields["Phone"], "555-0100");
        }
    });
}

#[test]
fn a_filter_is_part_of_the_first_job_and_of_no_later_one() {
    run(async {
        let (mut context, _) = large(TestContext::connected().await, 15).await;
        let create = |name: String, industry: &str| {
            context.create(&context.admin, "Account", &json!({ "Name": name, "Industry": industry }))
        };
        let wanted: Vec<String> = (0..12).map(|n| create(format!("Energy {n:02}"), "Energy")).collect();
        create("Retail".to_owned(), "Retail");
        context.set_now(json!({ "objects": ["Account"], "filters": { "Account": "Industry = 'Energy'" } })).await;
        let (_, pages) = begin(&context).await;
        drain(&context, pages).await;

        assert_eq!(context.names().await.len(), wanted.len());
        let done = progress(&context).await;
        assert_eq!((done.total, done.rows), (Some(12), 12), "Salesforce returns no other rows");
        assert_eq!(context.calls().get("composite/batch"), None, "no row is asked about again");

        context.queued().await;
        context.pass(SignedDuration::from_mins(5));
        context.set_now(json!({ "objects": ["Account"], "filters": { "Account": "Industry = 'Retail'" } })).await;
        let (_, pages) = begin(&context).await;
        drain(&context, pages).await;

        assert_eq!(context.names().await, ["Retail"]);
        assert_eq!(context.count(&ACCOUNT).await.deleted, 12, "what the filter excludes by now is a tombstone");
    });
}

#[test]
fn jobs_that_fail_again_and_again_become_a_dead_letter() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        for _ in 0..3 {
            let fail_next = Some("INVALID_FIELD: no".to_owned());
            context.simulator.set_bulk(&BulkSettings { fail_next, ..BulkSettings::default() }).unwrap();
        }
        let task = context.task(RefreshKind::Backfill);
        for _ in 0..4 {
            context.work_on(std::slice::from_ref(&task)).await;
        }
        assert_eq!(context.calls()["jobs/query"], 3);
        let refused = task.with_deferrals(Deferrals { count: 3, refusals: 3, ..Deferrals::default() });
        context.work_on(&[refused.for_object(ACCOUNT)]).await;
        assert_eq!(context.dead_letters().await.len(), 1);
        let failed = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert!(failed.failure.is_some() && failed.covered_until.is_none());

        // The next night begins anew.
        context.pass(SignedDuration::from_hours(20));
        let night = context.task(RefreshKind::Nightly);
        context.work_on(&[night.clone(), night]).await;
        drain(&context, context.take_backfills().await).await;
        context.assert_mirrored(&accounts).await;
    });
}

#[test]
fn an_object_that_bulk_does_not_support_is_copied_by_rest() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        let message = "Entity 'Account' is not supported by the Bulk API.".to_owned();
        let refused = Effect::Error { status: 400, code: "INVALIDENTITY".to_owned(), message };
        context.simulator.fault(fault("jobs/query", 1, refused));

        context.work_on(&[context.task(RefreshKind::Backfill)]).await;

        context.assert_mirrored(&accounts).await;
        assert_eq!(progress(&context).await.method, BackfillMethod::Rest);
    });
}

#[test]
fn a_small_object_is_copied_by_rest_and_counted() {
    run(async {
        let (mut context, accounts) = large(TestContext::connected().await, 15).await;
        let in_org = context.count_in_org("Account") as u64;
        context.deps.bulk = Bulk::new(in_org + 1, 3);

        context.work_on(&[context.task(RefreshKind::Backfill)]).await;

        context.assert_mirrored(&accounts).await;
        let done = progress(&context).await;
        assert_eq!((done.method, done.total, done.rows), (BackfillMethod::Rest, Some(in_org), in_org));
        assert!(done.completed_at.is_some());
        assert_eq!(context.calls().get("jobs/query"), None);
    });
}

#[test]
fn a_page_waits_while_the_budget_is_for_others() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        let (_, pages) = begin(&context).await;
        let (used, now) = (context.simulator.api_calls(), context.deps.clock.now());
        let over = Observation { used: 90_000, max: 100_000, lane: store::Lane::Backfill, calls: 0 };
        context.deps.budgets.observe(context.org, over, now).await.unwrap();

        context.work_on(&pages).await;

        assert_eq!(context.simulator.api_calls(), used, "no call is made");
        assert_eq!((context.delayed().await, context.take_backfills().await.len()), (2, 0), "a poll and the page wait");
        let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert_eq!(cursor.failure.as_deref(), Some("over_budget"));

        context.pass(SignedDuration::from_hours(1));
        drain(&context, pages).await;
        context.assert_mirrored(&accounts).await;
    });
}

#[test]
fn a_backfill_since_a_time_reads_only_later_changes() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 15).await;
        let (_, pages) = begin(&context).await;
        drain(&context, pages).await;
        context.queued().await;
        context.pass(SignedDuration::from_hours(3));
        context.rename(&accounts[0], "Renamed");
        let since = Some(context.deps.clock.now() - SignedDuration::from_hours(4));
        let task = RefreshTask { since, ..context.task(RefreshKind::Backfill) };
        context.work_on(&[task.clone(), task]).await;
        drain(&context, context.take_backfills().await).await;
        context.assert_mirrored(&accounts).await;
        assert!(progress(&context).await.rows >= 15, "all were created later");

        let since = Some(context.deps.clock.now() - SignedDuration::from_mins(1));
        context.pass(SignedDuration::from_hours(1));
        context.rename(&accounts[1], "Renamed");
        context.work_on(&[RefreshTask { since, ..context.task(RefreshKind::Backfill) }]).await;
        context.assert_mirrored(&accounts).await;
        let done = progress(&context).await;
        assert_eq!((done.method, done.since, done.total), (BackfillMethod::Rest, since, Some(2)));
    });
}
