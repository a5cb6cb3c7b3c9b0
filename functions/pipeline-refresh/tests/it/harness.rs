//! The function's test context: a simulated org with seed data and an empty mirror.

use std::ops::Deref;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mirroring::FieldCache;
use pipeline_refresh::backfill::Bulk;
use pipeline_refresh::{Deps, Event, NightlyAudit, Queues, Reply, handle};
use salesforce::ObjectName;
use serde_json::{Value, json};
use store::records::RecordCount;
use store::{
    Audits, Budgets, Cursor, CursorName, Cursors, OrgSettingsTable, Pipelines, Queue, Records, RefreshKind,
    RefreshTask, SettingsCache, WriteTask, Writes,
};

pub(crate) use harness::{DISCONNECTED, run};

pub(crate) const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const QUEUE: &str = "PipelineRefreshQueue";
const BACKFILLS: &str = "BackfillQueue";
const FREQUENT: &str = "FrequentRefreshQueue";
const DEAD_LETTERS: &str = "PipelineRefreshDeadLetters";
const RECORD_WRITES: &str = "RecordWriteQueue";
const NOTE_WRITES: &str = "NoteWriteQueue";
const FILE_WRITES: &str = "FileWriteQueue";

/// The test context of this function.
pub(crate) struct TestContext {
    context: harness::TestContext,
    pub(crate) deps: Deps,
}

impl Deref for TestContext {
    type Target = harness::TestContext;

    fn deref(&self) -> &harness::TestContext {
        &self.context
    }
}

impl TestContext {
    /// Returns a context whose org is unknown to Ferry.
    pub(crate) async fn new() -> Self {
        Self::from(harness::TestContext::new().await)
    }

    /// Returns the same for [`harness::TestContext::killed_at`].
    pub(crate) async fn killable() -> Self {
        Self::from(harness::TestContext::new_killable().await)
    }

    /// Returns a context of an active org whose clocks only the test advances.
    pub(crate) async fn connected() -> Self {
        Self::from(harness::TestContext::connected().await)
    }

    /// Returns the same for [`harness::TestContext::killed_at`].
    pub(crate) async fn connected_killable() -> Self {
        Self::from(harness::TestContext::connected_killable().await)
    }

    fn from(context: harness::TestContext) -> Self {
        let queue = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
        let writes = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
        let deps = Deps {
            salesforce: context.salesforce.clone(),
            orgs: context.orgs.clone(),
            connections: context.connections.clone(),
            cursors: Cursors::new(context.dynamodb(), context.table("cursors")),
            records: Records::new(context.dynamodb(), context.table("records")).with_clock(context.clock.clone()),
            pipelines: Pipelines::new(context.dynamodb(), context.table("pipelines")),
            budgets: Budgets::new(context.dynamodb(), context.table("budgets")),
            freshness: store::Freshness::new(context.dynamodb(), context.table("freshness")),
            objectives: store::Objectives::default(),
            settings: SettingsCache::new(OrgSettingsTable::new(context.dynamodb(), context.table("org_settings"))),
            writes: Writes::new(context.dynamodb(), context.table("writes")),
            audits: Audits::new(context.dynamodb(), context.table("audits")),
            queues: Queues {
                refreshes: queue(QUEUE),
                backfills: queue(BACKFILLS),
                frequent: queue(FREQUENT),
                dead_letters: queue(DEAD_LETTERS),
                record_writes: writes(RECORD_WRITES),
                note_writes: writes(NOTE_WRITES),
                file_writes: writes(FILE_WRITES),
            },
            refresh_window: Duration::ZERO,
            nightly_audit: NightlyAudit::Off,
            computed_fields: mirroring::ComputedFields::default(),
            bulk: Bulk::new(20_000, 3),
            mirrored_objects: ["Account", "Contact", "Lead", "Opportunity"]
                .map(|name| name.parse().expect("a name"))
                .into(),
            fields: FieldCache::default(),
            clock: context.clock.clone(),
        };
        Self { context, deps }
    }

    /// Defines a custom object with text fields.
    pub(crate) fn define(&self, object: &str, fields: &[String]) {
        let fields: Vec<Value> = fields.iter().map(|name| json!({ "name": name })).collect();
        self.simulator.define_object(json!({ "name": object, "fields": fields })).expect("the object is new");
    }

    /// Creates Accounts in the org.
    pub(crate) fn accounts(&self, count: usize) -> Vec<String> {
        (0..count).map(|n| self.create(&self.admin, "Account", &json!({ "Name": format!("Account {n}") }))).collect()
    }

    /// Changes an Account in the org.
    pub(crate) fn rename(&self, id: &str, name: &str) {
        self.update("Account", id, &json!({ "Name": name }));
    }

    /// Returns a task that is requested now.
    pub(crate) fn task(&self, kind: RefreshKind) -> RefreshTask {
        RefreshTask::new(self.org, kind, self.deps.clock.now())
    }

    /// Invokes the function with tasks and 15 minutes. Returns the indexes of the tasks to retry.
    pub(crate) async fn work_on(&self, tasks: &[RefreshTask]) -> Vec<usize> {
        self.work_until(tasks, self.deps.clock.now() + SignedDuration::from_mins(15)).await
    }

    /// Invokes the function with tasks and a deadline. Returns the indexes of the tasks to retry.
    pub(crate) async fn work_until(&self, tasks: &[RefreshTask], deadline: Timestamp) -> Vec<usize> {
        let reply = handle(&self.deps, event(tasks), deadline).await.expect("a reply");
        let Reply::Tasks(report) = reply else { panic!("the reply to a schedule") };
        report.failed.iter().map(|id| id.parse().expect("an index")).collect()
    }

    /// Works on a task that is killed at its first request to AWS or Salesforce, then at its second, and so on until it ends. Calls
    /// `between` with the number of kills after each. Returns this number.
    pub(crate) async fn work_killed_at_every_point(&self, task: &RefreshTask, mut between: impl FnMut(usize)) -> usize {
        let mut kills = 0;
        loop {
            let deadline = self.deps.clock.now() + SignedDuration::from_mins(15);
            let work = handle(&self.deps, event(std::slice::from_ref(task)), deadline);
            if self.killed_at(kills, work).await {
                return kills;
            }
            kills += 1;
            between(kills);
        }
    }

    /// Takes the tasks that wait in the queues.
    pub(crate) async fn queued(&self) -> Vec<RefreshTask> {
        let mut tasks = Vec::new();
        for queue in [QUEUE, BACKFILLS, FREQUENT] {
            tasks.extend(self.take(queue).await.iter().map(|body| serde_json::from_str(body).expect("a task")));
        }
        tasks
    }

    /// Takes the backfills that wait in their own queue.
    pub(crate) async fn take_backfills(&self) -> Vec<RefreshTask> {
        self.take(BACKFILLS).await.iter().map(|body| serde_json::from_str(body).expect("a task")).collect()
    }

    /// Takes the bodies of the dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<String> {
        self.take(DEAD_LETTERS).await
    }

    /// Takes the tasks of writes that wait in the queues of records and of notes.
    pub(crate) async fn writes(&self) -> [Vec<WriteTask>; 2] {
        let parse =
            |bodies: Vec<String>| bodies.iter().map(|body| serde_json::from_str(body).expect("a task")).collect();
        [parse(self.take(RECORD_WRITES).await), parse(self.take(NOTE_WRITES).await)]
    }

    async fn take(&self, queue: &str) -> Vec<String> {
        let (mut bodies, sqs, queue_url) = (Vec::new(), self.sqs(), self.queue_url(queue));
        loop {
            let receive = sqs.receive_message().queue_url(&queue_url).max_number_of_messages(10);
            let messages = receive.wait_time_seconds(0).send().await.expect("the queue").messages.unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                bodies.push(message.body().expect("a body").to_owned());
                let delete = sqs.delete_message().queue_url(&queue_url);
                delete.receipt_handle(message.receipt_handle().expect("a handle")).send().await.expect("deleted");
            }
        }
    }

    /// Returns a cursor of the org.
    pub(crate) async fn cursor(&self, name: &CursorName) -> Cursor {
        self.deps.cursors.load(self.org, name).await.expect("the cursors").expect("a cursor")
    }

    /// Returns the number of delayed tasks in the queues.
    pub(crate) async fn delayed(&self) -> usize {
        let mut delayed = 0;
        for queue in [QUEUE, BACKFILLS, FREQUENT] {
            delayed += self.waiting(queue).await.1;
        }
        delayed
    }

    /// Returns the numbers of mirrored records of an object.
    pub(crate) async fn count(&self, object: &ObjectName) -> RecordCount {
        self.deps.records.count(self.org, object).await.expect("the mirror")
    }

    /// Compares every Account of the org with the mirror.
    pub(crate) async fn assert_mirrored(&self, accounts: &[String]) {
        let in_org = self.count_in_org("Account");
        assert_eq!(self.count(&ACCOUNT).await.live, in_org as u64);
        for id in accounts {
            let expected = self.simulator.record("Account", id).expect("an account");
            let row = self.deps.records.load(self.org, &ACCOUNT, id.parse().expect("an id")).await.expect("the mirror");
            let row = row.unwrap_or_else(|| panic!("{id} is not mirrored"));
            if expected["IsDeleted"] == json!(true) {
                assert!(row.deleted, "{id}");
            } else {
                assert_eq!((row.deleted, &row.fields["Name"]), (false, &expected["Name"]), "{id}");
            }
        }
    }
}

/// An event whose message ids are the tasks' indexes.
pub(crate) fn event(tasks: &[RefreshTask]) -> Event {
    let message = |(index, task): (usize, &RefreshTask)| json!({ "messageId": index.to_string(), "body": serde_json::to_string(task).expect("JSON") });
    let records: Vec<Value> = tasks.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({ "Records": records })).expect("an event")
}
