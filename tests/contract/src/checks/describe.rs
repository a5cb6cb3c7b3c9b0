//! Describe: what an org says about its objects and fields.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, Finding, holds, same};
use crate::org::Org;

const DESCRIBE: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm";
const RESULT: &str = "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_describesobjects_describesobjectresult.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "describe global lists objects with their key prefix and rights",
        source: "recording rest/describe/global-2026-trimmed.json",
        relied_on: "an object that the user cannot see is not mirrored",
        run: |org| {
            let found = org.get("sobjects").send()?;
            let found = found.is(200, &json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": "<list>"}))?;
            let account = object(&found, "Account");
            let shape = json!({
                "name": "Account", "keyPrefix": "001", "label": "<text>", "labelPlural": "<text>", "custom": false,
                "createable": "<boolean>", "updateable": "<boolean>", "deletable": "<boolean>", "queryable": true,
                "replicateable": true,
                "urls": {"sobject": "<contains /sobjects/Account>", "describe": "<contains /describe>"},
            });
            holds(crate::pattern::mismatch(&shape, Some(account)).is_none(), &shape.to_string(), account)
        },
    },
    Check {
        name: "the key prefixes of the standard objects are the documented ones",
        source: "recording rest/describe/global-shortened.json",
        relied_on: "the object of an id is known without a call",
        run: |org| {
            let found = org.get("sobjects").send()?.has_status(200)?;
            for (name, prefix) in [
                ("Account", "001"),
                ("Contact", "003"),
                ("Opportunity", "006"),
                ("Lead", "00Q"),
                ("Task", "00T"),
                ("User", "005"),
            ] {
                same(&format!("the prefix of {name}"), &json!(prefix), &object(&found, name)["keyPrefix"])?;
            }
            Ok(())
        },
    },
    Check {
        name: "the short description of an object has its description and recent items",
        source: "recording rest/sobject-basic-info-account.json",
        relied_on: "a cheap call shows if an object exists",
        run: |org| {
            let shape = json!({"objectDescribe": {"name": "Account", "keyPrefix": "001"}, "recentItems": "<list>"});
            org.get("sobjects/Account").send()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "the description of an object that does not exist is NOT_FOUND",
        source: "recording rest/errors/not-found-404.json",
        relied_on: "an object that is not there is told from a failure",
        run: |org| {
            let found = org.get("sobjects/No_Such_Object__c/describe").send()?;
            found.is(404, &json!([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]))?;
            Ok(())
        },
    },
    Check {
        name: "a described field has the members that decide reads and writes",
        source: "recording rest/describe/Contact.json",
        relied_on: "fields to read and write are chosen by describe",
        run: |org| {
            let names = [
                "createable",
                "updateable",
                "nillable",
                "defaultedOnCreate",
                "filterable",
                "sortable",
                "groupable",
                "externalId",
                "idLookup",
                "unique",
                "calculated",
                "autoNumber",
                "restrictedPicklist",
                "dependentPicklist",
            ];
            let contact = org.get("sobjects/Contact/describe").send()?.has_status(200)?;
            for field in contact.list("/fields") {
                let missing: Vec<_> = names.iter().filter(|name| !field[**name].is_boolean()).collect();
                holds(missing.is_empty(), &format!("the members {missing:?}"), field)?;
                holds(
                    field["name"].is_string() && field["type"].is_string() && field["length"].is_number(),
                    "name, type and length",
                    field,
                )?;
            }
            holds(!contact.list("/fields").is_empty(), "fields", contact.shown())
        },
    },
    Check {
        name: "the required fields of a lead are LastName and Company",
        source: "recording rest/describe/Lead.json",
        relied_on: "a field is required if it is createable, not nillable and not defaulted",
        run: |org| {
            let lead = org.get("sobjects/Lead/describe").send()?.has_status(200)?;
            let required = |field: &&Value| {
                field["createable"] == true && field["nillable"] == false && field["defaultedOnCreate"] == false
            };
            let standard = lead.list("/fields").iter().filter(required).filter(|field| field["custom"] == false);
            let mut names: Vec<&str> = standard.filter_map(|field| field["name"].as_str()).collect();
            names.sort_unstable();
            same("the required fields", &vec!["Company", "LastName"], &names)
        },
    },
    Check {
        name: "a Boolean field is never required",
        source: "recording rest/describe/Opportunity.json",
        relied_on: "a write without a Boolean is complete",
        run: |org| {
            for name in ["Account", "Contact", "Opportunity"] {
                let found = org.get(&format!("sobjects/{name}/describe")).send()?.has_status(200)?;
                let required = |field: &&Value| {
                    field["type"] == "boolean" && field["createable"] == true && field["defaultedOnCreate"] == false
                };
                same(
                    &format!("required Booleans of {name}"),
                    &0,
                    &found.list("/fields").iter().filter(required).count(),
                )?;
            }
            Ok(())
        },
    },
    Check {
        name: "every object has the master record type",
        source: "recording rest/describe/Account.json",
        relied_on: "picklists are read for the master record type where there is no other",
        run: |org| {
            for name in ["Account", "Opportunity"] {
                let found = org.get(&format!("sobjects/{name}/describe")).send()?.has_status(200)?;
                let master =
                    found.list("/recordTypeInfos").iter().find(|info| info["recordTypeId"] == "012000000000000AAA");
                holds(
                    master.is_some_and(|info| info["master"] == true),
                    "a master record type 012000000000000AAA",
                    found.at("/recordTypeInfos"),
                )?;
            }
            Ok(())
        },
    },
    Check {
        name: "a reference names its objects and its relationship",
        source: "recording rest/describe/Contact.json",
        relied_on: "parents are mirrored through their relationship",
        run: |org| {
            let contact = org.get("sobjects/Contact/describe").send()?.has_status(200)?;
            let account = field(&contact, "AccountId");
            same("referenceTo", &json!(["Account"]), &account["referenceTo"])?;
            same("relationshipName", &json!("Account"), &account["relationshipName"])
        },
    },
    Check {
        name: "the contacts of an account are a child relationship",
        source: "recording rest/describe/Account.json",
        relied_on: "children are read by the name of the relationship",
        run: |org| {
            let account = org.get("sobjects/Account/describe").send()?.has_status(200)?;
            let is_contacts = |child: &&Value| child["childSObject"] == "Contact" && child["field"] == "AccountId";
            let child = account.list("/childRelationships").iter().find(is_contacts).unwrap_or(&Value::Null);
            same("relationshipName", &json!("Contacts"), &child["relationshipName"])
        },
    },
    Check {
        name: "a picklist has values with label and state",
        source: "recording rest/describe/Opportunity.json",
        relied_on: "values are compared by their API name and not by their label",
        run: |org| {
            let opportunity = org.get("sobjects/Opportunity/describe").send()?.has_status(200)?;
            let values = field(&opportunity, "StageName")["picklistValues"].as_array().cloned().unwrap_or_default();
            let right = |value: &Value| {
                value["value"].is_string()
                    && value["label"].is_string()
                    && value["active"].is_boolean()
                    && value["defaultValue"].is_boolean()
            };
            holds(
                !values.is_empty() && values.iter().all(right),
                "values with value, label, active and defaultValue",
                json!(values),
            )
        },
    },
    Check {
        name: "the e-mail address of a contact is an idLookup field",
        source: "recording rest/describe/Contact.json",
        relied_on: "a contact can be upserted by it",
        run: |org| {
            let contact = org.get("sobjects/Contact/describe").send()?.has_status(200)?;
            same("idLookup of Email", &json!(true), &field(&contact, "Email")["idLookup"])
        },
    },
    Check {
        name: "SystemModstamp and Id can be filtered and sorted on every mirrored object",
        source: RESULT,
        relied_on: "the nightly refresh reads by SystemModstamp and Id",
        run: |org| {
            for name in ["Account", "Contact", "Lead", "Opportunity", "Task"] {
                let found = org.get(&format!("sobjects/{name}/describe")).send()?.has_status(200)?;
                for field_name in ["Id", "SystemModstamp"] {
                    let field = field(&found, field_name);
                    holds(
                        field["filterable"] == true && field["sortable"] == true,
                        &format!("{name}.{field_name} filterable and sortable"),
                        field,
                    )?;
                }
            }
            Ok(())
        },
    },
    Check {
        name: "the name of an object is accepted in any case",
        source: DESCRIBE,
        relied_on: "names from a configuration need not have the case of the org",
        run: |org| {
            org.get("sobjects/account/describe").send()?.is(200, &json!({"name": "Account"}))?;
            Ok(())
        },
    },
];

/// Returns the entry of an object in describe global.
fn object<'a>(found: &'a Answer, name: &str) -> &'a Value {
    found.list("/sobjects").iter().find(|object| object["name"] == name).unwrap_or(&Value::Null)
}

/// Returns a described field.
fn field<'a>(found: &'a Answer, name: &str) -> &'a Value {
    found.list("/fields").iter().find(|field| field["name"] == name).unwrap_or(&Value::Null)
}

/// Returns the name of a unique external id of an object, for example the one of Ferry's package.
pub(super) fn external_id(org: &Org, object: &str) -> Result<String, Finding> {
    let found = org.get(&format!("sobjects/{object}/describe")).send()?.has_status(200)?;
    let is_key = |field: &&Value| {
        field["externalId"] == true
            && field["unique"] == true
            && field["type"] == "string"
            && field["createable"] == true
    };
    let name = found.list("/fields").iter().find(is_key).and_then(|field| field["name"].as_str());
    name.map(str::to_owned).ok_or_else(|| {
        crate::check::not_applicable(format!("{object} has no unique external id that the user can write"))
    })
}
