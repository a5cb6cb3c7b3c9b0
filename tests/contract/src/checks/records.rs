//! Single records: create, read, update, delete, and the errors of their values.

use serde_json::{Value, json};

use crate::check::{Check, holds, not_applicable, same};

const CREATE: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_sobject_create.htm";
const GET: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_get_field_values.htm";
const ERRORS: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm";
const CODES: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm";
const DATES: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_valid_date_formats.htm";
const PREFIX: &str = "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a create returns 201 with the id and the record's location",
        source: "recording rest/records/create-201.json",
        relied_on: "the id of a new record is known at once",
        run: |org| {
            let created = org.post("sobjects/Account", json!({"Name": org.name("create")})).send()?;
            let created = created.is(201, &json!({"id": "<id 001>", "success": true, "errors": []}))?;
            let id = created.text("/id")?;
            org.own("Account", &id);
            holds(
                created.header("location").ends_with(&format!("/sobjects/Account/{id}")),
                "a location that ends in the id",
                created.header("location"),
            )
        },
    },
    Check {
        name: "a read returns the record with its type and address",
        source: "recording rest/records/get-account.json",
        relied_on: "the type of a record is in the record",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("read"), "NumberOfEmployees": 7}))?;
            let attributes = json!({"type": "Account", "url": format!("/services/data/v66.0/sobjects/Account/{id}")});
            let shape = json!({
                "attributes": attributes, "Id": id, "Name": org.name("read"), "NumberOfEmployees": 7, "Site": null,
            });
            org.get(&format!("sobjects/Account/{id}")).send()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "a read of named fields returns only these",
        source: GET,
        relied_on: "a read asks for what is mirrored and no more",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("fields")}))?;
            let found = org.get(&format!("sobjects/Account/{id}?fields=Name,OwnerId")).send()?;
            found.is(200, &json!({"Name": org.name("fields"), "OwnerId": "<id 005>", "CreatedDate": "<absent>"}))?;
            Ok(())
        },
    },
    Check {
        name: "an update returns 204 without a body",
        source: "recording rest/records/update-204.json",
        relied_on: "an update that succeeded has nothing to parse",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("update")}))?;
            let updated =
                org.patch(&format!("sobjects/Account/{id}"), json!({"Site": "north"})).send()?.has_status(204)?;
            holds(updated.bytes.is_empty(), "an empty body", updated.body())?;
            org.get(&format!("sobjects/Account/{id}?fields=Site")).send()?.is(200, &json!({"Site": "north"}))?;
            Ok(())
        },
    },
    Check {
        name: "a delete returns 204, and the record is gone",
        source: "recording rest/records/delete-204.json",
        relied_on: "a deleted record is told from one that is not visible",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("delete")}))?;
            let path = format!("sobjects/Account/{id}");
            org.delete(&path).send()?.has_status(204)?;
            org.get(&path).send()?.has_status(404)?;
            Ok(())
        },
    },
    Check {
        name: "a second delete is ENTITY_IS_DELETED",
        source: "recording rest/errors/entity-is-deleted-404.json",
        relied_on: "a repeated delete counts as done",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("delete twice")}))?;
            let path = format!("sobjects/Account/{id}");
            org.delete(&path).send()?.has_status(204)?;
            org.delete(&path)
                .send()?
                .is(404, &json!([{"errorCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []}]))?;
            Ok(())
        },
    },
    Check {
        name: "a read by an id of 15 characters returns the id of 18",
        source: PREFIX,
        relied_on: "ids of either length name the same record",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("short id")}))?;
            org.get(&format!("sobjects/Account/{}?fields=Id", &id[..15])).send()?.is(200, &json!({"Id": id}))?;
            Ok(())
        },
    },
    Check {
        name: "an id of 15 characters is case-sensitive",
        source: PREFIX,
        relied_on: "ids of 15 characters are never compared without regard to case",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("id case")}))?;
            let swap = |c: char| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            let other: String = id[..15].chars().map(swap).collect();
            if other == id[..15] {
                return Err(not_applicable("the id has no letters"));
            }
            org.get(&format!("sobjects/Account/{other}")).send()?.has_status(404)?;
            Ok(())
        },
    },
    Check {
        name: "an id of 18 characters has the suffix of its first 15",
        source: PREFIX,
        relied_on: "ids of both lengths are compared by computing the suffix",
        run: |org| {
            let id = org.create("Lead", json!({"LastName": org.name("suffix"), "Company": org.name("suffix")}))?;
            same("the suffix", &crate::pattern::suffix(&id[..15]), &id[15..].to_owned())
        },
    },
    Check {
        name: "the names of fields are accepted in any case",
        source: CREATE,
        relied_on: "a field name of the platform need not have the case of the org",
        run: |org| {
            let id = org.create("Account", json!({"NAME": org.name("case of fields"), "site": "south"}))?;
            org.get(&format!("sobjects/Account/{id}?fields=sITE")).send()?.is(200, &json!({"Site": "south"}))?;
            Ok(())
        },
    },
    Check {
        name: "null clears a field",
        source: CREATE,
        relied_on: "the platform clears a field by null",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("null"), "Site": "west"}))?;
            org.patch(&format!("sobjects/Account/{id}"), json!({"Site": null})).send()?.has_status(204)?;
            org.get(&format!("sobjects/Account/{id}?fields=Site")).send()?.is(200, &json!({"Site": null}))?;
            Ok(())
        },
    },
    Check {
        name: "times have milliseconds and an offset without a colon",
        source: DATES,
        relied_on: "times of the REST API need a parser of their own",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("times")}))?;
            let shape = json!({
                "CreatedDate": "<date-time>", "LastModifiedDate": "<date-time>", "SystemModstamp": "<date-time>",
            });
            org.get(&format!("sobjects/Account/{id}")).send()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "an update moves SystemModstamp and LastModifiedDate",
        source: "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/system_fields.htm",
        relied_on: "of two versions of a record the one with the later SystemModstamp is newer",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("modstamp")}))?;
            let path = format!("sobjects/Account/{id}");
            let before = org.get(&path).send()?.has_status(200)?;
            org.pass_time(2)?;
            org.patch(&path, json!({"Site": "east"})).send()?.has_status(204)?;
            let after = org.get(&path).send()?.has_status(200)?;
            for name in ["/SystemModstamp", "/LastModifiedDate"] {
                holds(
                    after.text(name)? > before.text(name)?,
                    &format!("{name} after {}", before.text(name)?),
                    after.text(name)?,
                )?;
            }
            same("CreatedDate", &before.text("/CreatedDate")?, &after.text("/CreatedDate")?)
        },
    },
    Check {
        name: "a time is accepted with Z or an offset",
        source: DATES,
        relied_on: "times are written in UTC",
        run: |org| {
            let task =
                |time: &str| json!({"Subject": org.name("time"), "IsReminderSet": true, "ReminderDateTime": time});
            for (time, stored) in [
                ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05.000+0000"),
                ("2030-01-02T03:04:05.000+01:00", "2030-01-02T02:04:05.000+0000"),
            ] {
                let id = org.create("Task", task(time))?;
                org.get(&format!("sobjects/Task/{id}")).send()?.is(200, &json!({"ReminderDateTime": stored}))?;
            }
            Ok(())
        },
    },
    Check {
        name: "a parent is named by its external id",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm",
        relied_on: "a contact is written before the id of its account is known",
        run: |org| {
            let key = super::describe::external_id(org, "Account")?;
            let value = org.key("parent");
            let account = org.create("Account", json!({"Name": org.name("parent"), key.as_str(): value}))?;
            let contact =
                org.create("Contact", json!({"LastName": org.name("child"), "Account": {key.as_str(): value}}))?;
            org.get(&format!("sobjects/Contact/{contact}")).send()?.is(200, &json!({"AccountId": account}))?;
            Ok(())
        },
    },
    Check {
        name: "a missing required field is REQUIRED_FIELD_MISSING with its name",
        source: "recording rest/errors/observed-in-the-field.jsonl",
        relied_on: "the platform shows which field is missing",
        run: |org| {
            let refused = org.post("sobjects/Contact", json!({"FirstName": org.name("required")})).send()?;
            let shape = json!([
                {
                    "errorCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]",
                    "fields": ["LastName"],
                },
            ]);
            refused.is(400, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "an unknown field is INVALID_FIELD",
        source: "recording rest/errors/unknown-field-400.json",
        relied_on: "a field that is hidden from the user looks like one that does not exist",
        run: |org| {
            let refused =
                org.post("sobjects/Account", json!({"Name": org.name("unknown"), "AccountNumer": "1"})).send()?;
            refused.is(400, &json!([
                {"errorCode": "INVALID_FIELD", "message": "No such column 'AccountNumer' on sobject of type Account"},
            ]))?;
            Ok(())
        },
    },
    Check {
        name: "a read-only field is INVALID_FIELD_FOR_INSERT_UPDATE with its name",
        source: "recording rest/errors/field-not-writeable-400.json",
        relied_on: "a write that no repetition mends is told at once",
        run: |org| {
            let refused =
                org.post("sobjects/Account", json!({"Name": org.name("read-only"), "MasterRecordId": null})).send()?;
            refused.is(
                400,
                &json!([
                    {
                        "errorCode": "INVALID_FIELD_FOR_INSERT_UPDATE", "message": "<contains MasterRecordId>",
                        "fields": ["MasterRecordId"],
                    },
                ]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "a text that is too long is STRING_TOO_LONG with the largest length",
        source: "recording rest/errors/observed-in-the-field.jsonl",
        relied_on: "the platform shows which field is too long",
        run: |org| {
            let refused =
                org.post("sobjects/Account", json!({"Name": org.name("long"), "Site": "x".repeat(81)})).send()?;
            refused.is(
                400,
                &json!([{"errorCode": "STRING_TOO_LONG", "message": "<contains (max length=80)>", "fields": ["Site"]}]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "an e-mail address without @ is INVALID_EMAIL_ADDRESS",
        source: CODES,
        relied_on: "the platform shows which address is wrong",
        run: |org| {
            let refused =
                org.post("sobjects/Contact", json!({"LastName": org.name("e-mail"), "Email": "nobody"})).send()?;
            refused.is(
                400,
                &json!([{"errorCode": "INVALID_EMAIL_ADDRESS", "message": "<contains nobody>", "fields": ["Email"]}]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "a reference to a text that is no id is MALFORMED_ID",
        source: CODES,
        relied_on: "a wrong id is told from a record that is gone",
        run: |org| {
            let refused =
                org.post("sobjects/Contact", json!({"LastName": org.name("id"), "AccountId": "not-an-id"})).send()?;
            refused.fails(400, "MALFORMED_ID")?;
            Ok(())
        },
    },
    Check {
        name: "a reference to a deleted record is refused",
        source: CODES,
        relied_on: "a write to a parent that is gone is not repeated",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("gone")}))?;
            org.delete(&format!("sobjects/Account/{account}")).send()?.has_status(204)?;
            let refused =
                org.post("sobjects/Contact", json!({"LastName": org.name("of gone"), "AccountId": account})).send()?;
            let known =
                ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"];
            holds(
                refused.status == 400 && known.contains(&refused.code()),
                &format!("400 with one of {known:?}"),
                refused.shown(),
            )
        },
    },
    Check {
        name: "a body that is no JSON is JSON_PARSER_ERROR",
        source: ERRORS,
        relied_on: "a mistake of the client is not taken for one of the org",
        run: |org| {
            org.request("POST", "sobjects/Account")
                .body("application/json", "{\"Name\": ")
                .send()?
                .fails(400, "JSON_PARSER_ERROR")?;
            Ok(())
        },
    },
    Check {
        name: "a method that a resource does not have is METHOD_NOT_ALLOWED",
        source: ERRORS,
        relied_on: "a mistake of the client is not repeated",
        run: |org| {
            org.request("PUT", "sobjects/Account").json(json!({})).send()?.fails(405, "METHOD_NOT_ALLOWED")?;
            Ok(())
        },
    },
    Check {
        name: "amounts, dates and check boxes keep their JSON types",
        source: "recording rest/query/opportunities-31-developer-edition.json",
        relied_on: "values are stored with the types of the response",
        run: |org| {
            let fields = json!({
                "Name": org.name("types"), "StageName": "Prospecting", "CloseDate": "2030-02-28", "Amount": 1234.5,
            });
            let id = org.create("Opportunity", fields)?;
            let found = org.get(&format!("sobjects/Opportunity/{id}")).send()?;
            let found = found.is(
                200,
                &json!({"CloseDate": "2030-02-28", "Amount": 1234.5, "IsClosed": false, "Probability": "<number>"}),
            )?;
            same("HasOpportunityLineItem", &Value::Bool(false), found.at("/HasOpportunityLineItem"))
        },
    },
];
