use std::collections::BTreeSet;

use salesforce::{ObjectName, Record};
use serde_json::json;
use store::{Audit, AuditCounts, AuditState, Audits, Change, Records, RowState, RowsHash, Tombstone};

use crate::harness::{account, at, org, other_org, run, tables};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const CONTACT: ObjectName = ObjectName::from_static("Contact");

fn audit(object: ObjectName, started_at: i64, state: AuditState) -> Audit {
    Audit {
        org_id: org(),
        object,
        started_at: at(started_at),
        state,
        reason: (state == AuditState::Unfinished).then(|| "over_budget".to_owned()),
        counts: AuditCounts { checked: 2_000, missing: 1, repaired: 1, calls: 3, ..AuditCounts::default() },
        org_hash: "0f".parse().unwrap(),
        mirror_hash: RowsHash::default(),
        updated_at: at(started_at + 1),
    }
}

#[test]
fn a_report_replaces_that_of_the_same_audit_until_it_is_finished() {
    run(async {
        let (client, tables) = tables().await;
        let audits = Audits::new(client, tables.name("audits"));
        for state in [AuditState::Running, AuditState::Unfinished, AuditState::Finished, AuditState::Running] {
            audits.store(&audit(ACCOUNT, 1, state)).await.unwrap();
        }
        assert_eq!(audits.list(org(), 10).await.unwrap(), [audit(ACCOUNT, 1, AuditState::Finished)]);
        assert!(audits.list(other_org(), 10).await.unwrap().is_empty());
    });
}

#[test]
fn the_last_audit_of_each_object_is_found() {
    run(async {
        let (client, tables) = tables().await;
        let audits = Audits::new(client, tables.name("audits"));
        for (object, started_at) in [(ACCOUNT, 5), (CONTACT, 2), (CONTACT, 3), (ACCOUNT, 1)] {
            audits.store(&audit(object, started_at, AuditState::Finished)).await.unwrap();
        }
        let found = |audits: Vec<Audit>| -> Vec<_> {
            audits.into_iter().map(|audit| (audit.object.to_string(), audit.started_at)).collect()
        };
        let both = [("Account".to_owned(), at(5)), ("Contact".to_owned(), at(3))];
        assert_eq!(found(audits.last(org()).await.unwrap()), both);
        assert_eq!(found(audits.list(org(), 2).await.unwrap()), both, "the newest first");
    });
}

#[test]
fn the_versions_of_all_rows_are_read_in_pages_without_their_fields() {
    run(async {
        let (client, tables) = tables().await;
        let records = Records::new(client, tables.name("records"));
        let upsert = |n: usize| {
            let fields = json!({ "Id": account(n), "Name": "n".repeat(10_000), "SystemModstamp": at(n as i64) });
            let fields = fields.as_object().unwrap().clone();
            Change::Upsert { record: Record { object: ACCOUNT, id: account(n), fields }, read_at: at(100) }
        };
        let changes = (1..=30).map(upsert).collect();
        for outcome in records.apply_all(org(), &ACCOUNT, changes).await {
            outcome.unwrap();
        }
        let (record_id, system_modstamp) = (account(7), at(50));
        let gone = Tombstone { record_id, system_modstamp, read_at: at(101), master_record_id: None, reason: None };
        records.apply(org(), &ACCOUNT, Change::Tombstone(gone)).await.unwrap();

        let (mut read, mut after, mut pages) = (BTreeSet::new(), None, 0);
        loop {
            let page = records.list_versions(org(), &ACCOUNT, after, 8).await.unwrap();
            assert!(page.rows.is_sorted_by_key(|row| row.record_id), "in the order of their ids");
            read.extend(page.rows.into_iter().map(|row| (row.record_id, row.state == RowState::Deleted)));
            pages += 1;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }

        assert_eq!(read, (1..=30).map(|n| (account(n), n == 7)).collect());
        assert_eq!(pages, 4);
        let wanted = [account(3), account(7), account(99)];
        let loaded = records.load_versions(org(), &ACCOUNT, &wanted).await.unwrap();
        let loaded: BTreeSet<_> = loaded.iter().map(|row| row.record_id).collect();
        assert_eq!(loaded, BTreeSet::from([account(3), account(7)]));
    });
}
