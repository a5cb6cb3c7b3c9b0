use proptest::prelude::*;
use salesforce::{Clock, ObjectName};
use serde_json::json;

use super::cache::BELIEVED_FOR;
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
fn all_that_can_be_read_is_mirrored_unless_told_otherwise() {
    let account =
        describe("Account", &["Id", "Name", "BillingAddress", "LastViewedDate", "SystemModstamp", "IsDeleted"]);
    for configured in ["", "Contact:Email"] {
        let fields = ObjectFields::of(&account, &configured.parse().unwrap());
        assert_eq!(names(&fields.selected), ["Id", "Name", "SystemModstamp", "IsDeleted"]);
        assert_eq!(names(&fields.of_the_deleted), ["Id", "IsDeleted", "SystemModstamp"]);
        assert!(fields.left_out.is_empty());
    }
}

#[test]
fn a_configured_set_always_has_what_orders_and_explains_versions() {
    let of_all = ["Id", "IsDeleted", "MasterRecordId", "Name", "Industry", "LastModifiedById", "SystemModstamp"];
    let configured = "Contact:Email;account: industry , Secret__c,BillingAddress".parse().unwrap();

    let fields = ObjectFields::of(&describe("Account", &of_all), &configured);

    let expected = ["Id", "IsDeleted", "MasterRecordId", "Industry", "LastModifiedById", "SystemModstamp"];
    assert_eq!(names(&fields.selected), expected);
    assert_eq!(names(&fields.left_out), ["Secret__c", "BillingAddress"]);
}

#[test]
fn what_is_not_there_is_not_asked_for() {
    let fields = ObjectFields::of(&describe("Log__x", &["Id", "Text__c"]), &"Log__x:Text__c".parse().unwrap());
    assert_eq!(names(&fields.selected), ["Id", "Text__c"]);
    assert!(fields.of_the_deleted.is_empty());
}

#[test]
fn a_malformed_list_is_refused_with_the_place_and_never_the_value() {
    let cases = [
        ("Account", Malformed::Object(1)),
        ("Account:Name;", Malformed::Object(2)),
        (":Name", Malformed::Object(1)),
        ("Account,Contact:Name", Malformed::Object(1)),
        ("Account:Name;account:Industry", Malformed::ObjectTwice(2)),
        ("Account:", Malformed::Field(1)),
        ("Account:Name,,Industry", Malformed::Field(1)),
        ("Account:Name,Owner.Email", Malformed::Field(1)),
        ("Contact:Email;Account:Na me", Malformed::Field(2)),
        ("Account:Name,NAME", Malformed::FieldTwice(1)),
    ];
    for (text, expected) in cases {
        let refused = text.parse::<MirroredFields>().unwrap_err();
        assert_eq!(refused, expected, "{text}");
        assert!(!refused.to_string().contains("Account"), "{refused}");
    }
}

proptest! {
    #[test]
    fn nothing_is_selected_that_cannot_be_read_and_nothing_configured_is_dropped_in_silence(
        readable in prop::collection::btree_set("[A-D][a-c]", 0..8),
        configured in prop::collection::btree_set("[A-D][a-c]", 1..8),
    ) {
        let of_all: Vec<&str> = ["Id", "SystemModstamp"].into_iter().chain(readable.iter().map(String::as_str)).collect();
        let list = format!("Account:{}", configured.iter().cloned().collect::<Vec<_>>().join(","));

        let fields = ObjectFields::of(&describe("Account", &of_all), &list.parse().unwrap());

        prop_assert!(names(&fields.selected).iter().all(|name| of_all.contains(name)));
        for name in &configured {
            let selected = names(&fields.selected).contains(&name.as_str());
            prop_assert_eq!(selected, readable.contains(name));
            prop_assert_ne!(selected, names(&fields.left_out).contains(&name.as_str()));
        }
    }
}

#[test]
fn a_describe_is_believed_for_a_while_and_forgotten_when_told() {
    let (org, object) = ("00D5e000000KQ2eEAG".parse().unwrap(), ObjectName::from_static("Account"));
    let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
    let cache = FieldCache::default();
    let described = describe("Account", &["Id", "Name"]);

    assert_eq!(cache.recall(org, &object, clock.now()), None);
    let learned = cache.learn(org, &object, &described, clock.now());
    assert_eq!(cache.recall(org, &object, clock.now()), Some(learned));
    clock.advance(BELIEVED_FOR);
    assert_eq!(cache.recall(org, &object, clock.now()), None);
    cache.learn(org, &object, &described, clock.now());
    cache.forget(org, &object);
    assert_eq!(cache.recall(org, &object, clock.now()), None);
}
