use proptest::prelude::*;
use serde_json::json;

use super::*;

const DEAL: &str = "0065e00000AbCdEAAV";
const OTHER_DEAL: &str = "0065e00000AbCdFAAV";
const ADA: &str = "0035e00000ZkM3hAAF";

fn describe(fields: &[(&str, &str)]) -> ObjectDescribe {
    let field = |(name, field_type): &(&str, &str)| {
        let relationship = name.strip_suffix("Id").filter(|_| *field_type == "reference");
        json!({"name": name, "label": name, "type": field_type, "nillable": true, "createable": true, "updateable": true,
            "scale": 2, "nameField": *name == "Name", "relationshipName": relationship, "referenceTo": ["Opportunity"]})
    };
    serde_json::from_value(json!({
        "name": "Task", "label": "Task", "keyPrefix": "00T", "custom": false, "queryable": true, "createable": true,
        "updateable": true, "replicateable": true, "fields": fields.iter().map(field).collect::<Vec<_>>(),
    }))
    .unwrap()
}

fn task() -> ObjectDescribe {
    describe(&[
        ("WhatId", "reference"),
        ("Subject", "combobox"),
        ("ActivityDate", "date"),
        ("ReminderDateTime", "datetime"),
        ("IsReminderSet", "boolean"),
        ("Hours__c", "double"),
        ("Topics__c", "multipicklist"),
        ("Status", "picklist"),
        ("Priority", "picklist"),
        ("Description", "textarea"),
    ])
}

fn fields(json: Value) -> JsonObject {
    serde_json::from_value(json).unwrap()
}

fn compare(object: &str, describe: &ObjectDescribe, sent: Value, row: Value) -> Option<usize> {
    let (sent, row) = (fields(sent), fields(row));
    equal_values(&compared(&object.parse().unwrap(), describe, &[&sent], true), &sent, &row)
}

#[test]
fn a_record_is_recognized_as_salesforce_keeps_it() {
    let sent = json!({
        "whatid": &DEAL[..15], "Subject": " Call  Ada ", "ActivityDate": "2026-11-22", "ReminderDateTime": "2026-11-22T11:00:00.4+01:00",
        "IsReminderSet": "true", "Hours__c": "1.505", "Topics__c": "Price;Dates", "Status": "Open", "Description": "", "Unknown__c": 1,
        "TaskWhoIds": [ADA], "Priority": null,
    });
    let row = json!({
        "WhatId": DEAL, "Subject": "Call Ada", "ActivityDate": "2026-11-22", "ReminderDateTime": "2026-11-22T10:00:00.000+0000",
        "IsReminderSet": true, "Hours__c": 1.51, "Topics__c": "Dates;Price", "Status": "open", "Description": null, "Priority": "Normal",
    });
    assert_eq!(compare("Task", &task(), sent, row), Some(9), "all that is readable and not null");
}

#[test]
fn a_record_with_another_reference_name_or_date_is_another() {
    let sent = json!({"WhatId": DEAL, "Subject": "Call", "ActivityDate": "2026-11-22", "Status": "Open"});
    for (field, value) in [("WhatId", OTHER_DEAL), ("Subject", "Mail"), ("ActivityDate", "2026-11-23")] {
        let mut row = fields(sent.clone());
        row.insert(field.to_owned(), json!(value));
        assert_eq!(compare("Task", &task(), sent.clone(), Value::Object(row)), None, "{field}");
    }
}

#[test]
fn half_of_the_other_values_may_have_been_changed() {
    let one = |subject: Value, status: &str| json!({"Subject": subject, "Status": status});
    assert_eq!(compare("Task", &task(), one(json!("Call"), "Open"), one(json!("Call"), "Done")), Some(1));
    assert_eq!(
        compare("Task", &task(), one(json!(null), "Open"), one(json!("Call"), "Done")),
        None,
        "nothing is equal"
    );
    let sent = json!({"Subject": "Call", "Status": "Open", "Priority": "High"});
    let row = |status: &str, priority: &str| json!({"Subject": "Call", "Status": status, "Priority": priority});
    assert_eq!(compare("Task", &task(), sent.clone(), row("Open", "High")), Some(3));
    assert_eq!(compare("Task", &task(), sent.clone(), row("Done", "High")), Some(2));
    assert_eq!(compare("Task", &task(), sent, row("Done", "Low")), None);
}

#[test]
fn a_hidden_field_is_not_compared() {
    let without_subject = describe(&[("WhatId", "reference"), ("Status", "picklist")]);
    let sent = json!({"WhatId": DEAL, "Subject": "Call", "Status": "Open"});
    assert_eq!(compare("Task", &without_subject, sent, json!({"WhatId": DEAL, "Status": "Open"})), Some(2));
}

#[test]
fn a_natural_key_decides_alone() {
    let member = describe(&[("CampaignId", "reference"), ("ContactId", "reference"), ("Status", "picklist")]);
    let sent = json!({"CampaignId": DEAL, "ContactId": ADA, "Status": "Sent"});
    let row = json!({"CampaignId": DEAL, "ContactId": ADA, "Status": "Responded"});
    assert_eq!(compare("campaignmember", &member, sent.clone(), row), Some(2));
    let other = fields(sent);
    let compared = |object: &str| compared(&object.parse().unwrap(), &member, &[&other], true).len();
    assert_eq!((compared("CampaignMember"), compared("Visit__c")), (2, 3), "of another object the status counts");
}

#[test]
fn a_related_record_is_compared_by_its_external_id() {
    let sent = json!({"What": {"Key__c": "D-7"}, "Subject": "Call"});
    let row = |key: Value| json!({"What": {"Key__c": key}, "Subject": "Call"});
    assert_eq!(compare("Task", &task(), sent.clone(), row(json!("d-7"))), Some(2));
    assert_eq!(compare("Task", &task(), sent.clone(), row(json!("D-8"))), None);
    assert_eq!(compare("Task", &task(), sent.clone(), json!({"What": null, "Subject": "Call"})), None);
    let (sent, row) = (fields(sent), fields(json!({"Subject": "Call"})));
    let without_paths = compared(&"Task".parse().unwrap(), &task(), &[&sent], false);
    assert_eq!(equal_values(&without_paths, &sent, &row), Some(1));
}

/// Returns the largest number of records that can have a row, by trying all assignments.
fn largest(candidates: &[Vec<(usize, usize)>], taken: &mut BTreeSet<usize>) -> usize {
    let Some((first, rest)) = candidates.split_first() else { return 0 };
    let mut best = largest(rest, taken);
    for (row, _) in first {
        if taken.insert(*row) {
            best = best.max(1 + largest(rest, taken));
            taken.remove(row);
        }
    }
    best
}

fn any_candidates() -> impl Strategy<Value = Vec<Vec<(usize, usize)>>> {
    let of_record = prop::collection::btree_map(0usize..6, 0usize..5, 0..5);
    prop::collection::vec(of_record.prop_map(|rows| rows.into_iter().collect()), 0..6)
}

proptest! {
    #[test]
    fn each_row_is_taken_once_and_as_many_as_possible(candidates in any_candidates()) {
        let assigned = assign(&candidates);
        prop_assert_eq!(assigned.len(), candidates.len());
        let rows: Vec<usize> = assigned.iter().flatten().copied().collect();
        let distinct: BTreeSet<usize> = rows.iter().copied().collect();
        prop_assert_eq!(distinct.len(), rows.len());
        for (candidates, row) in candidates.iter().zip(&assigned) {
            prop_assert!(row.is_none_or(|row| candidates.iter().any(|(candidate, _)| *candidate == row)));
        }
        prop_assert_eq!(rows.len(), largest(&candidates, &mut BTreeSet::new()));
    }

    #[test]
    fn equal_records_are_matched_one_to_one(records in 0usize..8, rows in 0usize..8) {
        let candidates = vec![(0..rows).map(|row| (row, 3)).collect::<Vec<_>>(); records];
        prop_assert_eq!(assign(&candidates).into_iter().flatten().count(), records.min(rows));
    }

    #[test]
    fn the_row_with_the_most_equal_values_is_taken(equal in prop::collection::vec(0usize..9, 1..6)) {
        let candidates: Vec<(usize, usize)> = equal.iter().copied().enumerate().collect();
        let taken = assign(&[candidates])[0].unwrap();
        prop_assert_eq!(equal[taken], *equal.iter().max().unwrap());
    }
}
