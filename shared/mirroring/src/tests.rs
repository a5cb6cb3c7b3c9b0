use proptest::prelude::*;
use salesforce::{Clock, ObjectName};
use serde_json::json;

use super::cache::MAX_AGE;
use super::*;

fn describe(object: &str, fields: &[&str]) -> ObjectDescribe {
    let field = |name: &&str| {
        let field_type = if name.ends_with("Address") { "address" } else { "string" };
        json!({ "name": name, "label": name, "type": field_type, "nillable": true, "createable": true, "updateable": true })
    };
    serde_json::from_value(json!({
        "name": object, "label": object, "keyPrefix": "001", "custom": false, "queryable": true, "createable": true,
        "updateable": true, "replicateable": true, "fields": fields.iter().map(field).collect::<Vec<_>>(),
    }))
    .unwrap()
}

fn names(fields: &[FieldName]) -> Vec<&str> {
    fields.iter().map(FieldName::as_str).collect()
}

#[test]
fn all_readable_fields_are_mirrored_by_default() {
    let account =
        describe("Account", &["Id", "Name", "BillingAddress", "LastViewedDate", "SystemModstamp", "IsDeleted"]);
    for configured in ["", "Contact:Email"] {
        let fields = ObjectFields::from_describe(&account, &configured.parse().unwrap());
        assert_eq!(names(&fields.selected), ["Id", "Name", "SystemModstamp", "IsDeleted"]);
        assert_eq!(names(&fields.deletion_fields), ["Id", "IsDeleted", "SystemModstamp"]);
        assert!(fields.unreadable.is_empty());
    }
}

#[test]
fn a_configured_list_is_completed_by_the_version_fields() {
    let of_all = ["Id", "IsDeleted", "MasterRecordId", "Name", "Industry", "LastModifiedById", "SystemModstamp"];
    let configured = "Contact:Email;account: industry , Secret__c,BillingAddress".parse().unwrap();

    let fields = ObjectFields::from_describe(&describe("Account", &of_all), &configured);

    let expected = ["Id", "IsDeleted", "MasterRecordId", "Industry", "LastModifiedById", "SystemModstamp"];
    assert_eq!(names(&fields.selected), expected);
    assert_eq!(names(&fields.unreadable), ["Secret__c", "BillingAddress"]);
}

#[test]
fn fields_that_an_object_lacks_are_not_selected() {
    let fields =
        ObjectFields::from_describe(&describe("Log__x", &["Id", "Text__c"]), &"Log__x:Text__c".parse().unwrap());
    assert_eq!(names(&fields.selected), ["Id", "Text__c"]);
    assert!(fields.deletion_fields.is_empty());
}

#[test]
fn an_invalid_list_is_refused_without_quoting_it() {
    let cases = [
        ("Account", InvalidFieldList::Object(1)),
        ("Account:Name;", InvalidFieldList::Object(2)),
        (":Name", InvalidFieldList::Object(1)),
        ("Account,Contact:Name", InvalidFieldList::Object(1)),
        ("Account:Name;account:Industry", InvalidFieldList::DuplicateObject(2)),
        ("Account:", InvalidFieldList::Field(1)),
        ("Account:Name,,Industry", InvalidFieldList::Field(1)),
        ("Account:Name,Owner.Email", InvalidFieldList::Field(1)),
        ("Contact:Email;Account:Na me", InvalidFieldList::Field(2)),
        ("Account:Name,NAME", InvalidFieldList::DuplicateField(1)),
    ];
    for (text, expected) in cases {
        let refused = text.parse::<MirroredFields>().unwrap_err();
        assert_eq!(refused, expected, "{text}");
        assert!(!refused.to_string().contains("Account"), "{refused}");
    }
}

proptest! {
    #[test]
    fn every_configured_field_is_selected_or_reported_unreadable(
        readable in prop::collection::btree_set("[A-D][a-c]", 0..8),
        configured in prop::collection::btree_set("[A-D][a-c]", 1..8),
    ) {
        let of_all: Vec<&str> = ["Id", "SystemModstamp"].into_iter().chain(readable.iter().map(String::as_str)).collect();
        let list = format!("Account:{}", configured.iter().cloned().collect::<Vec<_>>().join(","));

        let fields = ObjectFields::from_describe(&describe("Account", &of_all), &list.parse().unwrap());

        prop_assert!(names(&fields.selected).iter().all(|name| of_all.contains(name)));
        for name in &configured {
            let selected = names(&fields.selected).contains(&name.as_str());
            prop_assert_eq!(selected, readable.contains(name));
            prop_assert_ne!(selected, names(&fields.unreadable).contains(&name.as_str()));
        }
    }
}

#[test]
fn an_entry_expires_and_can_be_invalidated() {
    let (org, object) = ("00D5e000000KQ2eEAG".parse().unwrap(), ObjectName::from_static("Account"));
    let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
    let cache = FieldCache::default();
    let described = describe("Account", &["Id", "Name"]);

    assert_eq!(cache.get(org, &object, clock.now()), None);
    let inserted = cache.insert(org, &object, &described, clock.now());
    assert_eq!(cache.get(org, &object, clock.now()), Some(inserted));
    clock.advance(MAX_AGE);
    assert_eq!(cache.get(org, &object, clock.now()), None);
    cache.insert(org, &object, &described, clock.now());
    cache.invalidate(org, &object);
    assert_eq!(cache.get(org, &object, clock.now()), None);
}

#[test]
fn scans_read_by_the_best_key_that_can_be_filtered() {
    let key_of = |usable: &[&str]| {
        let field = |name: &str| {
            let is_usable = usable.contains(&name);
            json!({
                "name": name, "label": name, "type": "datetime", "nillable": true, "createable": true, "updateable": true,
                "filterable": is_usable, "sortable": is_usable,
            })
        };
        let fields = ["Id", "SystemModstamp", "LastModifiedDate", "CreatedDate", "Name"].map(field);
        let describe = serde_json::from_value(json!({
            "name": "Log__x", "label": "Log", "keyPrefix": "001", "custom": false, "queryable": true, "createable": true,
            "updateable": true, "replicateable": true, "fields": fields,
        }));
        let fields = ObjectFields::from_describe(&describe.unwrap(), &"Log__x:Name".parse().unwrap());
        assert!(fields.selected.contains(&fields.key.field()), "it is read whatever is configured");
        fields.key
    };
    assert_eq!(key_of(&["Id", "CreatedDate", "SystemModstamp", "LastModifiedDate"]), ScanKey::SystemModstamp);
    assert_eq!(key_of(&["Id", "CreatedDate", "LastModifiedDate"]), ScanKey::LastModifiedDate);
    assert_eq!(key_of(&["Id", "CreatedDate"]), ScanKey::CreatedDate);
    assert_eq!(key_of(&["Id"]), ScanKey::Id);
    assert_eq!(key_of(&[]), ScanKey::Id);
}
