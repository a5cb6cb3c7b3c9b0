use jiff::SignedDuration;
use salesforce::{ObjectName, Record};
use serde_json::{Map, Value, json};
use store::{
    BeginOutcome, Change, Deferrals, Deliveries, Delivery, DeliveryOutcome, NewWrite, Obstacle, OrgData, OrgTable,
    QueuedState, Records, Source, Tombstone, WaitingFor, WriteKind, WriteTask, Writes,
};

use crate::harness::{account, at, org, other_org, run, tables};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const DAY: i64 = 86_400;

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

async fn rows(data: &OrgData, table: OrgTable) -> Vec<Map<String, Value>> {
    data.page(org(), table, None).await.unwrap().0
}

#[test]
fn an_accepted_write_expires_once_it_has_ended() {
    run(async {
        let (client, tables) = tables().await;
        let data = OrgData::new(&client, |table| tables.name(table.name()));
        let writes = Writes::new(client, tables.name("writes")).with_retention(days(10));
        let new = NewWrite {
            org_id: org(),
            idempotency_key: "key-1".parse().unwrap(),
            kind: WriteKind::Records,
            object: Some(ACCOUNT),
            platform_user: None,
            request: json!({}),
            retry_of: None,
            now: at(0),
            claim_ttl: SignedDuration::from_secs(30),
        };
        let BeginOutcome::Started(write) = writes.begin(&new).await.unwrap() else { panic!("not started") };
        let expires_at = at(10 * DAY).as_second();
        assert_eq!(rows(&data, OrgTable::Writes).await[0]["expires_at"], json!(expires_at), "it is not accepted yet");
        let obstacle =
            Obstacle { waiting_for: WaitingFor::Salesforce, reason: None, next: None, waits_for: Vec::new() };
        let queued = QueuedState {
            request: &json!({}),
            deferrals: Deferrals { count: 1, ..Deferrals::default() },
            obstacle: &obstacle,
            next_attempt_at: at(15),
            outcome: None,
        };
        let write = writes.queue(&write, &queued, at(1)).await.unwrap();
        assert!(!rows(&data, OrgTable::Writes).await[0].contains_key("expires_at"));
        let task = WriteTask { org_id: org(), write_id: write.write_id, deferrals: 1, postponed_since: None };
        let BeginOutcome::Started(write) = writes.resume(&task, at(DAY), SignedDuration::from_secs(30)).await.unwrap()
        else {
            panic!("not taken over")
        };

        writes.finish(&write, None, &json!({}), at(DAY + 5)).await.unwrap();

        let expires_at = at(11 * DAY + 5).as_second();
        assert_eq!(rows(&data, OrgTable::Writes).await[0]["expires_at"], json!(expires_at));
        assert!(matches!(writes.begin(&new).await.unwrap(), BeginOutcome::Replay(_)), "the attribute does no harm");
    });
}

#[test]
fn a_tombstone_expires_and_a_restored_record_does_not() {
    run(async {
        let (client, tables) = tables().await;
        let data = OrgData::new(&client, |table| tables.name(table.name()));
        let records = Records::new(client, tables.name("records")).with_tombstone_retention(days(30));
        let deleted = Tombstone {
            record_id: account(1),
            system_modstamp: at(1),
            read_at: at(2),
            master_record_id: None,
            reason: None,
        };
        records.apply(org(), &ACCOUNT, Change::Tombstone(deleted)).await.unwrap();
        let expires_at = at(30 * DAY + 2).as_second();
        assert_eq!(rows(&data, OrgTable::Records).await[0]["expires_at"], json!(expires_at));

        let fields = json!({ "Name": "Acme", "SystemModstamp": at(3) }).as_object().unwrap().clone();
        let record = Record { object: ACCOUNT, id: account(1), fields };
        records.apply(org(), &ACCOUNT, Change::Upsert { record, read_at: at(4) }).await.unwrap();
        assert!(!rows(&data, OrgTable::Records).await[0].contains_key("expires_at"));

        records.erase(org(), &ACCOUNT, account(1)).await.unwrap();
        let erased = rows(&data, OrgTable::Records).await;
        assert_eq!((&erased[0]["erased"], erased[0].contains_key("expires_at")), (&json!(true), false));
    });
}

#[test]
fn a_delivery_expires_after_its_arrival() {
    run(async {
        let (client, tables) = tables().await;
        let data = OrgData::new(&client, |table| tables.name(table.name()));
        let deliveries = Deliveries::new(client, tables.name("deliveries")).with_retention(days(3));
        let outcomes = [DeliveryOutcome::Applied, DeliveryOutcome::Unchanged];
        let delivery = |(n, outcome): (usize, DeliveryOutcome)| Delivery {
            org_id: org(),
            delivery_id: format!("04l5e0000{n:06}").parse().unwrap(),
            source: Source::OutboundMessage,
            record: None,
            received_at: at(0),
            settled_at: at(100),
            outcome,
        };
        deliveries.record(&outcomes.into_iter().enumerate().map(delivery).collect::<Vec<_>>()).await.unwrap();

        for row in rows(&data, OrgTable::Deliveries).await {
            assert_eq!(row["expires_at"], json!(at(3 * DAY).as_second()));
        }
    });
}

#[test]
fn the_rows_of_an_org_are_found_whatever_their_object() {
    run(async {
        let (client, tables) = tables().await;
        let data = OrgData::new(&client, |table| tables.name(table.name()));
        let records = Records::new(client, tables.name("records"));
        for (org, object) in [(org(), "Account"), (org(), "Former__c"), (other_org(), "Account")] {
            let object: ObjectName = object.parse().unwrap();
            let fields = json!({ "SystemModstamp": at(1) }).as_object().unwrap().clone();
            let record = Record { object: object.clone(), id: account(1), fields };
            records.apply(org, &object, Change::Upsert { record, read_at: at(2) }).await.unwrap();
        }
        let page = data.delete_page(org(), OrgTable::Records, None).await.unwrap();
        assert_eq!((page.deleted, page.next), (2, None));
        assert!(records.load(other_org(), &ACCOUNT, account(1)).await.unwrap().is_some());
    });
}
