//! UI API: object information and picklists by record type; stages.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, Finding, holds, same};
use crate::org::Org;

const PICKLISTS: &str = "https://developer.salesforce.com/docs/atlas.en-us.uiapi.meta/uiapi/ui_api_resources_picklist_values_collection.htm";
const STAGES: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_opportunitystage.htm";
const OPPORTUNITY: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_opportunity.htm";

/// The master record type, which every org has.
const MASTER: &str = "012000000000000AAA";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "object-info names the record types that the user may use",
        source: "recording ui-api/object-info-account.json",
        relied_on: "stages are read for each record type of the user",
        run: |org| {
            let info = org.get("ui-api/object-info/Opportunity").send()?;
            let shape = json!({
                "apiName": "Opportunity", "keyPrefix": "006", "defaultRecordTypeId": "<text>",
                "fields": {"StageName": {"apiName": "StageName", "dataType": "Picklist"}},
                "recordTypeInfos": "<object>",
            });
            let info = info.is(200, &shape)?;
            let types = info.at("/recordTypeInfos").as_object().into_iter().flatten();
            let right = |(id, entry): (&String, &Value)| {
                entry["recordTypeId"] == id.as_str() && entry["available"].is_boolean() && entry["master"].is_boolean()
            };
            holds(
                types.into_iter().all(right),
                "recordTypeId, available and master in each entry",
                info.at("/recordTypeInfos"),
            )
        },
    },
    Check {
        name: "object-info has the master record type",
        source: "recording ui-api/object-info-account.json",
        relied_on: "an org without record types has stages too",
        run: |org| {
            let info = org.get("ui-api/object-info/Opportunity").send()?.has_status(200)?;
            same("master", &json!(true), info.at(&format!("/recordTypeInfos/{MASTER}/master")))
        },
    },
    Check {
        name: "picklist values of the master record type have the stages of the org",
        source: PICKLISTS,
        relied_on: "the stages that a user may choose are known",
        run: |org| {
            let values = stages(org)?;
            let right = |value: &Value| {
                value["value"].is_string() && value["label"].is_string() && value["validFor"].is_array()
            };
            let all = values.list("/picklistFieldValues/StageName/values");
            holds(!all.is_empty() && all.iter().all(right), "values with value, label and validFor", values.shown())
        },
    },
    Check {
        name: "a stage has its probability and says if it is closed or won",
        source: "recording ui-api/picklist-values-by-record-type-account.json",
        relied_on: "closed stages are known for each record type",
        run: |org| {
            let values = stages(org)?;
            let shape = json!({
                "picklistAtrributesValueType": "OpportunityStage", "closed": "<boolean>", "won": "<boolean>",
                "defaultProbability": "<number>", "forecastCategoryName": "<text>",
            });
            let attributes = values.at("/picklistFieldValues/StageName/values/0/attributes");
            let mismatch = crate::pattern::mismatch(&shape, Some(attributes));
            holds(mismatch.is_none(), &shape.to_string(), attributes)
        },
    },
    Check {
        name: "the values of one field are at an address of their own",
        source: "recording ui-api/picklist-values-account-type.json",
        relied_on: "one picklist is read without the others",
        run: |org| {
            let found =
                org.get(&format!("ui-api/object-info/Opportunity/picklist-values/{MASTER}/StageName")).send()?;
            found.is(200, &json!({"controllerValues": {}, "values": "<list>", "url": "<contains /StageName>"}))?;
            Ok(())
        },
    },
    Check {
        name: "picklist values of an unknown record type are refused",
        source: PICKLISTS,
        relied_on: "a record type that was deleted is told from one without stages",
        run: |org| {
            let refused = org.get("ui-api/object-info/Opportunity/picklist-values/012000000000001AAA").send()?;
            holds(matches!(refused.status, 400 | 403 | 404), "400, 403 or 404", refused.shown())
        },
    },
    Check {
        name: "the UI API returns fields with value and display value",
        source: "recording ui-api/get-record-contact.json",
        relied_on: "labels of values can be shown",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("ui record")}))?;
            let found = org.get(&format!("ui-api/records/{id}?fields=Account.Name")).send()?;
            let field = json!({"value": org.name("ui record"), "displayValue": null});
            found.is(
                200,
                &json!({"apiName": "Account", "id": id, "fields": {"Name": field}, "lastModifiedDate": "<text>"}),
            )?;
            Ok(())
        },
    },
    Check {
        name: "OpportunityStage has all stages with their properties",
        source: STAGES,
        relied_on: "stages are mirrored",
        run: |org| {
            let found = org.query(
                "SELECT Id, MasterLabel, ApiName, SortOrder, DefaultProbability, IsActive, \
                IsClosed, IsWon, ForecastCategory, ForecastCategoryName FROM OpportunityStage ORDER BY SortOrder",
            )?;
            let shape = json!({
                "Id": "<id 01J>", "MasterLabel": "<text>", "ApiName": "<text>", "SortOrder": "<number>",
                "DefaultProbability": "<number>", "IsActive": "<boolean>", "IsClosed": "<boolean>",
                "IsWon": "<boolean>", "ForecastCategoryName": "<text>",
            });
            let wrong = found.list("/records").iter().find_map(|row| crate::pattern::mismatch(&shape, Some(row)));
            holds(!found.list("/records").is_empty() && wrong.is_none(), &shape.to_string(), wrong.unwrap_or_default())
        },
    },
    Check {
        name: "the active stages are the values of the master record type",
        source: STAGES,
        relied_on: "StageName holds the ApiName of a stage",
        run: |org| {
            let found = org.query("SELECT ApiName FROM OpportunityStage WHERE IsActive = TRUE")?;
            let active: std::collections::BTreeSet<&str> =
                found.list("/records").iter().filter_map(|row| row["ApiName"].as_str()).collect();
            let values = stages(org)?;
            let values: std::collections::BTreeSet<&str> = values
                .list("/picklistFieldValues/StageName/values")
                .iter()
                .filter_map(|value| value["value"].as_str())
                .collect();
            same("the stages", &active, &values)
        },
    },
    Check {
        name: "a closed stage closes the opportunity and sets its probability",
        source: OPPORTUNITY,
        relied_on: "IsClosed, IsWon and Probability follow the stage",
        run: |org| {
            let won = org.query(
                "SELECT ApiName, DefaultProbability FROM OpportunityStage WHERE IsWon = TRUE AND \
                IsActive = TRUE LIMIT 1",
            )?;
            let id = org.create(
                "Opportunity",
                json!({"Name": org.name("won"), "StageName": won.at("/records/0/ApiName"), "CloseDate": "2030-01-31"}),
            )?;
            let shape =
                json!({"IsClosed": true, "IsWon": true, "Probability": won.at("/records/0/DefaultProbability")});
            org.get(&format!("sobjects/Opportunity/{id}")).send()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "a write takes a stage that the picklist does not have",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm",
        relied_on: "Ferry verifies the stage against the record type itself",
        run: |org| {
            let describe = org.get("sobjects/Opportunity/describe").send()?.has_status(200)?;
            let stage = describe.list("/fields").iter().find(|field| field["name"] == "StageName");
            crate::check::applies(
                stage.is_some_and(|stage| stage["restrictedPicklist"] == false),
                "StageName is a restricted picklist in this org",
            )?;
            let body = json!({"Name": org.name("stage"), "StageName": "No such stage", "CloseDate": "2030-01-31"});
            let created = org.post("sobjects/Opportunity", body).send()?;
            if let Some(id) = created.at("/id").as_str() {
                org.own("Opportunity", id);
            }
            created.has_status(201)?;
            Ok(())
        },
    },
];

fn stages(org: &Org) -> Result<Answer, Finding> {
    org.get(&format!("ui-api/object-info/Opportunity/picklist-values/{MASTER}")).send()?.has_status(200)
}
