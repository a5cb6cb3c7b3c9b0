//! Collections: many records in one request.

use serde_json::{Value, json};

use crate::check::{Check, holds, same};
use crate::org::{Org, typed};

const CREATE: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_create.htm";
const UPDATE: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_update.htm";
const RETRIEVE: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_retrieve.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a collection returns one result for each record, in the order of the request",
        source: "recording rest/collections/create-contacts-success.json",
        relied_on: "results are matched with records by their position",
        run: |org| {
            let records = (0..10).map(|n| json!({"LastName": org.name(&format!("order {n}"))})).collect();
            let ids = org.create_all("Contact", records)?;
            let found = org.query(&format!(
                "SELECT Id, LastName FROM Contact WHERE LastName LIKE '{}%' ORDER BY LastName",
                org.name("order ")
            ))?;
            let by_name: Vec<&str> = found.list("/records").iter().filter_map(|row| row["Id"].as_str()).collect();
            same("the ids in the order of the request", &by_name, &ids.iter().map(String::as_str).collect())
        },
    },
    Check {
        name: "a record that fails has statusCode, and the others are saved",
        source: CREATE,
        relied_on: "one wrong record does not stop the others",
        run: |org| {
            let results = create(org, false)?.has_status(200)?;
            if let Some(id) = results.at("/1/id").as_str() {
                org.own("Contact", id);
            }
            let error = json!({
                "statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]",
                "fields": ["LastName"], "errorCode": "<absent>",
            });
            results.is(
                200,
                &json!([
                    {"success": false, "errors": [error], "id": "<absent>"},
                    {"id": "<id 003>", "success": true, "errors": []},
                ]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "with allOrNone the valid records are ALL_OR_NONE_OPERATION_ROLLED_BACK",
        source: "recording rest/collections/create-contacts-partial-but-allOrNone.json",
        relied_on: "the record that caused the rollback is found by its other code",
        run: |org| {
            let result = |code: &str| {
                json!({
                    "success": false, "errors": [{"statusCode": code, "message": "<text>", "fields": "<list>"}],
                    "id": "<absent>",
                })
            };
            create(org, true)?
                .is(200, &json!([result("REQUIRED_FIELD_MISSING"), result("ALL_OR_NONE_OPERATION_ROLLED_BACK")]))?;
            let found = org.query(&format!("SELECT Id FROM Contact WHERE LastName = '{}'", org.name("valid")))?;
            same("saved records", &json!(0), found.at("/totalSize"))
        },
    },
    Check {
        name: "a collection without records is refused with errorCode",
        source: "recording rest/collections/create-contacts-err-bad-request.json",
        relied_on: "an empty collection is not sent",
        run: |org| {
            let refused = org.post("composite/sobjects", json!({"allOrNone": false, "records": []})).send()?;
            refused.is(
                400,
                &json!([{"errorCode": "REQUIRED_FIELD_MISSING", "message": "At least 1 record is required"}]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "a collection of more than 200 records is EXCEEDED_ID_LIMIT",
        source: CREATE,
        relied_on: "writes are divided into collections of 200",
        run: |org| {
            let records: Vec<Value> =
                (0..201).map(|n| typed("Contact", &json!({"LastName": org.name(&format!("201 {n}"))}))).collect();
            let refused = org.post("composite/sobjects", json!({"allOrNone": true, "records": records})).send()?;
            for id in refused.list("").iter().filter_map(|result| result["id"].as_str()) {
                org.own("Contact", id);
            }
            refused.fails(400, "EXCEEDED_ID_LIMIT")?;
            Ok(())
        },
    },
    Check {
        name: "an update of a collection returns the id of each record",
        source: UPDATE,
        relied_on: "up to 200 records are updated by one request",
        run: |org| {
            let ids = org.create_all(
                "Contact",
                vec![json!({"LastName": org.name("u1")}), json!({"LastName": org.name("u2")})],
            )?;
            let record = |id: &str| json!({"attributes": {"type": "Contact"}, "id": id, "Title": "updated"});
            let body = json!({"allOrNone": false, "records": [record(&ids[0]), record(&ids[1])]});
            let updated = |id: &str| json!({"id": id, "success": true, "errors": []});
            org.patch("composite/sobjects", body).send()?.is(200, &json!([updated(&ids[0]), updated(&ids[1])]))?;
            let found = org.query(&format!(
                "SELECT Id FROM Contact WHERE Title = 'updated' AND Id IN ('{}', '{}')",
                ids[0], ids[1]
            ))?;
            same("updated records", &json!(2), found.at("/totalSize"))
        },
    },
    Check {
        name: "an update of an unknown id fails alone",
        source: UPDATE,
        relied_on: "a record that is gone does not stop the others",
        run: |org| {
            let id = org.create("Contact", json!({"LastName": org.name("known")}))?;
            let record = |id: &str| json!({"attributes": {"type": "Contact"}, "id": id, "Title": "x"});
            let body = json!({"allOrNone": false, "records": [record("003000000000001AAA"), record(&id)]});
            let results = org.patch("composite/sobjects", body).send()?;
            results.is(
                200,
                &json!([
                    {"success": false, "errors": [{"statusCode": "<text>", "message": "<text>"}]},
                    {"id": id, "success": true},
                ]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "a delete of a collection returns one result for each id",
        source: "recording rest/collections/delete-2.json",
        relied_on: "records are deleted in groups",
        run: |org| {
            let ids =
                org.create_all("Account", vec![json!({"Name": org.name("d1")}), json!({"Name": org.name("d2")})])?;
            let deleted = |id: &str| json!({"id": id, "success": true, "errors": []});
            let results = org.delete(&format!("composite/sobjects?ids={}&allOrNone=false", ids.join(","))).send()?;
            results.is(200, &json!([deleted(&ids[0]), deleted(&ids[1])]))?;
            Ok(())
        },
    },
    Check {
        name: "a read of many ids returns null for those that do not exist",
        source: RETRIEVE,
        relied_on: "a record that is not visible is told by its position",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("many")}))?;
            let body = json!({"ids": [id, "001000000000001AAA"], "fields": ["Id", "Name"]});
            let found = org.post("composite/sobjects/Account", body).send()?;
            found.is(200, &json!([{"attributes": {"type": "Account"}, "Id": id, "Name": org.name("many")}, null]))?;
            let path = format!("composite/sobjects/Account?ids={id},001000000000001AAA&fields=Id,Name");
            org.get(&path).send()?.is(200, &json!([{"Id": id}, null]))?;
            Ok(())
        },
    },
    Check {
        name: "a read of more than 2,000 ids is refused",
        source: RETRIEVE,
        relied_on: "reads are divided into collections of 2,000",
        run: |org| {
            let ids = vec!["001000000000001AAA"; 2_001];
            let refused = org.post("composite/sobjects/Account", json!({"ids": ids, "fields": ["Id"]})).send()?;
            holds(refused.status == 400, "400", refused.shown())
        },
    },
    Check {
        name: "a read of an unknown field refuses the whole collection",
        source: RETRIEVE,
        relied_on: "a hidden field is left out and the read repeated",
        run: |org| {
            let body = json!({"ids": ["001000000000001AAA"], "fields": ["Id", "No_Such_Field__c"]});
            org.post("composite/sobjects/Account", body).send()?.fails(400, "INVALID_FIELD")?;
            Ok(())
        },
    },
    Check {
        name: "records of several types can be in one collection",
        source: CREATE,
        relied_on: "an account and its contacts can be written together",
        run: |org| {
            let records = [
                typed("Account", &json!({"Name": org.name("mixed")})),
                typed("Contact", &json!({"LastName": org.name("mixed")})),
            ];
            let results = org
                .post("composite/sobjects", json!({"allOrNone": true, "records": records}))
                .send()?
                .has_status(200)?;
            for (at, object) in ["Account", "Contact"].iter().enumerate() {
                org.own(object, &results.text(&format!("/{at}/id"))?);
            }
            results.is(200, &json!([{"id": "<id 001>", "success": true}, {"id": "<id 003>", "success": true}]))?;
            Ok(())
        },
    },
];

/// Creates a contact without a name and a valid one.
fn create(org: &Org, all_or_none: bool) -> Result<crate::answer::Answer, crate::check::Finding> {
    let records =
        [typed("Contact", &json!({"FirstName": "invalid"})), typed("Contact", &json!({"LastName": org.name("valid")}))];
    org.post("composite/sobjects", json!({"allOrNone": all_or_none, "records": records})).send()
}
