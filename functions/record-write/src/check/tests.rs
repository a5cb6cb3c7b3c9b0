//! The rules of the checks, with describes that are as small as possible. [`against_org`] compares them with an org.

mod against_org;

use std::sync::Arc;

use salesforce::{FieldName, ObjectName, RecordId};
use serde_json::{Value, json};

use super::*;

static DEAL: ObjectName = ObjectName::from_static("Opportunity");
const RENEWAL: &str = "012000000000001AAA";
const HIDDEN: &str = "012000000000002AAA";
static KEY: FieldName = FieldName::from_static("Key__c");

fn field(name: &str, field_type: &str, more: Value) -> Value {
    let mut field = json!({
        "name": name, "label": name, "type": field_type, "nillable": true, "createable": true, "updateable": true, "length": 80,
    });
    field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    field
}

fn values(values: &[(&str, bool)]) -> Value {
    let entry = |(value, active): &(&str, bool)| json!({"active": active, "label": null, "value": value});
    values.iter().map(entry).collect()
}

fn object(name: &str, may: [bool; 2], fields: Value) -> ObjectDescribe {
    serde_json::from_value(json!({
        "name": name, "label": name, "keyPrefix": "006", "custom": false, "queryable": true, "createable": may[0],
        "updateable": may[1], "replicateable": true, "fields": fields, "recordTypeInfos": [
            {"recordTypeId": RENEWAL, "name": "Renewal", "available": true, "defaultRecordTypeMapping": true},
            {"recordTypeId": HIDDEN, "name": "Hidden", "available": false, "defaultRecordTypeMapping": false},
            {"recordTypeId": "012000000000000AAA", "name": "Master", "available": true, "defaultRecordTypeMapping": false, "master": true},
        ],
    }))
    .unwrap()
}

fn schema() -> Schema {
    let fields = json!([
        field("Id", "id", json!({"createable": false, "updateable": false, "nillable": false})),
        field("Key__c", "string", json!({"externalId": true})),
        field("Name", "string", json!({"nillable": false})),
        field(
            "StageName",
            "picklist",
            json!({"nillable": false, "picklistValues": values(&[("New", true), ("Won", true), ("Old", false)])})
        ),
        field(
            "Level__c",
            "picklist",
            json!({"restrictedPicklist": true, "picklistValues": values(&[("Low", true), ("High", true), ("Past", false)])})
        ),
        field(
            "Tags__c",
            "multipicklist",
            json!({"restrictedPicklist": true, "picklistValues": values(&[("a", true), ("b", true)])})
        ),
        field("Free__c", "picklist", json!({"picklistValues": values(&[("a", true)])})),
        // The bitmaps are 0b1000_0000 and 0b0100_0000.
        field(
            "Town__c",
            "picklist",
            json!({"restrictedPicklist": true, "controllerName": "Country__c", "picklistValues": [
                {"active": true, "label": null, "value": "Berlin", "validFor": "gA=="},
                {"active": true, "label": null, "value": "Boston", "validFor": "QA=="},
            ]})
        ),
        field("Country__c", "picklist", json!({"picklistValues": values(&[("DE", true), ("US", true)])})),
        field(
            "Total__c",
            "currency",
            json!({"createable": false, "updateable": false, "calculated": true, "precision": 18, "scale": 2})
        ),
        field("Once__c", "string", json!({"updateable": false})),
        field("Paid__c", "boolean", json!({"nillable": false})),
        field("RecordTypeId", "reference", json!({"referenceTo": ["RecordType"], "relationshipName": "RecordType"})),
        field("AccountId", "reference", json!({"referenceTo": ["Account"], "relationshipName": "Account"})),
        field("WhatId", "reference", json!({"referenceTo": ["Account", "Campaign"], "relationshipName": "What"})),
    ]);
    let parent = json!([field("Key__c", "string", json!({"externalId": true}))]);
    Schema::of([object("Opportunity", [true, true], fields), object("Account", [true, true], parent)])
}

fn stages_of_renewal() -> Picklists {
    let value = |value: &str| json!({"value": value, "label": value, "validFor": [], "attributes": null});
    let town = |value: &str, valid_for: u32| json!({"value": value, "label": value, "validFor": [valid_for]});
    let of_type = json!({
        "StageName": {"values": [value("New")]},
        "Town__c": {"values": [town("Berlin", 0), town("Boston", 1)], "controllerValues": {"DE": 0, "US": 1}},
    });
    let mut picklists = Picklists::default();
    picklists.insert(
        DEAL.clone(),
        RENEWAL.parse::<RecordId>().unwrap(),
        Arc::new(serde_json::from_value(of_type).unwrap()),
    );
    picklists
}

/// Returns the defects of a record as `Field code`.
fn defects_in(picklists: &Picklists, action: Action, fields: &Value) -> Vec<String> {
    let key = (action != Action::Create).then_some(&KEY);
    let row = Row { object: &DEAL, fields: fields.as_object().unwrap(), action, key };
    let text = |defect: Defect| {
        let code = serde_json::to_value(defect.code).unwrap();
        format!("{} {}", defect.field.unwrap_or_default(), code.as_str().unwrap())
    };
    check(&schema(), picklists, &[row]).into_iter().map(text).collect()
}

fn defects(action: Action, fields: &Value) -> Vec<String> {
    defects_in(&Picklists::default(), action, fields)
}

#[test]
fn all_defects_of_all_records_are_found_at_once() {
    let records = [
        json!({"Name": "x".repeat(81), "StageName": "Lost", "Nope__c": 1, "Total__c": 2}),
        json!({"name": "Acme", "stagename": "new", "Paid__c": "maybe"}),
    ];
    let rows: Vec<Row<'_>> = records
        .iter()
        .map(|fields| Row { object: &DEAL, fields: fields.as_object().unwrap(), action: Action::Create, key: None })
        .collect();
    let found = check(&schema(), &Picklists::default(), &rows);
    let places: Vec<_> =
        found.iter().map(|defect| (defect.record.unwrap(), defect.field.as_deref().unwrap())).collect();
    assert_eq!(places, [(0, "Name"), (0, "StageName"), (0, "Nope__c"), (0, "Total__c"), (1, "Paid__c")]);
    assert_eq!(found[1].allowed, ["New", "Won"]);
}

#[test]
fn only_a_new_record_needs_every_required_field() {
    assert_eq!(defects(Action::Create, &json!({})), ["Name required", "StageName required"]);
    assert_eq!(
        defects(Action::Create, &json!({"Name": "", "StageName": null})),
        ["Name required", "StageName required"]
    );
    for action in [Action::Update, Action::Upsert] {
        assert_eq!(defects(action, &json!({"Key__c": "1"})), [""; 0]);
        assert_eq!(defects(action, &json!({"Key__c": "1", "Name": ""})), ["Name required"]);
    }
}

#[test]
fn an_upsert_is_refused_only_for_what_both_effects_are() {
    let record = json!({"Name": "Acme", "StageName": "New", "Once__c": "x"});
    assert_eq!(defects(Action::Create, &record), [""; 0]);
    assert_eq!(defects(Action::Upsert, &record), [""; 0]);
    assert_eq!(defects(Action::Update, &record), ["Once__c field_read_only"]);
    assert_eq!(defects(Action::Upsert, &json!({"Total__c": 1})), ["Total__c field_read_only"]);
}

#[test]
fn a_missing_object_permission_is_one_defect() {
    let fields = json!([field("Name", "string", json!({"createable": false, "updateable": false}))]);
    for (may, expected) in [([false, false], [1, 1, 1]), ([true, false], [0, 1, 0]), ([false, true], [1, 0, 0])] {
        let schema = Schema::of([object("Opportunity", may, fields.clone())]);
        let record = json!({"Nope__c": "Acme"});
        let count = |action| {
            let row = Row { object: &DEAL, fields: record.as_object().unwrap(), action, key: None };
            let found = check(&schema, &Picklists::default(), &[row]);
            found.iter().filter(|defect| defect.code == DefectCode::ObjectReadOnly).count()
        };
        assert_eq!([Action::Create, Action::Update, Action::Upsert].map(count), expected, "{may:?}");
    }
}

#[test]
fn an_object_that_was_not_described_has_no_defects() {
    let record = json!({"Nope__c": "Acme"});
    let row = Row { object: &DEAL, fields: record.as_object().unwrap(), action: Action::Create, key: None };
    let mut unanswered = Schema::default();
    unanswered.add_unanswered(DEAL.clone());
    assert_eq!(check(&unanswered, &Picklists::default(), &[row]), []);
}

#[test]
fn a_restricted_picklist_has_only_its_values() {
    let record =
        |level: &str, tags: &str| json!({"Key__c": "1", "Level__c": level, "Tags__c": tags, "Free__c": "anything"});
    assert_eq!(defects(Action::Upsert, &record("low", "a; B;")), [""; 0]);
    let wrong = ["Level__c unknown_picklist_value", "Tags__c unknown_picklist_value"];
    assert_eq!(defects(Action::Upsert, &record("Medium", "a;c")), wrong);
    assert_eq!(defects(Action::Update, &record("Past", "a")), [""; 0], "an existing record may keep an inactive value");
    let new = json!({"Name": "A", "StageName": "New", "Level__c": "Past"});
    assert_eq!(defects(Action::Create, &new), ["Level__c unknown_picklist_value"]);
}

#[test]
fn a_stage_is_one_of_the_pipeline_of_the_record_type() {
    let picklists = stages_of_renewal();
    let new = |stage: &str| json!({"Name": "A", "StageName": stage});
    assert_eq!(defects_in(&picklists, Action::Create, &new("New")), [""; 0]);
    assert_eq!(defects_in(&picklists, Action::Create, &new("Won")), ["StageName unknown_picklist_value"]);
    let upsert = |stage: &str| json!({"Key__c": "1", "StageName": stage});
    assert_eq!(defects_in(&picklists, Action::Upsert, &upsert("Won")), [""; 0], "the record type is not known");
    assert_eq!(defects_in(&picklists, Action::Upsert, &upsert("Lost")), ["StageName unknown_picklist_value"]);
    let typed = json!({"Key__c": "1", "StageName": "Won", "RecordTypeId": RENEWAL});
    assert_eq!(defects_in(&picklists, Action::Upsert, &typed), ["StageName unknown_picklist_value"]);
}

/// Returns the pipeline of a record type, with the stages `New` (by default) and `Next`, and `Former`, which is inactive.
fn stored_pipeline(record_type: &str, stale: bool) -> store::Pipeline {
    let stage = |name: &str, is_active: bool, is_default: bool| {
        json!({
            "api_name": name, "label": name, "sort_order": 1, "probability": 10.0, "is_closed": false, "is_won": false,
            "forecast_category": "Pipeline", "is_active": is_active, "is_default": is_default,
        })
    };
    let stale_reason = stale.then_some("stages_hidden");
    serde_json::from_value(json!({
        "record_type_id": record_type, "developer_name": "Renewal", "name": "Renewal", "is_active": true,
        "is_default": true, "stale_reason": stale_reason,
        "stages": [stage("Next", true, false), stage("New", true, true), stage("Former", false, false)],
    }))
    .unwrap()
}

fn with_pipelines(mut picklists: Picklists, pipelines: Vec<store::Pipeline>) -> Picklists {
    picklists.set_pipelines(Arc::new(pipelines));
    picklists
}

#[test]
fn an_unknown_record_type_has_the_stages_of_its_stored_pipeline() {
    let new = |stage: &str| json!({"Name": "A", "StageName": stage});
    let unknown = ["StageName unknown_picklist_value"];
    let stored = with_pipelines(Picklists::default(), vec![stored_pipeline(RENEWAL, false)]);
    assert_eq!(defects_in(&stored, Action::Create, &new("Next")), [""; 0]);
    assert_eq!(defects_in(&stored, Action::Create, &new("Won")), unknown, "a stage of another pipeline");
    let stale = with_pipelines(Picklists::default(), vec![stored_pipeline(RENEWAL, true)]);
    let other = with_pipelines(Picklists::default(), vec![stored_pipeline(HIDDEN, false)]);
    for picklists in [stale, other] {
        assert_eq!(defects_in(&picklists, Action::Create, &new("Won")), [""; 0]);
        assert_eq!(defects_in(&picklists, Action::Create, &new("Next")), unknown, "the org has no such stage");
    }
    let read = with_pipelines(stages_of_renewal(), vec![stored_pipeline(RENEWAL, false)]);
    assert_eq!(defects_in(&read, Action::Create, &new("Next")), unknown, "what Salesforce returns is newer");
}

#[test]
fn an_existing_opportunity_keeps_an_inactive_stage_of_its_pipeline() {
    let upsert = |record_type: Option<&str>| match record_type {
        Some(id) => json!({"Key__c": "1", "StageName": "Former", "RecordTypeId": id}),
        None => json!({"Key__c": "1", "StageName": "Former"}),
    };
    let new = json!({"Name": "A", "StageName": "Former"});
    for picklists in [Picklists::default(), stages_of_renewal()] {
        let unknown = ["StageName unknown_picklist_value"];
        assert_eq!(defects_in(&picklists, Action::Upsert, &upsert(None)), unknown);
        let stored = with_pipelines(picklists, vec![stored_pipeline(RENEWAL, false)]);
        assert_eq!(defects_in(&stored, Action::Upsert, &upsert(None)), [""; 0]);
        assert_eq!(defects_in(&stored, Action::Upsert, &upsert(Some(RENEWAL))), [""; 0]);
        assert_eq!(defects_in(&stored, Action::Upsert, &upsert(Some(HIDDEN))), unknown);
        assert_eq!(defects_in(&stored, Action::Create, &new), unknown);
    }
}

#[test]
fn a_missing_stage_names_those_of_the_pipeline() {
    let stored = with_pipelines(Picklists::default(), vec![stored_pipeline(RENEWAL, false)]);
    let fields = json!({"Name": "A"});
    let row = Row { object: &DEAL, fields: fields.as_object().unwrap(), action: Action::Create, key: None };
    let found = serde_json::to_value(check(&schema(), &stored, &[row])).unwrap();
    assert_eq!((&found[0]["code"], &found[0]["allowed"]), (&json!("required"), &json!(["New", "Next"])));
}

#[test]
fn only_opportunities_need_the_pipelines() {
    let needs = |object: &ObjectName, action, fields: &Value| {
        needs_pipelines(&schema(), &[Row { object, fields: fields.as_object().unwrap(), action, key: None }])
    };
    assert!(needs(&DEAL, Action::Create, &json!({})));
    assert!(needs(&DEAL, Action::Upsert, &json!({"stagename": "New"})));
    assert!(!needs(&DEAL, Action::Upsert, &json!({"Name": "A"})));
    assert!(!needs(&"Account".parse().unwrap(), Action::Create, &json!({})));
}

#[test]
fn only_the_needed_picklists_are_requested() {
    let needed = |action, fields: Value| {
        let fields = fields.as_object().unwrap().clone();
        needed_picklists(&schema(), &[Row { object: &DEAL, fields: &fields, action, key: None }]).len()
    };
    assert_eq!(needed(Action::Create, json!({"StageName": "New"})), 1);
    assert_eq!(needed(Action::Upsert, json!({"StageName": "New", "RecordTypeId": RENEWAL})), 1);
    assert_eq!(needed(Action::Upsert, json!({"StageName": "New"})), 0);
    assert_eq!(needed(Action::Create, json!({"Free__c": "a", "StageName": null})), 0);
}

#[test]
fn a_dependent_value_is_available_with_its_controlling_value() {
    let record = |country: Value, town: &str| json!({"Key__c": "1", "Country__c": country, "Town__c": town, "RecordTypeId": RENEWAL});
    for picklists in [Picklists::default(), stages_of_renewal()] {
        let defects = |country, town| defects_in(&picklists, Action::Upsert, &record(country, town));
        assert_eq!(defects(json!("DE"), "Berlin"), [""; 0]);
        assert_eq!(defects(json!("de"), "Boston"), ["Town__c unknown_dependent_value"]);
        assert_eq!(defects(json!(null), "Boston"), [""; 0], "the controlling value of the record is not known");
        assert_eq!(defects(json!("Elsewhere"), "Boston"), [""; 0]);
        assert_eq!(defects(json!("DE"), "Rome"), ["Town__c unknown_picklist_value"]);
    }
}

#[test]
fn a_record_type_is_one_that_the_user_may_use() {
    let record = |id: &str| json!({"Name": "A", "StageName": "New", "RecordTypeId": id});
    for (id, create, upsert) in [
        (RENEWAL, true, true),
        (&RENEWAL[..15], true, true),
        ("012000000000000AAA", true, true),
        (HIDDEN, false, true),
        ("012000000000009AAA", false, false),
    ] {
        assert_eq!(defects(Action::Create, &record(id)).is_empty(), create, "{id}");
        assert_eq!(defects(Action::Upsert, &record(id)).is_empty(), upsert, "{id}");
    }
}

#[test]
fn a_reference_names_an_object_and_a_field_that_fit() {
    let new = |name: &str, value: Value| json!({"Name": "A", "StageName": "New", name: value});
    for (name, value) in [
        ("AccountId", json!("001D000000IRFmaIAH")),
        ("Account", json!({"Key__c": "A-1"})),
        ("What", json!({"attributes": {"type": "account"}, "Key__c": "A-1"})),
        ("What", json!({"attributes": {"type": "Campaign"}, "Any__c": "not described"})),
        ("What", json!({"Any__c": "of several objects"})),
        ("WhatId", json!("a0XD000000IRFmaIAH")),
    ] {
        assert_eq!(defects(Action::Create, &new(name, value.clone())), [""; 0], "{value}");
    }
    for (name, value) in [
        ("AccountId", json!("003D000000IRFmaIAH")),
        ("Account", json!({"Nope__c": "A-1"})),
        ("What", json!({"attributes": {"type": "Contact"}, "Key__c": "A-1"})),
    ] {
        assert_eq!(defects(Action::Create, &new(name, value)), [format!("{name} invalid_reference")]);
    }
    assert_eq!(parents(&schema(), &[]), []);
}

#[test]
fn the_lists_of_an_activity_are_fields() {
    assert_eq!(defects(Action::Upsert, &json!({"TaskWhoIds": ["003D000000IRFmaIAH"]})), [""; 0]);
}
