use salesforce::ObjectDescribe;
use serde_json::{Value, json};

use super::*;

fn describe(name: &str, fields: &[Value]) -> ObjectDescribe {
    let field = |extra: &Value| {
        let mut field = json!({
            "label": "Field", "type": "string", "nillable": true, "createable": true, "updateable": true,
            "filterable": true, "sortable": true,
        });
        field.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        field
    };
    let fields: Vec<Value> = fields.iter().map(field).collect();
    serde_json::from_value(json!({
        "name": name, "label": name, "keyPrefix": null, "custom": false, "queryable": true, "createable": true,
        "updateable": true, "replicateable": true, "fields": fields,
    }))
    .unwrap()
}

fn schema() -> Schema {
    let account = [
        json!({ "name": "Id" }),
        json!({ "name": "SystemModstamp" }),
        json!({ "name": "Name" }),
        json!({ "name": "Description", "filterable": false }),
        json!({ "name": "OwnerId", "referenceTo": ["User"], "relationshipName": "Owner" }),
    ];
    let user = [json!({ "name": "Id" }), json!({ "name": "SystemModstamp" }), json!({ "name": "Alias" })];
    let view = [json!({ "name": "Id" })];
    Schema::of([describe("Account", &account), describe("User", &user), describe("SavedView", &view)])
}

fn settings(json: Value) -> OrgSettings {
    serde_json::from_value(json).unwrap()
}

fn deployed() -> Vec<ObjectName> {
    vec![ObjectName::from_static("Account")]
}

fn places(json: Value) -> Vec<(String, DefectCode)> {
    let defects = check(&settings(json), &deployed(), &schema());
    defects.into_iter().map(|defect| (defect.field.unwrap(), defect.code)).collect()
}

#[test]
fn settings_of_the_org_s_objects_are_accepted() {
    for accepted in [
        json!({}),
        json!({ "fields": { "Account": ["name"] } }),
        json!({ "objects": ["User"], "filters": { "User": "Alias != NULL" } }),
        json!({ "filters": { "Account": "Owner.Alias = 'ada' OR Name LIKE 'A%'" } }),
    ] {
        assert_eq!(places(accepted.clone()), [], "{accepted}");
    }
}

#[test]
fn every_defect_is_found_at_once() {
    let defects = places(json!({
        "objects": ["Account", "Nowhere__c", "account", "SavedView"],
        "fields": { "Account": ["Name", "Colour", "NAME", "Owner.Name"], "User": ["Alias"], "Nowhere__c": ["Name"] },
        "filters": { "Account": "Owner.Colour = 'a' AND Description = 'b' AND Shape = 'c'", "User": "Alias = 'x'" },
    }));
    let (malformed, object, field) = (DefectCode::Malformed, DefectCode::ObjectNotVisible, DefectCode::FieldNotVisible);
    let expected = [
        ("objects[1]", object),
        ("objects[2]", malformed),
        ("objects[3]", malformed),
        ("fields.Account[1]", field),
        ("fields.Account[2]", malformed),
        ("fields.Account[3]", malformed),
        ("fields.Nowhere__c", object),
        ("fields.User", malformed),
        ("filters.Account", malformed),
        ("filters.Account", field),
        ("filters.Account", field),
        ("filters.User", malformed),
    ];
    assert_eq!(defects, expected.map(|(place, code)| (place.to_owned(), code)));
}

#[test]
fn the_objects_of_relationships_are_described_too() {
    let settings = settings(json!({ "filters": { "Account": "Owner.Alias = 'ada' AND Name = 'x'" } }));
    let referenced: Vec<String> = referenced_objects(&settings, &schema()).iter().map(ToString::to_string).collect();
    assert_eq!(referenced, ["User"]);
}

#[test]
fn only_what_is_mirrored_otherwise_is_to_refresh() {
    let before = settings(json!({ "objects": ["Account", "User", "Lead"], "fields": { "Lead": ["Name"] } }));
    let after = settings(json!({
        "objects": ["Account", "User", "Lead", "Contact"], "filters": { "User": "Alias = 'x'" }, "poll_minutes": 5,
    }));
    let again: Vec<String> = to_refresh(&before, &after, &deployed()).iter().map(ToString::to_string).collect();
    assert_eq!(again, ["User", "Lead", "Contact"]);
    let left_out = settings(json!({ "objects": ["Account", "Lead"], "fields": { "Lead": ["Name"] } }));
    assert_eq!(to_refresh(&before, &left_out, &deployed()), ["User".parse().unwrap()]);
    assert_eq!(to_refresh(&before, &before, &deployed()), []);
}

#[test]
fn objects_are_named_as_salesforce_spells_them() {
    let sent = json!({
        "objects": ["savedview", "User"], "fields": { "savedview": ["Id"] }, "filters": { "SAVEDVIEW": "Id != NULL" },
        "poll_minutes": 5,
    });
    let expected = json!({
        "objects": ["SavedView", "User"], "fields": { "SavedView": ["Id"] }, "filters": { "SavedView": "Id != NULL" },
        "poll_minutes": 5,
    });
    // Names that differ only in case are equal, and their texts are not.
    assert_eq!(serde_json::to_value(spelled(settings(sent), &schema())).unwrap(), expected);
}

#[test]
fn the_fields_of_an_object_are_bounded() {
    let listed = |count| json!({ "fields": { "Account": vec!["Name"; count] } });
    let twice = places(listed(MAX_FIELDS));
    assert_eq!(twice.len(), MAX_FIELDS - 1, "each but the first is listed twice");
    assert_eq!(places(listed(MAX_FIELDS + 1)), [("fields.Account".to_owned(), DefectCode::Malformed)]);
}

#[test]
fn the_settings_are_bounded() {
    let name = ["A".repeat(250), "B".repeat(250), "C".repeat(250)].join(".");
    let listed = |count| settings(json!({ "fields": { "Account": vec![name.as_str(); count] } }));
    let whole = Defect::whole("the settings have more than 200 KB");
    assert_eq!(check(&listed(300), &deployed(), &schema()), std::slice::from_ref(&whole));
    assert!(!check(&listed(200), &deployed(), &schema()).contains(&whole));
}
