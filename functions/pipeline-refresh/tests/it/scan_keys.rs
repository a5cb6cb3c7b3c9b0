//! Objects whose records Salesforce does not filter by `SystemModstamp`: the key that takes its place, and what it misses.

use jiff::SignedDuration;
use mirroring::{Excess, Extent};
use pipeline_refresh::handle;
use salesforce::ObjectName;
use serde_json::json;
use store::{CursorName, RefreshKind, ScanKey};

use crate::harness::{TestContext, event, run};

const LOG: ObjectName = ObjectName::from_static("Log__c");

/// Returns a context with a copy of an object that queries may not filter and sort by these fields.
async fn copied(mut context: TestContext, only_selected: &[&str], records: usize) -> (TestContext, Vec<String>) {
    context.deps.mirrored_objects = vec![LOG];
    context.define("Log__c", &["Text__c".to_owned()]);
    let definition = json!({ "name": "Log__c", "only_selected": only_selected });
    context.simulator.define_object(definition).unwrap();
    let record = |n| context.create(&context.admin, "Log__c", &json!({ "Text__c": format!("Entry {n}") }));
    let logs: Vec<String> = (0..records).map(record).collect();
    context.refresh_logs(RefreshKind::Backfill).await;
    context.pass(SignedDuration::from_hours(1));
    context.refresh_logs(RefreshKind::Nightly).await;
    context.pass(SignedDuration::from_hours(24));
    (context, logs)
}

impl TestContext {
    async fn refresh_logs(&self, kind: RefreshKind) {
        assert!(self.work_on(&[self.task(kind)]).await.is_empty());
        assert_eq!(self.delayed().await, 0);
    }

    async fn text(&self, id: &str) -> Option<String> {
        let row = self.deps.records.load(self.org, &LOG, id.parse().unwrap()).await.unwrap();
        let row = row.filter(|row| !row.deleted)?;
        row.fields["Text__c"].as_str().map(str::to_owned)
    }

    async fn scanned_by(&self) -> ScanKey {
        self.deps.cursors.seen_fields(self.org, &LOG).await.unwrap().unwrap().scanned_by
    }

    fn write_log(&self, text: &str) -> String {
        self.create(&self.admin, "Log__c", &json!({ "Text__c": text }))
    }
}

#[test]
fn changes_are_found_by_their_date_instead() {
    run(async {
        let (context, logs) = copied(TestContext::connected().await, &["SystemModstamp"], 3).await;
        context.update("Log__c", &logs[0], &json!({ "Text__c": "Changed" }));
        let new = context.write_log("New");
        context.delete("Log__c", &logs[1]);

        context.refresh_logs(RefreshKind::Nightly).await;

        assert_eq!(context.scanned_by().await, ScanKey::LastModifiedDate);
        assert_eq!(context.text(&logs[0]).await.as_deref(), Some("Changed"));
        assert_eq!(context.text(&new).await.as_deref(), Some("New"));
        assert_eq!(context.text(&logs[1]).await, None);
    });
}

#[test]
fn by_creation_only_new_records_are_found_until_the_audit() {
    run(async {
        let unfiltered = ["SystemModstamp", "LastModifiedDate"];
        let (context, logs) = copied(TestContext::connected().await, &unfiltered, 3).await;
        context.update("Log__c", &logs[0], &json!({ "Text__c": "Changed" }));
        let new = context.write_log("New");
        context.delete("Log__c", &logs[1]);

        // The list of deletions has whole minutes.
        context.pass(SignedDuration::from_mins(2));
        context.refresh_logs(RefreshKind::Nightly).await;

        assert_eq!(context.scanned_by().await, ScanKey::CreatedDate);
        assert_eq!(context.text(&new).await.as_deref(), Some("New"));
        assert_eq!(context.text(&logs[0]).await.as_deref(), Some("Entry 0"));
        assert_eq!(context.text(&logs[1]).await, None, "the list of deletions has it");
        context.pass(SignedDuration::from_mins(11));
        context.refresh_logs(RefreshKind::Audit).await;
        assert_eq!(context.text(&logs[0]).await.as_deref(), Some("Changed"));
    });
}

#[test]
fn without_a_key_each_night_reads_every_record() {
    run(async {
        let unfiltered = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];
        let (context, logs) = copied(TestContext::connected().await, &unfiltered, 3).await;
        context.update("Log__c", &logs[0], &json!({ "Text__c": "Changed" }));
        let new = context.write_log("New");
        context.delete("Log__c", &logs[1]);
        let calls = context.simulator.api_calls();

        context.refresh_logs(RefreshKind::Poll).await;
        assert_eq!(context.text(&new).await, None, "a poll leaves the object to the night");
        assert!(context.simulator.api_calls() - calls <= 1, "of which it describes the object at most");
        context.refresh_logs(RefreshKind::Nightly).await;

        assert_eq!(context.scanned_by().await, ScanKey::Id);
        assert_eq!(context.text(&logs[0]).await.as_deref(), Some("Changed"));
        assert_eq!(context.text(&new).await.as_deref(), Some("New"));
        assert_eq!(context.text(&logs[1]).await, None);
        assert_eq!(context.cursor(&CursorName::incremental(&LOG)).await.position, None);
    });
}

#[test]
fn a_reading_of_every_record_killed_at_every_point_goes_on() {
    run(async {
        let unfiltered = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];
        let (context, logs) = copied(TestContext::connected_killable().await, &unfiltered, 7).await;
        for (n, log) in logs.iter().enumerate() {
            context.update("Log__c", log, &json!({ "Text__c": format!("Changed {n}") }));
        }
        // Pages of three records.
        let half = |extent: Extent, _| extent.narrowed(Excess::Rows, 1, None).unwrap();
        context.deps.fields.set_extent(context.org, &LOG, (0..9).fold(Extent::default(), half));
        let night = context.task(RefreshKind::Nightly).for_object(LOG);

        let mut kills = 0;
        loop {
            let deadline = context.deps.clock.now() + SignedDuration::from_mins(15);
            if context.killed_at(kills, handle(&context.deps, event(std::slice::from_ref(&night)), deadline)).await {
                break;
            }
            kills += 1;
        }

        assert!(kills > 8, "killed {kills} times");
        for (n, log) in logs.iter().enumerate() {
            assert_eq!(context.text(log).await, Some(format!("Changed {n}")));
        }
    });
}
