//! Upserts by external id, by an idLookup field and by Id.

use serde_json::json;

use crate::check::{Check, applies, holds, same};
use crate::org::encode;

use super::describe::external_id;

const UPSERT: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm";
const COLLECTION: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_upsert.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "an upsert that creates returns 201 and created true",
        source: "recording rest/records/upsert-created-201.json",
        relied_on: "a create that is repeated makes no second record",
        run: |org| {
            let key = external_id(org, "Account")?;
            let path = format!("sobjects/Account/{key}/{}", org.key("created"));
            let created = org.patch(&path, json!({"Name": org.name("upsert created")})).send()?;
            let created =
                created.is(201, &json!({"id": "<id 001>", "success": true, "errors": [], "created": true}))?;
            org.own("Account", &created.text("/id")?);
            Ok(())
        },
    },
    Check {
        name: "an upsert that updates returns 200 and created false",
        source: UPSERT,
        relied_on: "the platform is told if a record was created",
        run: |org| {
            let key = external_id(org, "Account")?;
            let value = org.key("updated");
            let id = org.create("Account", json!({"Name": org.name("upsert updated"), key.as_str(): value}))?;
            let updated = org.patch(&format!("sobjects/Account/{key}/{value}"), json!({"Site": "new"})).send()?;
            updated.is(200, &json!({"id": id, "success": true, "errors": [], "created": false}))?;
            Ok(())
        },
    },
    Check {
        name: "an upsert by Id returns 200 with a body",
        source: "recording rest/records/upsert-by-id-updated-200.json",
        relied_on: "updates and upserts are read by one rule",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("upsert by Id")}))?;
            let updated =
                org.patch(&format!("sobjects/Account/Id/{id}?updateOnly=true"), json!({"Site": "by Id"})).send()?;
            updated.is(200, &json!({"id": id, "success": true, "errors": [], "created": false}))?;
            Ok(())
        },
    },
    Check {
        name: "an upsert of a key that two records have returns 300 with their addresses",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm",
        relied_on: "an ambiguous key is shown to a person",
        run: |org| {
            let email = format!("{}@example.com", org.key("ambiguous"));
            let contact = |name: &str| json!({"LastName": org.name(name), "Email": email});
            let ids = org.create_all("Contact", vec![contact("ambiguous 1"), contact("ambiguous 2")])?;
            let refused = org
                .patch(&format!("sobjects/Contact/Email/{}", encode(&email)), json!({"Title": "x"}))
                .send()?
                .has_status(300)?;
            let all_named = ids
                .iter()
                .all(|id| refused.list("").iter().any(|url| url.as_str().is_some_and(|url| url.ends_with(id))));
            holds(all_named && refused.list("").len() == 2, "the addresses of both records", refused.shown())
        },
    },
    Check {
        name: "slashes and spaces in a key are percent-encoded in the path",
        source: UPSERT,
        relied_on: "any external id of the platform can be written",
        run: |org| {
            let key = external_id(org, "Account")?;
            let value = format!("{} a/b+c?d#e", org.key("path"));
            let path = format!("sobjects/Account/{key}/{}", encode(&value));
            let created = org.patch(&path, json!({"Name": org.name("upsert path")})).send()?.has_status(201)?;
            org.own("Account", &created.text("/id")?);
            org.get(&path).send()?.is(200, &json!({"Id": created.at("/id"), key.as_str(): value}))?;
            Ok(())
        },
    },
    Check {
        name: "the key is compared without regard to case unless the field says otherwise",
        source: "https://help.salesforce.com/s/articleView?id=sf.custom_field_attributes.htm",
        relied_on: "keys that differ only in case are one record",
        run: |org| {
            let key = external_id(org, "Account")?;
            let found = org.get("sobjects/Account/describe").send()?.has_status(200)?;
            let field = found.list("/fields").iter().find(|field| field["name"] == key.as_str());
            applies(field.is_some_and(|field| field["caseSensitive"] == false), "the external id is case-sensitive")?;
            let value = org.key("Case");
            let id = org.create("Account", json!({"Name": org.name("key case"), key.as_str(): value}))?;
            let updated = org
                .patch(&format!("sobjects/Account/{key}/{}", value.to_uppercase()), json!({"Site": "same"}))
                .send()?;
            if let Some(other) = updated.at("/id").as_str().filter(|other| *other != id) {
                org.own("Account", other);
            }
            updated.is(200, &json!({"id": id, "created": false}))?;
            Ok(())
        },
    },
    Check {
        name: "an upsert by a field that does not exist is NOT_FOUND",
        source: "recording rest/errors/external-id-field-unknown-404.json",
        relied_on: "a package that is not installed is told from a record that is not there",
        run: |org| {
            let refused = org.patch("sobjects/Account/No_Such_Key__c/1", json!({"Name": org.name("no key")})).send()?;
            let message = "<starts Provided external ID field does not exist or is not accessible>";
            refused.is(404, &json!([{"errorCode": "NOT_FOUND", "message": message}]))?;
            Ok(())
        },
    },
    Check {
        name: "the key may not be in the body of an upsert",
        source: UPSERT,
        relied_on: "the body has only the other fields",
        run: |org| {
            let key = external_id(org, "Account")?;
            let value = org.key("in body");
            let body = json!({"Name": org.name("key in body"), key.as_str(): value});
            let refused = org.patch(&format!("sobjects/Account/{key}/{}", encode(&value)), body).send()?;
            if let Some(id) = refused.at("/id").as_str() {
                org.own("Account", id);
            }
            refused.fails(400, "INVALID_FIELD")?;
            Ok(())
        },
    },
    Check {
        name: "a second record with a unique key is DUPLICATE_VALUE with the id of the first",
        source: "https://github.com/SalesforceLabs/QuotaEdit/issues/82",
        relied_on: "a repeated create finds the record that it made",
        run: |org| {
            let key = external_id(org, "Account")?;
            let value = org.key("unique");
            let first = org.create("Account", json!({"Name": org.name("unique 1"), key.as_str(): value}))?;
            let refused =
                org.post("sobjects/Account", json!({"Name": org.name("unique 2"), key.as_str(): value})).send()?;
            let refused = refused.fails(400, "DUPLICATE_VALUE")?;
            let message = refused.text("/0/message")?;
            holds(
                message.contains("duplicates value on record with id") && message.contains(&first[..15]),
                "the id of the first record at the end",
                message,
            )
        },
    },
    Check {
        name: "a read by external id returns the record",
        source: UPSERT,
        relied_on: "a write that was not answered is looked up by its key",
        run: |org| {
            let key = external_id(org, "Account")?;
            let value = org.key("read");
            let id = org.create("Account", json!({"Name": org.name("by key"), key.as_str(): value}))?;
            org.get(&format!("sobjects/Account/{key}/{value}")).send()?.is(200, &json!({"Id": id}))?;
            org.get(&format!("sobjects/Account/{key}/{value}-absent")).send()?.fails(404, "NOT_FOUND")?;
            Ok(())
        },
    },
    Check {
        name: "an upsert of a collection says for each record if it was created",
        source: COLLECTION,
        relied_on: "up to 200 records are written by one request",
        run: |org| {
            let key = external_id(org, "Account")?;
            let (old, new) = (org.key("old"), org.key("new"));
            let id = org.create("Account", json!({"Name": org.name("old"), key.as_str(): old}))?;
            let record = |name: &str, value: &str| {
                json!({
                    "attributes": {"type": "Account"}, "Name": org.name(name), key.as_str(): value,
                })
            };
            let body = json!({"allOrNone": false, "records": [record("new", &new), record("old", &old)]});
            let results = org.patch(&format!("composite/sobjects/Account/{key}"), body).send()?.has_status(200)?;
            if let Some(created) = results.at("/0/id").as_str() {
                org.own("Account", created);
            }
            let shape = json!([
                {"id": "<id 001>", "success": true, "errors": [], "created": true},
                {"id": id, "success": true, "errors": [], "created": false},
            ]);
            results.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "two records of a collection with one key are both DUPLICATE_VALUE",
        source: COLLECTION,
        relied_on: "a collection is made without repeated keys",
        run: |org| {
            let key = external_id(org, "Account")?;
            let value = org.key("twice");
            let record =
                |name: &str| json!({"attributes": {"type": "Account"}, "Name": org.name(name), key.as_str(): value});
            let body = json!({"allOrNone": false, "records": [record("twice 1"), record("twice 2")]});
            let results = org.patch(&format!("composite/sobjects/Account/{key}"), body).send()?.has_status(200)?;
            for id in results.list("").iter().filter_map(|result| result["id"].as_str()) {
                org.own("Account", id);
            }
            let refused = json!({
                "success": false,
                "errors": [
                    {"statusCode": "DUPLICATE_VALUE", "message": "<contains Duplicate external id specified>"},
                ],
            });
            results.is(200, &json!([refused, refused]))?;
            Ok(())
        },
    },
    Check {
        name: "an upsert of a collection by Id creates the records without an id",
        source: "recording rest/collections/upsert-contacts-created.json",
        relied_on: "an upsert by Id needs no key",
        run: |org| {
            let record =
                |name: &str| json!({"attributes": {"type": "Contact"}, "Id": null, "LastName": org.name(name)});
            let body = json!({"allOrNone": false, "records": [record("null 1"), record("null 2")]});
            let results = org.patch("composite/sobjects/Contact/Id", body).send()?.has_status(200)?;
            for id in results.list("").iter().filter_map(|result| result["id"].as_str()) {
                org.own("Contact", id);
            }
            let created = json!({"id": "<id 003>", "success": true, "errors": [], "created": true});
            results.is(200, &json!([created, created]))?;
            Ok(())
        },
    },
    Check {
        name: "a text is stored without spaces at its ends",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm",
        relied_on: "a value that was written is compared with what was stored",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("trim"), "Site": "  both ends  "}))?;
            let found = org.get(&format!("sobjects/Account/{id}")).send()?.has_status(200)?;
            same("Site", &json!("both ends"), found.at("/Site"))
        },
    },
];
