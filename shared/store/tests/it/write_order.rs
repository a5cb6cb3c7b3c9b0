use jiff::SignedDuration;
use serde_json::json;
use store::{OrgData, OrgTable, Place, RecordKey, WriteId, WriteOrder};

use crate::harness::{at, counted, org, other_org, run, tables};

fn record(key: &str) -> RecordKey {
    RecordKey::new(&"Account".parse().unwrap(), &"Ferry_External_Id__c".parse().unwrap(), &json!(key))
}

fn place(seconds: i64) -> Place {
    Place { at: at(seconds), write: WriteId::derive(org(), &format!("k-{seconds}").parse().unwrap()) }
}

#[test]
fn places_are_taken_once_and_given_up() {
    run(async {
        let (client, tables) = tables().await;
        let order = WriteOrder::new(client, tables.name("write_order"));
        let (one, both) = (vec![record("A-1")], vec![record("A-1"), record("A-2")]);

        order.join(org(), &one, place(1), at(1)).await.unwrap();
        let mut joined = order.join(org(), &both, place(2), at(2)).await.unwrap().unwrap();
        joined[0].sort_unstable();
        assert_eq!(joined, [vec![place(1), place(2)], vec![place(2)]]);
        assert_eq!(order.join(org(), &one, place(2), at(3)).await.unwrap().unwrap()[0].len(), 2, "again");
        assert_eq!(order.join(other_org(), &one, place(3), at(3)).await.unwrap().unwrap(), [vec![place(3)]]);

        assert_eq!(order.leave(org(), &both, &[place(2)], at(4)).await.unwrap(), [vec![place(1)], vec![]]);
        assert_eq!(order.leave(org(), &both, &[place(2)], at(5)).await.unwrap(), [vec![place(1)], vec![]]);
    });
}

#[test]
fn a_place_costs_one_request_to_take_and_one_to_give_up() {
    run(async {
        let (client, tables) = tables().await;
        let (client, requests) = counted(&client);
        let order = WriteOrder::new(client, tables.name("write_order"));
        let records: Vec<_> = (0..200).map(|n| record(&format!("A-{n}"))).collect();

        order.join(org(), &records, place(1), at(1)).await.unwrap();
        assert_eq!(requests.take(), 200);
        order.leave(org(), &records, &[place(1)], at(1)).await.unwrap();
        assert_eq!(requests.take(), 200);
    });
}

#[test]
fn rows_expire_and_have_no_values() {
    run(async {
        let (client, tables) = tables().await;
        let data = OrgData::new(&client, |table| tables.name(table.name()));
        let order = WriteOrder::new(client, tables.name("write_order"));
        order.join(org(), &[record("ann@example.com")], place(1), at(1)).await.unwrap();

        let (rows, _) = data.page(org(), OrgTable::WriteOrder, None).await.unwrap();

        let [row] = &rows[..] else { panic!("{rows:?}") };
        let expires_at = (at(1) + SignedDuration::from_hours(21 * 24)).as_second();
        assert_eq!(row["expires_at"], json!(expires_at));
        assert!(!json!(row).to_string().contains("ann"), "{row:?}");
    });
}
