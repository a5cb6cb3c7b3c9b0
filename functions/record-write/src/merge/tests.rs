use serde_json::json;

use super::*;

fn id(last: char) -> RecordId {
    format!("0015e00000ZkM3{last}").parse().unwrap()
}

fn parse(object: &str, body: &Value) -> Result<MergeRecords, Vec<String>> {
    let parsed = MergeRecords::parse(object.parse().unwrap(), id('h'), body);
    parsed.map_err(|defects| defects.iter().map(Defect::to_string).collect())
}

#[test]
fn a_merge_names_one_or_two_other_records() {
    let merge = parse("account", &json!({"merged_ids": [id('i'), id('j')], "fields": {"Phone": null}})).unwrap();
    assert_eq!((merge.merged_ids.len(), merge.records().len()), (2, 3));
    for (ids, defect) in [
        (json!([]), "merged_ids: must be a list of 1 or 2 record ids"),
        (json!([id('i'), id('j'), id('k')]), "merged_ids: must be a list of 1 or 2 record ids"),
        (json!("x"), "merged_ids: must be a list of 1 or 2 record ids"),
        (json!([id('h')]), "merged_ids[0]: is the record that stays, which the path names"),
        (json!([id('i'), id('i')]), "merged_ids[1]: is named more than once"),
        (json!(["x"]), "merged_ids[0]: must be a record id"),
    ] {
        assert_eq!(parse("Account", &json!({"merged_ids": ids})).unwrap_err(), [defect], "{ids}");
    }
}

#[test]
fn only_four_objects_are_merged() {
    for object in ["Account", "contact", "Lead", "Case"] {
        assert!(parse(object, &json!({"merged_ids": [id('i')]})).is_ok(), "{object}");
    }
    let refused = parse("Opportunity", &json!({"merged_ids": [id('i')]})).unwrap_err();
    assert_eq!(refused, ["Salesforce merges only records of Account, Case, Contact and Lead"]);
}

#[test]
fn the_fields_of_a_merge_are_plain_values() {
    let defect = |fields: Value| parse("Account", &json!({"merged_ids": [id('i')], "fields": fields})).unwrap_err();
    assert_eq!(defect(json!({"Id": "x"})), ["fields.Id: the record that stays is named by the path"]);
    assert_eq!(defect(json!({"Owner.Name": "x"})), ["fields.Owner.Name: must be the API name of a field"]);
    assert_eq!(
        defect(json!({"Parent": {"Key__c": 1}})),
        ["fields.Parent: must be a text, a number, a boolean or null"]
    );
    assert_eq!(defect(json!({"Name": "a\u{1}"})), ["fields.Name: contains control characters"]);
    assert_eq!(defect(json!([])), ["fields: must be an object"]);
}
