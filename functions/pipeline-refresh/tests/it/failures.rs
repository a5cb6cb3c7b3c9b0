//! Retried and delayed tasks, and that neither stops the others.

use jiff::SignedDuration;
use mirroring::{Excess, Extent};
use org_simulator::{Effect, Fault};
use pipeline_refresh::{Reply, handle};
use salesforce::ObjectName;
use serde_json::json;
use store::{CursorName, Deferrals, RefreshKind, RefreshTask};

use crate::harness::{ACCOUNT, DISCONNECTED, TestContext, event, run};

pub(crate) fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

/// Answers that decide nothing: pages of a proxy, and refusals that the list of the objects contradicts.
pub(crate) fn odd_answers() -> Vec<Effect> {
    let page =
        |status| Effect::Answer { status, content_type: "text/html".to_owned(), body: "<html></html>".to_owned() };
    let error = |status, code: &str| Effect::Error { status, code: code.to_owned(), message: "no".to_owned() };
    vec![page(404), page(403), page(420), error(404, "NOT_FOUND"), error(400, "INVALID_TYPE")]
}

#[test]
fn a_task_of_an_unavailable_org_is_deferred_and_no_cursor_moves() {
    run(async {
        let context = TestContext::new().await;
        let task = context.task(RefreshKind::Backfill);
        context.simulator.fault(fault("queryAll", 100, Effect::Unavailable));

        assert!(context.work_on(std::slice::from_ref(&task)).await.is_empty());
        let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert_eq!((cursor.position, cursor.covered_until), (None, None));
        assert_eq!(cursor.failure.as_deref(), Some("salesforce_unavailable"));
        assert_eq!(context.delayed().await, context.deps.mirrored_objects.len(), "each object goes on by itself");

        context.simulator.clear_faults();
        assert!(context.work_on(&[task]).await.is_empty());
        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn a_task_of_a_closed_org_does_nothing() {
    run(async {
        let context = TestContext::new().await;
        context.accounts(3);
        context.activate(context.org).await;
        context.orgs.close(context.org, context.deps.clock.now()).await.unwrap();

        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        assert_eq!(context.count(&ACCOUNT).await.live, 0);
        assert_eq!((context.simulator.api_calls(), context.queued().await), (0, Vec::new()));
        assert!(context.deps.cursors.list(context.org).await.unwrap().is_empty());
    });
}

#[test]
fn a_truncated_page_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let body = r#"{"totalSize": 2, "done": true, "records": []}"#.to_owned();
        let cut = Effect::Answer { status: 200, content_type: "application/json".to_owned(), body };
        context.simulator.fault(fault("queryAll", 1, cut));
        let task = context.task(RefreshKind::Backfill);

        assert!(context.work_on(std::slice::from_ref(&task)).await.is_empty());
        let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert_eq!((cursor.covered_until, cursor.failure.as_deref()), (None, Some("invalid_page")));
        assert_eq!(context.delayed().await, 1);

        assert!(context.work_on(&[task]).await.is_empty());
        context.assert_mirrored(&[]).await;
        assert_eq!(context.cursor(&CursorName::backfill(&ACCOUNT)).await.failure, None);
    });
}

#[test]
fn an_org_that_must_reconnect_does_not_stop_the_others() {
    run(async {
        let context = TestContext::new().await;
        let ours = context.task(RefreshKind::Nightly);
        let blocked = RefreshTask { org_id: DISCONNECTED.parse().unwrap(), ..ours.clone() };

        assert!(context.work_on(&[blocked, ours]).await.is_empty());

        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn a_refresh_that_fails_for_good_is_a_dead_letter_and_told() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        let refused = Effect::Error { status: 400, code: "SOMETHING_NEW".to_owned(), message: "No.".to_owned() };
        context.simulator.fault(fault("queryAll", 100, refused));
        let deferrals = Deferrals { refusals: store::deferral::CONFIRMATIONS, ..Deferrals::default() };
        let task = context.task(RefreshKind::Nightly).for_object(ACCOUNT).with_deferrals(deferrals);

        assert!(context.work_on(std::slice::from_ref(&task)).await.is_empty());

        assert_eq!(context.dead_letters().await, [serde_json::to_string(&task).unwrap()]);
        let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
        assert!(cursor.failure.as_deref() == Some("SOMETHING_NEW") && cursor.failing_since.is_some(), "{cursor:?}");
        context.simulator.clear_faults();
        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty(), "the next night begins anew");
        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn a_message_that_is_no_task_is_a_dead_letter() {
    run(async {
        let context = TestContext::new().await;
        let event = json!({ "Records": [{ "messageId": "unreadable", "body": "not a task" }] });
        let deadline = context.deps.clock.now() + SignedDuration::from_mins(15);

        let reply = handle(&context.deps, serde_json::from_value(event).unwrap(), deadline).await.unwrap();

        assert!(matches!(reply, Reply::Tasks(report) if report.failed.is_empty()));
        assert_eq!(context.dead_letters().await, ["not a task"]);
    });
}

#[test]
fn a_failing_refresh_killed_at_every_point_goes_on() {
    run(async {
        let mut context = TestContext::killable().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        let task = context.task(RefreshKind::Nightly).for_object(ACCOUNT);
        context.simulator.fault(fault("queryAll", 10_000, Effect::UnableToLockRow));

        let kills = context.work_killed_at_every_point(&task, |_| ()).await;

        assert!(kills > 3, "killed {kills} times");
        // A task that was not acknowledged may be queued again twice.
        assert!((1..=2).contains(&context.delayed().await), "{}", context.delayed().await);
        context.simulator.clear_faults();
        let deferrals = Deferrals { count: 1, since: Some(context.deps.clock.now()), refusals: 0 };
        let again = task.with_deferrals(deferrals);
        assert!(context.work_on(&[again.clone(), again]).await.is_empty());
        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn an_object_that_needs_a_person_is_told_and_not_queued_again() {
    run(async {
        let context = TestContext::new().await;
        let org = DISCONNECTED.parse().unwrap();
        context.activate(org).await;
        let task = RefreshTask::new(org, RefreshKind::Nightly, context.deps.clock.now());

        assert!(context.work_on(&[task]).await.is_empty());

        assert_eq!((context.delayed().await, context.dead_letters().await.len()), (0, 0));
        let cursors = context.deps.cursors.list(org).await.unwrap();
        assert_eq!(cursors.len(), 1 + context.deps.mirrored_objects.len());
        assert!(cursors.iter().all(|cursor| cursor.failure.as_deref() == Some("reconnect_required")), "{cursors:?}");
    });
}

#[test]
fn a_request_that_is_too_much_is_narrowed() {
    run(async {
        let rows = |code: &str| Effect::Error { status: 400, code: code.to_owned(), message: "Too much.".to_owned() };
        for (effect, times, parts) in
            [(rows("QUERY_TIMEOUT"), 9, 1), (rows("OPERATION_TOO_LARGE"), 11, 2), (rows("QUERY_TOO_COMPLICATED"), 2, 4)]
        {
            let mut context = TestContext::connected().await;
            context.deps.mirrored_objects = vec![ACCOUNT];
            let accounts = context.accounts(3);
            context.delete("Account", &accounts[2]);
            context.simulator.fault(fault("queryAll", times, effect));

            assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

            context.assert_mirrored(&accounts).await;
            assert_eq!(context.deps.fields.extent(context.org, &ACCOUNT).parts(), parts);
            assert_eq!(context.delayed().await, 0);
        }
    });
}

/// The rows of the org are saved at its time, and the queries begin in 1999.
#[test]
fn a_slow_query_is_narrowed_to_spans_of_time() {
    run(async {
        let mut context = TestContext::connected().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        let accounts = context.accounts(5);
        let timeout = Effect::Error { status: 400, code: "QUERY_TIMEOUT".to_owned(), message: "Slow.".to_owned() };
        context.simulator.fault(fault("queryAll", 8, timeout));

        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

        context.assert_mirrored(&accounts).await;
        let queries = context.calls()["queryAll"];
        assert!((8 + 5..8 + 40).contains(&queries), "{queries} queries");
        assert_eq!(context.delayed().await, 0);
    });
}

/// The copy is marked as complete ten minutes after the accounts were created, so that the next scan begins with all of them.
#[test]
fn many_rows_of_one_time_are_read_in_ranges_of_ids() {
    run(async {
        let mut context = TestContext::connected().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        let accounts = context.accounts(20);
        context.pass(SignedDuration::from_mins(10));
        let copied = context.deps.clock.now();
        context.deps.cursors.finish(context.org, &CursorName::backfill(&ACCOUNT), copied).await.unwrap();
        context.pass(SignedDuration::from_mins(1));
        let narrowed = |extent: &Extent| extent.narrowed(Excess::Time, 10, Some(SignedDuration::from_hours(1)));
        let of_three_ids = std::iter::successors(Some(Extent::default()), narrowed)
            .find(|extent| extent.by_ids() && extent.rows() == 3);
        context.deps.fields.set_extent(context.org, &ACCOUNT, of_three_ids.unwrap());
        let before = context.calls().get("queryAll").copied().unwrap_or_default();

        assert!(context.work_on(&[context.task(RefreshKind::Nightly).for_object(ACCOUNT)]).await.is_empty());

        context.assert_mirrored(&accounts).await;
        let queries = context.calls()["queryAll"] - before;
        assert!(queries > 2 * 20 / 6, "two for each range: {queries}");
        assert!(!context.deps.fields.extent(context.org, &ACCOUNT).by_ids(), "later times are read without ranges");
    });
}

/// Each request for the first record is refused until there is nothing left to halve; the others are read.
#[test]
fn a_row_that_cannot_be_read_holds_up_no_other() {
    run(async {
        let mut context = TestContext::connected().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        let accounts = context.accounts(3);
        context.work_on(&[context.task(RefreshKind::Backfill)]).await;
        let fields = context.deps.fields.get(context.org, &ACCOUNT, context.deps.clock.now()).unwrap().selected.len();
        context.pass(SignedDuration::from_hours(1));
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;
        context.pass(SignedDuration::from_hours(13));
        for id in &accounts {
            context.rename(id, "Renamed");
        }
        let too_large =
            || Effect::Error { status: 400, code: "OPERATION_TOO_LARGE".to_owned(), message: "No.".to_owned() };
        let (halvings_to_one_row, halvings_to_one_field) = (11, fields.div_ceil(2).next_power_of_two().ilog2());
        context.simulator.fault(fault("queryAll", halvings_to_one_row, too_large()));
        context.simulator.fault(fault("composite/sobjects/Account", halvings_to_one_field + 1, too_large()));

        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        let left_out = context.deps.cursors.left_out(context.org, Some(&ACCOUNT)).await.unwrap();
        let named: Vec<_> = left_out.iter().map(|row| (row.record_id.to_string(), row.reason.as_str())).collect();
        assert_eq!(named, [(accounts[0].clone(), "OPERATION_TOO_LARGE")]);
        context.assert_mirrored(&accounts[1..]).await;
        let cursor = context.cursor(&CursorName::incremental(&ACCOUNT)).await;
        assert_eq!((cursor.failure.as_deref(), cursor.checkpoint), (Some("rows_unreadable"), None));
        assert_eq!(context.delayed().await, 0);

        context.simulator.clear_faults();
        context.pass(SignedDuration::from_hours(13));
        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());
        context.assert_mirrored(&accounts).await;
        assert_eq!(context.deps.cursors.left_out(context.org, None).await.unwrap(), []);
        assert_eq!(context.cursor(&CursorName::incremental(&ACCOUNT)).await.failure, None);
    });
}

#[test]
fn an_invisible_object_is_skipped() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects.insert(0, ObjectName::from_static("Hidden__c"));

        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        context.assert_mirrored(&[]).await;
        let hidden = context.cursor(&CursorName::backfill(&ObjectName::from_static("Hidden__c"))).await;
        assert_eq!(hidden.failure.as_deref(), Some("object_not_visible"));
        assert_eq!(
            (context.delayed().await, context.queued().await),
            (0, Vec::new()),
            "it is confirmed, and no failure"
        );
    });
}

#[test]
fn a_passing_answer_to_a_describe_skips_no_object() {
    run(async {
        let context = TestContext::new().await;
        let accounts = context.accounts(3);
        for (n, effect) in odd_answers().into_iter().enumerate() {
            context.deps.fields.invalidate(context.org, &ACCOUNT);
            context.simulator.fault(fault("sobjects/Account/describe", 1, effect.clone()));
            let task = context.task(RefreshKind::Nightly).for_object(ACCOUNT);
            context.pass(SignedDuration::from_mins(1));

            assert!(context.work_on(std::slice::from_ref(&task)).await.is_empty());

            let name = if n == 0 { CursorName::backfill(&ACCOUNT) } else { CursorName::incremental(&ACCOUNT) };
            let failure = context.cursor(&name).await.failure;
            assert_eq!(failure.as_deref(), Some("salesforce_unavailable"), "{effect:?}");
            assert_eq!(context.delayed().await, n + 1, "{effect:?}: the task is tried again");
            assert!(context.work_on(&[task]).await.is_empty());
            assert_eq!(context.cursor(&name).await.failure, None);
            context.assert_mirrored(&accounts).await;
        }
    });
}

#[test]
fn a_refresh_over_the_api_budget_is_delayed() {
    run(async {
        let context = TestContext::new().await;
        context.accounts(2_100);
        context.simulator.set_daily_api_limit(10);

        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

        assert!(context.delayed().await > 0);
        assert!(context.simulator.api_calls() <= 10, "{}", context.simulator.api_calls());
    });
}

#[test]
fn the_closing_line_says_how_late_the_oldest_task_is() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        context.simulator.fault(fault("queryAll", 10_000, Effect::Unavailable));
        let since = Some(context.deps.clock.now() - SignedDuration::from_hours(7));
        let late = Deferrals { count: 9, since, refusals: 0 };
        let blocked = RefreshTask::new(DISCONNECTED.parse().unwrap(), RefreshKind::Nightly, context.deps.clock.now());
        context.activate(blocked.org_id).await;
        let task = context.task(RefreshKind::Nightly).for_object(ACCOUNT);
        let tasks = [task.with_deferrals(late), task, blocked.for_object(ACCOUNT).with_deferrals(late)];

        let deadline = context.deps.clock.now() + SignedDuration::from_mins(15);
        let reply = handle(&context.deps, event(&tasks), deadline).await.unwrap();

        let counts = runtime::Report::counts(&reply);
        for expected in [("tasks.deferred", 2), ("tasks.blocked", 1)] {
            assert!(counts.contains(&expected), "{expected:?} in {counts:?}");
        }
        // The repetitions of a call take their time.
        let hours = counts.iter().find(|(name, _)| *name == "deferred.oldest_s").map(|(_, age)| age / 3600);
        assert_eq!(hours, Some(7), "{counts:?}");
    });
}
