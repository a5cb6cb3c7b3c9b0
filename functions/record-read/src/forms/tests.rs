use serde_json::{Value, json};

use super::*;

fn field(name: &str, kind: &str, more: Value) -> Value {
    let mut field = json!({
        "name": name, "label": name, "type": kind, "nillable": true, "createable": true, "updateable": true,
    });
    field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    field
}

fn describe(fields: &[Value]) -> ObjectDescribe {
    serde_json::from_value(json!({
        "name": "Order__c", "label": "Order", "keyPrefix": "a00", "custom": true, "queryable": true, "createable": true,
        "updateable": true, "replicateable": true, "fields": fields,
        "recordTypeInfos": [{"recordTypeId": "012000000000000AAA", "name": "Master", "developerName": "Master", "active": true,
            "available": true, "defaultRecordTypeMapping": true, "master": true}],
    }))
    .unwrap()
}

/// Returns a page with one item for each list of components.
fn layout(items: &[(bool, Value)]) -> Layout {
    let item = |(required, components): &(bool, Value)| json!({"label": "", "required": required, "layoutComponents": components});
    let items: Vec<Value> = items.iter().map(item).collect();
    serde_json::from_value(
        json!({"editLayoutSections": [{"heading": "Order", "layoutRows": [{"layoutItems": items}]}]}),
    )
    .unwrap()
}

fn component(name: &str) -> Value {
    json!({"type": "Field", "value": name, "components": []})
}

fn form(describe: &ObjectDescribe, layout: Option<&Layout>) -> Value {
    let record_type = RecordTypeView::from(&describe.record_type_infos[0]);
    let form = build("00D000000000001", describe, layout, &Picklists::OfObject(describe), (Source::Team, record_type));
    serde_json::to_value(form).unwrap()
}

#[test]
fn a_page_requires_fields_that_salesforce_does_not() {
    let describe = describe(&[
        field("Number__c", "string", json!({"length": 20})),
        field("Status__c", "picklist", json!({"defaultedOnCreate": true})),
        field("Paid__c", "boolean", json!({"nillable": false})),
        field(
            "Customer__c",
            "reference",
            json!({"nillable": false, "referenceTo": ["Account"], "relationshipOrder": 0}),
        ),
        field("Total__c", "currency", json!({"precision": 18, "scale": 2, "createable": false})),
    ]);
    let all = ["Number__c", "Status__c", "Paid__c", "Total__c"].map(|name| (true, json!([component(name)])));

    let form = form(&describe, Some(&layout(&all)));

    let shown = &form["sections"][0]["fields"];
    let required: Vec<&Value> = shown.as_array().unwrap().iter().map(|field| &field["required"]).collect();
    assert_eq!(required, [&json!("layout"), &Value::Null, &Value::Null, &Value::Null]);
    assert_eq!(
        (&form["other_fields"][0]["name"], &form["other_fields"][0]["required"]),
        (&json!("Customer__c"), &json!("object"))
    );
    assert_eq!(form["required"], json!(["Number__c", "Customer__c"]));
    let org = "/v1/orgs/00D000000000001";
    let look_up = json!([
        format!("GET {org}/records/Account"),
        format!("GET {org}/search?objects=Account"),
        format!("POST {org}/matches")
    ]);
    assert_eq!(form["other_fields"][0]["reference"]["targets"], json!([{"object": "Account", "look_up": look_up}]));
    assert_eq!(form["other_fields"][0]["reference"]["master_detail"], true);
    assert_eq!((&shown[0]["length"], shown[0].get("scale")), (&json!(20), None));
    assert_eq!((&shown[3]["digits"], &shown[3]["scale"]), (&json!(18), &json!(2)));
}

#[test]
fn a_compound_field_is_shown_once_with_its_parts() {
    let part = |name: &str| field(name, "string", json!({"compoundFieldName": "Site__c"}));
    let describe = describe(&[
        field("Site__c", "address", json!({"createable": false, "updateable": false})),
        part("Site__Street__s"),
        part("Site__City__s"),
    ]);
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };

    let whole = json!([{"type": "Field", "value": "Site__c", "components": [component("Site__City__s")]}]);
    let on_page = form(&describe, Some(&layout(&[(true, whole)])));
    assert_eq!(names(&on_page["sections"][0]["fields"]), ["Site__c"]);
    assert_eq!(names(&on_page["sections"][0]["fields"][0]["parts"]), ["Site__City__s"]);
    assert_eq!((&on_page["other_fields"], &on_page["required"]), (&json!([]), &json!([])));

    let beside = form(&describe, None);
    assert_eq!(names(&beside["other_fields"]), ["Site__c"]);
    assert_eq!(names(&beside["other_fields"][0]["parts"]), ["Site__Street__s", "Site__City__s"]);

    let separate = layout(&[(false, json!([component("Site__City__s"), {"type": "Separator", "value": ","}]))]);
    let separate = form(&describe, Some(&separate));
    assert_eq!(names(&separate["sections"][0]["fields"]), ["Site__City__s"]);
    assert_eq!(names(&separate["other_fields"][0]["parts"]), ["Site__Street__s"]);
}

/// The describe of a person account has the name of a company, too, which is required and cannot be set.
#[test]
fn the_page_of_a_person_requires_the_last_name() {
    let part = |name: &str| field(name, "string", json!({"compoundFieldName": "Name"}));
    let describe =
        describe(&[field("Name", "string", json!({"nillable": false})), part("FirstName"), part("LastName")]);
    let parts = [component("FirstName"), component("LastName")];
    let person = layout(&[(true, json!([{"type": "Field", "value": "Name", "components": parts}]))]);
    let company = layout(&[(true, json!([component("Name")]))]);

    assert_eq!(form(&describe, Some(&person))["required"], json!(["LastName"]));
    let company = form(&describe, Some(&company));
    assert_eq!((&company["required"], &company["other_fields"]), (&json!(["Name"]), &json!([])));
}

#[test]
fn the_bitmap_of_a_describe_names_the_controlling_values() {
    let entry = |value: &str, bits: &str, active: bool| json!({"active": active, "label": null, "value": value, "validFor": bits});
    // The bitmaps are 0b1000_0000, 0b0100_0000 and 0b1100_0000.
    let describe = describe(&[
        field("Country__c", "picklist", json!({"picklistValues": [entry("DE", "", true), entry("US", "", true)]})),
        field(
            "Town__c",
            "picklist",
            json!({
                "controllerName": "Country__c",
                "picklistValues": [entry("Berlin", "gA==", true), entry("Boston", "QA==", true), entry("Old", "wA==", false)],
            }),
        ),
        field(
            "Gift__c",
            "picklist",
            json!({
                "controllerName": "Wrapped__c", "picklistValues": [entry("Bow", "QA==", true)],
            }),
        ),
        field("Wrapped__c", "boolean", json!({"nillable": false})),
    ]);

    let form = form(&describe, None);

    let value = |name: &str, valid: &str| json!({"value": name, "label": name, "default": false, "valid_for": [valid]});
    let values = |place: usize| &form["other_fields"][place]["picklist"]["values"];
    assert_eq!(values(1), &json!([value("Berlin", "DE"), value("Boston", "US")]));
    assert_eq!(values(2), &json!([value("Bow", "true")]));
    assert_eq!((&form["picklists"], &form["layout"]), (&json!("object"), &json!("none")));
}
