//! `ferry deliveries` and `ferry replay`.

use jiff::{SignedDuration, Timestamp};
use salesforce::Clock;
use serde_json::json;
use store::{ChangeHint, Delivery, DeliveryOutcome, OrgState, RecordRef, Source};

use crate::stack::{ORG, Stack, run};

const ACCOUNT: &str = "0015e00000ZkM3hAAF";

fn hours_ago(hours: i64) -> Timestamp {
    Clock::system().now() - SignedDuration::from_hours(hours)
}

fn delivery(number: usize, received_at: Timestamp, record: Option<(&str, &str)>, outcome: DeliveryOutcome) -> Delivery {
    Delivery {
        org_id: ORG.parse().unwrap(),
        delivery_id: format!("04l5e0000{number:06}").parse().unwrap(),
        source: Source::OutboundMessage,
        record: record
            .map(|(object, id)| RecordRef { object: object.parse().unwrap(), record_id: id.parse().unwrap() }),
        received_at,
        settled_at: received_at + SignedDuration::from_millis(1_500),
        outcome,
    }
}

/// Six deliveries: five about two records, one about a deleted record. One of them is two days old.
async fn ledger(stack: &Stack) {
    let account = Some(("Account", ACCOUNT));
    let contact = Some(("Contact", "0035e00001XkM3hAAF"));
    let failed = DeliveryOutcome::Failed { reason: "row_too_large".to_owned() };
    let event = Delivery {
        delivery_id: "000a1b2c-3d4e-5f60-7182-93a4b5c6d7e8/1/0035e00001XkM3hAAF".parse().unwrap(),
        source: Source::ChangeDataCapture,
        ..delivery(0, hours_ago(3), contact, DeliveryOutcome::Applied)
    };
    let all = [
        delivery(1, hours_ago(48), account, DeliveryOutcome::Applied),
        delivery(2, hours_ago(5), account, DeliveryOutcome::Applied),
        delivery(3, hours_ago(4), account, DeliveryOutcome::Unchanged),
        event,
        delivery(4, hours_ago(2), None, DeliveryOutcome::Deleted),
        delivery(5, hours_ago(1), contact, failed),
    ];
    stack.deliveries().record(&all).await.unwrap();
}

#[test]
fn deliveries_are_listed_newest_last_and_all_are_counted() {
    run(async {
        let stack = Stack::create().await;
        ledger(&stack).await;

        let day = stack.json(&["deliveries", "--org", ORG]);
        assert_eq!(day["counts"], json!({ "applied": 2, "deleted": 1, "failed": 1, "unchanged": 1 }));
        assert_eq!(day["deliveries"][0]["delivery_id"], "04l5e0000000002");
        assert_eq!(day["deliveries"][4]["reason"], "row_too_large");
        assert_eq!((day["deliveries"].as_array().unwrap().len(), &day["left_out"]), (5, &json!(0)));

        let table = stack.succeed(&["deliveries", "--org", &ORG[..15], "--since", "3d", "--limit", "2"]);
        assert!(table.contains("6 deliveries since ") && table.contains("1 failed"), "{table}");
        assert!(table.contains("4 older ones are not listed"), "{table}");
        assert!(table.contains("failed:") && table.contains("no record") && !table.contains(ACCOUNT), "{table}");
        assert!(
            table.lines().all(|line| line.chars().count() <= 80 || !line.starts_with(['\u{2502}', '\u{250c}'])),
            "{table}"
        );

        let of_record = stack.json(&["deliveries", "--org", ORG, "--record", &ACCOUNT[..15], "--since", "7d"]);
        assert_eq!(of_record["deliveries"].as_array().unwrap().len(), 3);
        let none = stack.succeed(&["deliveries", "--org", ORG, "--record", "0015e00000ZkM3iAAF"]);
        assert!(none.starts_with("No deliveries of record 0015e00000ZkM3iAAF from org"), "{none}");
    });
}

#[test]
fn unknown_orgs_and_times_out_of_range_are_refused() {
    run(async {
        let stack = Stack::create().await;
        let unknown = "00D5e000000KQ2fEAG";
        for command in ["deliveries", "replay"] {
            let (code, said) = stack.fail(&[command, "--org", unknown, "--since", "1h"]);
            assert_eq!((code, said), (2, format!("ferry: org {unknown} is unknown; check --org and --stack\n")));
            let (code, said) = stack.fail(&[command, "--org", ORG, "--since", "3651d"]);
            assert!(code == 2 && said.contains("the ledger keeps deliveries for 3650 days at most"), "{said}");
            let (code, said) = stack.fail(&[command, "--org", ORG, "--since", "lately"]);
            assert!(code == 2 && said.contains("expected a time"), "{said}");
        }
        stack.orgs().set_state(ORG.parse().unwrap(), OrgState::Uninstalled, Clock::system().now()).await.unwrap();
        let (code, said) = stack.fail(&["replay", "--org", ORG, "--since", "1h", "--yes"]);
        assert!(code == 2 && said.contains("it is uninstalled, not active"), "{said}");
    });
}

#[test]
fn a_replay_queues_each_record_once_as_its_newest_delivery() {
    run(async {
        let stack = Stack::create().await;
        ledger(&stack).await;
        let replay = ["replay", "--org", ORG, "--since", "24h"];

        let planned = stack.json(&[&replay[..], &["--dry-run"]].concat());
        assert_eq!(
            (&planned["queued"], &planned["records"], &planned["without_record"]),
            (&json!(0), &json!(2), &json!(1))
        );
        let accounts = json!({ "object": "Account", "deliveries": 2, "records": 1, "api_calls_at_least": 1 });
        assert_eq!((&planned["objects"][0], &planned["api_calls_at_least"]), (&accounts, &json!(2)));
        let (code, said) = stack.fail(&replay);
        assert!(code == 2 && said.contains("add --yes"), "{said}");
        assert!(stack.drain::<ChangeHint>("RecordUpsertQueue").await.is_empty());

        for _ in 0..2 {
            let said = stack.succeed(&[&replay[..], &["--yes"]].concat());
            assert!(said.contains("2 records were queued.") && said.contains("1 delivery is skipped"), "{said}");
            let mut hints: Vec<ChangeHint> = stack.drain("RecordUpsertQueue").await;
            hints.sort_by_key(|hint| hint.record.as_ref().map(|record| record.record_id));
            let newest = |hint: &ChangeHint| (hint.delivery_id.to_string(), hint.source, hint.deferrals.count);
            let wanted = ["04l5e0000000003", "04l5e0000000005"].map(|id| (id.to_owned(), Source::OutboundMessage, 0));
            assert_eq!(hints.iter().map(newest).collect::<Vec<_>>(), wanted);
            let ledger = stack.deliveries().load(hints[0].org_id, &hints[0].delivery_id).await.unwrap();
            assert_eq!(Some(hints[0].received_at), ledger.map(|delivery| delivery.received_at));
        }
    });
}

#[test]
fn a_ledger_without_records_queues_nothing() {
    run(async {
        let stack = Stack::create().await;
        let said = stack.succeed(&["replay", "--org", ORG, "--since", "7d", "--yes"]);
        assert!(said.starts_with(&format!("No delivery from org {ORG} since ")), "{said}");
    });
}
