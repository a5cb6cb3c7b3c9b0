//! Audits of large objects, which read the org's records by a query job of Bulk API 2.0.

use std::task::Poll;

use jiff::SignedDuration;
use org_simulator::{BulkSettings, Effect};
use pipeline_refresh::backfill::Bulk;
use pipeline_refresh::handle;
use store::{CursorName, RefreshKind, RefreshTask};

use crate::audits::{copied, found};
use crate::failures::fault;
use crate::harness::{ACCOUNT, TestContext, event, run};

/// The delay of the first poll of a job.
const POLL: SignedDuration = SignedDuration::from_secs(10);

/// A context of copied Accounts whose audit begins with a query job of pages of 10 records.
async fn large(context: TestContext, count: usize) -> (TestContext, Vec<String>) {
    let (mut context, accounts) = copied(context, count).await;
    context.deps.bulk = Bulk::new(0, 3).with_page_rows(2);
    (context, accounts)
}

/// Creates the job of an audit. Returns the message that polls it.
async fn begin(context: &TestContext) -> RefreshTask {
    let task = context.task(RefreshKind::Audit).for_object(ACCOUNT);
    assert!(context.work_on(std::slice::from_ref(&task)).await.is_empty());
    assert_eq!(context.delayed().await, 1, "the poll of the job waits in the queue");
    context.pass(POLL);
    task
}

fn error(status: u16, code: &str) -> Effect {
    Effect::Error { status, code: code.to_owned(), message: "no".to_owned() }
}

#[test]
fn a_large_object_is_audited_by_a_query_job() {
    run(async {
        let (context, accounts) = large(TestContext::connected().await, 30).await;
        let in_org = context.count_in_org("Account") as u64;
        context.lose(&accounts[0]).await;
        context.simulator.purge_record(&context.admin.username, "Account", &accounts[1]).unwrap();
        context.pass(SignedDuration::from_mins(11));

        let before = context.calls()["queryAll"];
        let task = begin(&context).await;
        context.work_on(&[task]).await;

        let audit = context.last_audit().await;
        assert_eq!((found(&audit), audit.is_green()), ([1, 1, 0, 2], true), "{audit:?}");
        assert_eq!((audit.counts.checked, audit.counts.buckets), (in_org - 1, (in_org - 1).div_ceil(10)));
        let pages = audit.counts.buckets;
        // Two describes; to create, poll and delete the job, and to read its pages; of the lost row to read it, of the other to look it up, to list
        // the deletions, and to ask once more.
        assert_eq!(audit.counts.calls, 2 + 3 + pages + 4, "{:?}", context.calls());
        let lookups = context.calls()["queryAll"] - before;
        assert_eq!((context.calls()["jobs/query"], lookups), (1, 1));
        assert!(context.cursor(&CursorName::audit(&ACCOUNT)).await.checkpoint.is_none());
    });
}

#[test]
fn an_audit_by_a_query_job_killed_at_every_point_finds_the_same() {
    run(async {
        let (context, accounts) = large(TestContext::connected_killable().await, 25).await;
        context.lose(&accounts[0]).await;
        context.simulator.purge_record(&context.admin.username, "Account", &accounts[1]).unwrap();
        context.pass(SignedDuration::from_mins(11));
        let task = context.task(RefreshKind::Audit).for_object(ACCOUNT);

        let (mut kills, mut is_done) = (0, false);
        while !is_done {
            context.pass(POLL);
            let deadline = context.deps.clock.now() + SignedDuration::from_mins(15);
            let work = handle(&context.deps, event(std::slice::from_ref(&task)), deadline);
            if context.killed_at(kills, work).await {
                is_done = context.cursor(&CursorName::audit(&ACCOUNT)).await.checkpoint.is_none();
            } else {
                kills += 1;
            }
            assert!(kills < 200, "the audit does not end");
        }

        assert!(kills > 6, "killed {kills} times");
        assert!(context.last_audit().await.is_green());
        context.assert_mirrored(&[&accounts[..1], &accounts[2..]].concat()).await;
    });
}

#[test]
fn an_audit_whose_job_is_lost_begins_again_by_rest() {
    run(async {
        for is_expired in [false, true] {
            let (context, accounts) = large(TestContext::connected().await, 25).await;
            context.lose(&accounts[0]).await;
            let in_org = context.count_in_org("Account") as u64;
            if !is_expired {
                let fail_next = Some("QUERY_TIMEOUT: no".to_owned());
                context.simulator.set_bulk(&BulkSettings { fail_next, ..BulkSettings::default() }).unwrap();
            }
            let task = begin(&context).await;
            if is_expired {
                context.simulator.fault(fault("jobs/query/", 2, error(404, "NOT_FOUND")));
            }

            context.work_on(&[task]).await;

            let audit = context.last_audit().await;
            assert_eq!((found(&audit), audit.is_green()), ([1, 0, 0, 1], true), "{audit:?}");
            assert_eq!((audit.counts.checked, context.calls()["jobs/query"]), (in_org, 1));
        }
    });
}

#[test]
fn an_object_that_bulk_does_not_support_is_audited_by_rest() {
    run(async {
        let (context, _) = large(TestContext::connected().await, 5).await;
        context.simulator.fault(fault("jobs/query", 1, error(400, "INVALIDENTITY")));

        context.work_on(&[context.task(RefreshKind::Audit).for_object(ACCOUNT)]).await;

        assert!(context.last_audit().await.is_green());
    });
}

#[test]
fn a_job_that_runs_is_asked_again_later_and_not_for_ever() {
    run(async {
        let (context, _) = large(TestContext::connected().await, 5).await;
        let settings = BulkSettings { processing_ms: Some(24 * 3_600_000), ..BulkSettings::default() };
        context.simulator.set_bulk(&settings).unwrap();
        let task = begin(&context).await;
        context.work_on(std::slice::from_ref(&task)).await;
        assert_eq!(context.delayed().await, 2, "the job is asked again");

        context.pass(SignedDuration::from_hours(6));
        context.work_on(&[task]).await;

        assert!(context.last_audit().await.is_green(), "read by REST");
    });
}

#[test]
fn other_tasks_do_not_multiply_the_polls_of_an_audit() {
    run(async {
        let (context, _) = large(TestContext::connected().await, 5).await;
        let settings = BulkSettings { processing_ms: Some(3_600_000), ..BulkSettings::default() };
        context.simulator.set_bulk(&settings).unwrap();
        let task = begin(&context).await;
        context.work_on(std::slice::from_ref(&task)).await;
        assert_eq!(context.delayed().await, 2, "the message of the next poll");
        let calls = context.calls();

        context.work_on(&[task.clone(), task.clone()]).await;
        assert_eq!(context.delayed().await, 2, "the audit answers their request");
        context.pass(SignedDuration::from_secs(1));
        let later = context.task(RefreshKind::Audit).for_object(ACCOUNT);
        context.work_on(std::slice::from_ref(&later)).await;
        assert_eq!(context.delayed().await, 3, "an audit that begins later has to follow");
        assert_eq!(context.calls(), calls, "none of them asks for the job");

        context.pass(SignedDuration::from_mins(61));
        context.work_on(&[task, later.clone()]).await;
        assert_eq!(context.calls()["jobs/query"], 2, "the job of the second audit");
        context.pass(POLL + SignedDuration::from_hours(1));
        context.work_on(std::slice::from_ref(&later)).await;
        let covered_until = context.cursor(&CursorName::audit(&ACCOUNT)).await.covered_until;
        assert!(covered_until >= Some(later.requested_at), "{covered_until:?}");
    });
}

/// A worker stands still before each of its requests to the job, while another one reads the whole job and deletes it.
#[test]
fn a_worker_that_another_one_has_overtaken_does_not_begin_again() {
    run(async {
        for requests in 1..=3 {
            let (context, accounts) = large(TestContext::connected().await, 30).await;
            context.lose(&accounts[0]).await;
            let task = begin(&context).await;
            let polls = || -> usize {
                let calls = context.calls();
                calls.iter().filter(|(path, _)| path.starts_with("jobs/query/")).map(|(_, count)| count).sum()
            };
            let tasks = std::slice::from_ref(&task);
            let mut slow = std::pin::pin!(context.work_on(tasks));
            let stands = std::future::poll_fn(|cx| {
                if polls() >= requests { Poll::Ready(true) } else { slow.as_mut().poll(cx).map(|_| false) }
            });
            assert!(stands.await, "it ended before");

            context.work_on(tasks).await;
            let (audit, rest) = (context.last_audit().await, context.calls()["queryAll"]);
            slow.await;

            let cursor = context.cursor(&CursorName::audit(&ACCOUNT)).await;
            assert_eq!((cursor.checkpoint, cursor.failure), (None, None), "{requests}");
            assert_eq!(context.last_audit().await, audit, "{requests}");
            assert!(audit.is_green(), "{audit:?}");
            assert_eq!((context.calls()["queryAll"], context.calls()["jobs/query"]), (rest, 1), "{requests}");
        }
    });
}
