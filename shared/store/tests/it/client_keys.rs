use jiff::SignedDuration;
use store::client_keys::{Claimed, Sent};
use store::{ClientKey, ClientKeys, OrgData, OrgTable, RecordLedger, WriteId};

use crate::harness::{at, org, other_org, run, tables};

const TASK: &str = "00T5e00000ZkM3hEAF";
const OTHER_TASK: &str = "00T5e00000ZkM3iEAF";

fn key(key: &str) -> ClientKey {
    ClientKey::new(None, &"Task".parse().unwrap(), key)
}

fn sent(write: &str, seconds: i64) -> Sent {
    Sent {
        write_id: WriteId::derive(org(), &write.parse().unwrap()),
        user_id: "0055e000001mKpCAAU".parse().unwrap(),
        sent_at: at(seconds),
    }
}

#[test]
fn a_client_key_is_claimed_by_one_request() {
    run(async {
        let (client, tables) = tables().await;
        let keys = ClientKeys::new(client, tables.name("write_order"));
        let (first, second) = (sent("k1", 1), sent("k2", 2));
        let claim = async |earlier, request| keys.claim(org(), &[(key("a"), earlier)], request).await.unwrap()[0];

        assert_eq!(claim(None, first).await, Claimed::Yes);
        assert_eq!(claim(None, second).await, Claimed::Sent(first));
        assert_eq!(claim(Some(sent("k1", 3)), second).await, Claimed::Sent(first), "not the claim that was looked for");
        assert_eq!(claim(Some(first), second).await, Claimed::Yes);
        assert_eq!(keys.claim(other_org(), &[(key("a"), None)], first).await.unwrap(), [Claimed::Yes]);

        keys.release(org(), &[key("a")], first).await.unwrap();
        assert_eq!(claim(None, first).await, Claimed::Sent(second), "another request's claim is kept");
        keys.release(org(), &[key("a")], second).await.unwrap();
        assert_eq!(claim(None, first).await, Claimed::Yes);
    });
}

#[test]
fn a_look_at_a_client_key_claims_nothing() {
    run(async {
        let (client, tables) = tables().await;
        let keys = ClientKeys::new(client, tables.name("write_order"));
        let request = sent("k1", 1);
        let look = async || keys.look_up(org(), &[key("a")]).await.unwrap()[0];

        assert_eq!((look().await, look().await), (Claimed::Yes, Claimed::Yes));
        keys.claim(org(), &[(key("a"), None)], request).await.unwrap();
        assert_eq!(look().await, Claimed::Sent(request));
        keys.release(org(), &[key("a")], request).await.unwrap();
        assert_eq!(look().await, Claimed::Yes, "the claim was given up");
        let record = TASK.parse().unwrap();
        keys.take(org(), &key("a"), record, request).await.unwrap();
        assert_eq!(look().await, Claimed::Created { record, by: request.write_id });
    });
}

#[test]
fn a_record_is_of_one_client_key() {
    run(async {
        let (client, tables) = tables().await;
        let data = OrgData::new(&client, |table| tables.name(table.name()));
        let days = SignedDuration::from_hours(24);
        let keys = ClientKeys::new(client, tables.name("write_order")).with_retention(days);
        let (record, other) = (TASK.parse().unwrap(), OTHER_TASK.parse().unwrap());
        let request = sent("k1", 1);
        keys.claim(org(), &[(key("a"), None)], request).await.unwrap();

        assert!(keys.take(org(), &key("a"), record, request).await.unwrap());
        assert!(keys.take(org(), &key("a"), record, request).await.unwrap(), "again");
        assert!(!keys.take(org(), &key("b"), record, sent("k2", 2)).await.unwrap());
        keys.take_all(org(), &[(key("c"), other)], request).await.unwrap();

        keys.release(org(), &[key("a")], request).await.unwrap();
        let claimed = keys.claim(org(), &[(key("a"), None), (key("b"), None)], sent("k2", 3)).await.unwrap();
        assert_eq!(claimed, [Claimed::Created { record, by: request.write_id }, Claimed::Yes]);

        let (rows, _) = data.page(org(), OrgTable::WriteOrder, None).await.unwrap();
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().all(|row| row["expires_at"].as_i64() >= Some(days.as_secs())), "{rows:?}");
        let erased = data.delete_record_page(org(), record, RecordLedger::ClientKeys, None).await.unwrap();
        assert_eq!(erased.deleted, 2);
        assert_eq!(data.page(org(), OrgTable::WriteOrder, None).await.unwrap().0.len(), 3);
    });
}
