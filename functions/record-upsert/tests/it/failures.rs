//! Deferred, dead-lettered and blocked hints, and that none of them delays the others.

use aws_lambda_events::sqs::SqsEvent;
use jiff::{SignedDuration, Timestamp};
use org_simulator::{Effect, Fault};
use record_upsert::handle;
use serde_json::json;
use store::{ChangeHint, CursorName, Deferrals, DeliveryOutcome};

use crate::harness::{DISCONNECTED, MINUTE, TestContext, account, batch, record_of, run};

pub(crate) fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

pub(crate) fn deferred_once(hint: &ChangeHint, failed_at: Timestamp) -> ChangeHint {
    ChangeHint { deferrals: Deferrals { count: 1, since: Some(failed_at), refusals: 0 }, ..hint.clone() }
}

fn deferred(reason: &str) -> Option<DeliveryOutcome> {
    Some(DeliveryOutcome::Deferred { reason: reason.to_owned() })
}

#[test]
fn a_deferred_hint_is_queued_before_its_message_is_deleted() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint(context.account("Acme"));
        context.simulator.fault(fault("composite/sobjects", 100, Effect::Unavailable));

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());
        let failed_at = context.deps.clock.now();
        assert_eq!(context.outcome(&hint).await, deferred("salesforce_unavailable"));
        assert_eq!(context.mirrored(record_of(&hint)).await, None);
        assert_eq!(context.queued().await, (0, 1));

        context.simulator.clear_faults();
        context.pass(SignedDuration::from_secs(15));
        let again = context.take_hints(1).await;
        assert_eq!(again, [deferred_once(&hint, failed_at)]);
        assert!(context.receive(&again).await.is_empty());
        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::Applied));
        assert_eq!(context.queued().await, (0, 0));
    });
}

#[test]
fn an_unavailable_org_is_not_called_for_a_moment() {
    run(async {
        let context = TestContext::new().await;
        let hints: Vec<_> = (0..3).map(|n| context.hint(context.account(&format!("Account {n}")))).collect();
        context.simulator.fault(fault("", 100, Effect::Unavailable));
        context.receive(&hints[..1]).await;
        let before = context.simulator.request_log().len();

        assert!(context.receive(&hints[1..2]).await.is_empty());
        assert_eq!(context.simulator.request_log().len(), before, "the org was called again");
        assert_eq!(context.outcome(&hints[1]).await, deferred("salesforce_unavailable"));

        context.simulator.clear_faults();
        context.pass(SignedDuration::from_secs(5));
        assert!(context.receive(&hints[2..]).await.is_empty());
        assert_eq!(context.outcome(&hints[2]).await, Some(DeliveryOutcome::Applied));
    });
}

#[test]
fn a_lock_on_one_object_does_not_delay_the_others() {
    run(async {
        let context = TestContext::new().await;
        let account = context.hint(context.account("Acme"));
        let contact = context.create(&context.admin, "Contact", &json!({ "LastName": "Ames" }));
        let mut contact = context.hint(contact.parse().unwrap());
        contact.record.as_mut().unwrap().object = "Contact".parse().unwrap();
        context.simulator.fault(fault("composite/sobjects/Account", 100, Effect::UnableToLockRow));

        assert!(context.receive(&[account.clone(), contact.clone()]).await.is_empty());

        assert_eq!(context.outcome(&account).await, deferred("UNABLE_TO_LOCK_ROW"));
        assert_eq!(context.outcome(&contact).await, Some(DeliveryOutcome::Applied));
    });
}

#[test]
fn hints_of_an_org_at_its_daily_limit_are_deferred() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint(context.account("Acme"));
        context.simulator.fault(fault("sobjects", 1, Effect::RequestLimitExceeded));

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(context.outcome(&hint).await, deferred("daily_limit"));
        assert_eq!(context.queued().await, (0, 1));
    });
}

#[test]
fn a_hint_waits_until_the_org_is_connected_again() {
    run(async {
        let context = TestContext::new().await;
        let good = context.hint(context.account("Acme"));
        context.activate(DISCONNECTED.parse().unwrap()).await;
        let blocked = context.hint_of(DISCONNECTED.parse().unwrap(), record_of(&good));

        assert!(context.receive(&[blocked.clone(), good.clone()]).await.is_empty());

        assert_eq!(context.outcome(&good).await, Some(DeliveryOutcome::Applied));
        assert_eq!(context.outcome(&blocked).await, deferred("reconnect_required"));
        assert_eq!(context.queued().await, (0, 1));
        context.pass(SignedDuration::from_secs(15));
        let again = context.take_hints(1).await;
        let deferrals = Deferrals { count: 1, ..Deferrals::default() };
        assert_eq!(again, [ChangeHint { deferrals, ..blocked }]);
    });
}

#[test]
fn a_hint_that_waited_for_three_days_is_left_to_the_refresh() {
    run(async {
        let context = TestContext::new().await;
        let org = DISCONNECTED.parse().unwrap();
        context.activate(org).await;
        let record = context.account("Acme");
        let mut unscanned = context.hint_of(org, record);
        unscanned.record.as_mut().unwrap().object = "Invoice__c".parse().unwrap();
        let hints = [context.hint_of(org, record), unscanned];
        let blocked = async |outcomes: [Option<DeliveryOutcome>; 2], counts: &[(&str, u64)]| {
            let now = context.deps.clock.now();
            let report = handle(&context.deps, batch(&hints), now + MINUTE).await.unwrap();
            assert!(report.failed.is_empty(), "{report:?}");
            assert_eq!([context.outcome(&hints[0]).await, context.outcome(&hints[1]).await], outcomes);
            let messages = report.counts.into_iter().filter(|(name, _)| name.starts_with("messages."));
            assert_eq!(messages.collect::<Vec<_>>(), counts);
        };
        let waits = || deferred("reconnect_required");
        let left = Some(DeliveryOutcome::LeftToRefresh { reason: "reconnect_required".to_owned() });

        context.pass(SignedDuration::from_hours(72));
        // No scan of the org has read a page yet, so nothing says that one will read the record.
        blocked([waits(), waits()], &[("messages.blocked", 2)]).await;
        context.deps.cursors.finish(org, &CursorName::backfill(&account()), hints[0].received_at).await.unwrap();
        context.pass(SignedDuration::from_mins(15));
        context.take_hints(2).await;

        blocked([left.clone(), waits()], &[("messages.blocked", 1), ("messages.left_to_refresh", 1)]).await;
        assert_eq!(context.queued().await, (0, 1), "only the hint that no scan reads goes on waiting");
        // A copy of the hint, which SQS delivered again, changes nothing.
        blocked([left, waits()], &[("messages.blocked", 1), ("messages.left_to_refresh", 1)]).await;
    });
}

#[test]
fn hints_wait_while_it_is_unknown_what_is_scanned() {
    run(async {
        let mut context = TestContext::new().await;
        let org = DISCONNECTED.parse().unwrap();
        context.activate(org).await;
        let hint = context.hint_of(org, context.account("Acme"));
        context.deps.cursors.finish(org, &CursorName::backfill(&account()), hint.received_at).await.unwrap();
        context.deps.cursors = store::Cursors::new(context.dynamodb(), "no-such-table");
        context.pass(SignedDuration::from_hours(100));

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(context.outcome(&hint).await, deferred("reconnect_required"));
        assert_eq!(context.queued().await, (0, 1));
    });
}

#[test]
fn the_hints_of_an_org_that_is_not_active_leave_nothing() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint(context.account("Acme"));
        let of_unknown = context.hint_of(DISCONNECTED.parse().unwrap(), record_of(&hint));
        context.orgs.close(context.org, context.clock.now()).await.unwrap();

        assert!(context.receive(&[hint.clone(), of_unknown.clone()]).await.is_empty());

        for hint in [&hint, &of_unknown] {
            assert_eq!(context.outcome(hint).await, None);
            assert_eq!(context.deps.records.load(hint.org_id, &account(), record_of(hint)).await.unwrap(), None);
        }
        assert_eq!((context.queued().await, context.simulator.api_calls()), ((0, 0), 0));
    });
}

#[test]
fn an_unparseable_message_is_dead_lettered_alone() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint(context.account("Acme"));
        let event: SqsEvent = serde_json::from_value(json!({ "Records": [
            { "messageId": "unparseable", "body": "not a hint", "attributes": { "MessageGroupId": context.org.as_str() } },
            { "messageId": "good", "body": serde_json::to_string(&hint).unwrap() },
        ]}))
        .unwrap();

        let report = handle(&context.deps, event, context.clock.now() + MINUTE).await.unwrap();

        assert!(report.failed.is_empty(), "{report:?}");
        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::Applied));
        assert_eq!(context.take_dead_letters(1).await, [("not a hint".to_owned(), "unreadable".to_owned())]);
    });
}

#[test]
fn a_passing_page_of_a_proxy_decides_nothing() {
    run(async {
        let context = TestContext::new().await;
        let page = |status| Effect::Answer {
            status,
            content_type: "text/html".to_owned(),
            body: "<html>The page you requested is not available</html>".to_owned(),
        };
        let not_found = Effect::Error { status: 404, code: "NOT_FOUND".to_owned(), message: "Not here.".to_owned() };
        let invalid = Effect::Error { status: 400, code: "INVALID_TYPE".to_owned(), message: "Not here.".to_owned() };
        let answers = [page(404), page(403), page(420), not_found, invalid];
        for (effect, path) in
            answers.into_iter().flat_map(|effect| ["sobjects/", "composite/"].map(|path| (effect.clone(), path)))
        {
            let id = context.account("Acme");
            context.deps.fields.invalidate(context.org, &account());
            context.simulator.fault(fault(path, 1, effect.clone()));
            let hint = context.hint(id);

            assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

            let outcome = context.outcome(&hint).await;
            assert!(matches!(outcome, Some(DeliveryOutcome::Deferred { .. })), "{effect:?} at {path}: {outcome:?}");
            context.simulator.clear_faults();
            // The org is not called for a moment.
            context.pass(SignedDuration::from_mins(1));
            context.receive(std::slice::from_ref(&hint)).await;
            assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::Applied), "{effect:?} at {path}");
        }
        let (visible, delayed) = context.queued().await;
        assert_eq!(visible + delayed, 10, "each hint was queued again");
    });
}

#[test]
fn a_confirmed_refusal_is_dead_lettered_with_its_code() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.refused_often(context.hint(context.account("Acme")));
        let effect = Effect::Error { status: 400, code: "SOMETHING_NEW".to_owned(), message: "No.".to_owned() };
        context.simulator.fault(fault("composite/sobjects", 1, effect));

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        let failed = DeliveryOutcome::Failed { reason: "SOMETHING_NEW".to_owned() };
        assert_eq!(context.outcome(&hint).await, Some(failed));
        let body = serde_json::to_string(&hint).unwrap();
        assert_eq!(context.take_dead_letters(1).await, [(body, "SOMETHING_NEW".to_owned())]);
    });
}

#[test]
fn a_hint_deferred_too_long_is_dead_lettered() {
    run(async {
        let context = TestContext::new().await;
        let deferrals = Deferrals { count: 300, since: Some(context.deps.clock.now()), refusals: 0 };
        let hint = ChangeHint { deferrals, ..context.hint(context.account("Acme")) };
        context.simulator.fault(fault("", 100, Effect::Unavailable));
        context.pass(SignedDuration::from_hours(72));

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        let reason = "deferred_too_long:salesforce_unavailable".to_owned();
        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::Failed { reason: reason.clone() }));
        assert_eq!(context.take_dead_letters(1).await, [(serde_json::to_string(&hint).unwrap(), reason)]);
        assert_eq!(context.queued().await, (0, 0));
    });
}

#[test]
fn a_row_too_large_for_the_mirror_is_dead_lettered_alone() {
    run(async {
        let context = TestContext::new().await;
        let [large, small] = ["Large", "Small"].map(|name| context.hint(context.account(name)));
        // As large as a record with many long text areas.
        let row = |hint: &ChangeHint, text: String| {
            json!({ "attributes": { "type": "Account" }, "Id": record_of(hint), "Description": text,
                "SystemModstamp": "2026-11-22T10:00:00.000+0000" })
        };
        let mut rows = vec![row(&large, "x".repeat(410_000)), row(&small, "y".repeat(300_000))];
        rows.sort_by_key(|row| row["Id"].as_str().map(str::to_owned));
        let body = serde_json::to_string(&rows).unwrap();
        let response = Effect::Answer { status: 200, content_type: "application/json".to_owned(), body };
        context.simulator.fault(fault("composite/sobjects", 1, response));

        assert!(context.receive(&[large.clone(), small.clone()]).await.is_empty());

        assert_eq!(context.outcome(&small).await, Some(DeliveryOutcome::Applied));
        assert_eq!(context.outcome(&large).await, Some(DeliveryOutcome::Failed { reason: "too_large".to_owned() }));
        assert_eq!(context.take_dead_letters(1).await[0].1, "too_large");
    });
}

#[test]
fn a_hint_that_cannot_be_re_queued_stays_in_the_queue() {
    run(async {
        let mut context = TestContext::new().await;
        let url = context.queue_url("RecordUpsertQueue").replace("record-upsert", "no-such-queue");
        context.deps.hints = store::Queue::new(context.sqs(), url, context.clock.clone());
        let hint = context.hint(context.account("Acme"));
        context.simulator.fault(fault("composite/sobjects", 100, Effect::Unavailable));

        assert_eq!(context.receive(std::slice::from_ref(&hint)).await, [0]);
        context.deps.dead_letters = context.deps.hints.clone();
        let event: SqsEvent =
            serde_json::from_value(json!({ "Records": [{ "messageId": "unparseable", "body": "not a hint" }]}))
                .unwrap();
        let report = handle(&context.deps, event, context.clock.now() + MINUTE).await.unwrap();
        assert_eq!(report.failed, ["unparseable"]);
    });
}

#[test]
fn no_message_is_deleted_before_its_outcome_is_recorded() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.deliveries = store::Deliveries::new(context.dynamodb(), "no-such-table");
        let hint = context.hint(context.account("Acme"));
        context.simulator.fault(fault("composite/sobjects", 1, Effect::UnableToLockRow));

        assert_eq!(context.receive(std::slice::from_ref(&hint)).await, [0]);

        assert_eq!(context.queued().await, (0, 0), "the hint was also re-queued");
        let report = handle(&context.deps, batch(&[]), context.clock.now() + MINUTE).await.unwrap();
        assert!(report.failed.is_empty());
    });
}

#[test]
fn the_closing_line_says_how_late_the_oldest_hint_is() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("", 100, Effect::Unavailable));
        let deferred_for = |hours| {
            let since = Some(context.deps.clock.now() - SignedDuration::from_hours(hours));
            ChangeHint {
                deferrals: Deferrals { count: 9, since, refusals: 0 },
                ..context.hint(context.account("Acme"))
            }
        };
        let blocked = ChangeHint { org_id: DISCONNECTED.parse().unwrap(), ..deferred_for(50) };
        context.activate(blocked.org_id).await;
        let hints = [deferred_for(2), deferred_for(7), deferred_for(1), blocked];

        let now = context.deps.clock.now();
        let report = handle(&context.deps, batch(&hints), now + MINUTE).await.unwrap();

        assert!(report.counts.contains(&("messages.deferred", 3)), "{:?}", report.counts);
        assert!(report.counts.contains(&("messages.blocked", 1)), "{:?}", report.counts);
        // The repetitions of a call take their time.
        let hours = report.counts.iter().find(|(name, _)| *name == "deferred.oldest_s").map(|(_, age)| age / 3600);
        assert_eq!(hours, Some(7), "{:?}", report.counts);
    });
}
