//! getUpdated and getDeleted, limits, headers and conditional requests.

use serde_json::{Value, json};

use crate::check::{Check, Finding, applies, holds, not_applicable, same};
use crate::org::{Org, encode, query_path};

const UPDATED: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getupdated.htm";
const DELETED: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm";
const ASSIGN: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_autoassign.htm";
const CONDITIONAL: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest_conditional_requests.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "updated lists the ids of changed records and the time that it covers",
        source: "recording rest/get-updated.json",
        relied_on: "a window of changes is read without a query",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("updated")}))?;
            org.pass_time(61)?;
            let found = window(org, "Account", "updated")?
                .is(200, &json!({"ids": "<list>", "latestDateCovered": "<date-time>"}))?;
            holds(found.list("/ids").contains(&json!(id)), "the id of the new record", found.shown())
        },
    },
    Check {
        name: "deleted lists records with id in lower case, their time, and what it covers",
        source: "recording rest/get-deleted.json",
        relied_on: "deletions are found without reading all records",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("deleted")}))?;
            org.delete(&format!("sobjects/Account/{id}")).send()?.has_status(204)?;
            org.pass_time(61)?;
            let shape = json!({
                "deletedRecords": "<list>", "earliestDateAvailable": "<date-time>",
                "latestDateCovered": "<date-time>",
            });
            let found = window(org, "Account", "deleted")?.is(200, &shape)?;
            let entry = found.list("/deletedRecords").iter().find(|entry| entry["id"] == id.as_str());
            holds(
                entry.is_some_and(|entry| entry["deletedDate"].is_string()),
                "the deleted record with deletedDate",
                found.shown(),
            )
        },
    },
    Check {
        name: "a window of less than a minute is INVALID_REPLICATION_DATE",
        source: UPDATED,
        relied_on: "windows are made of whole minutes",
        run: |org| {
            let now = encode(&now(org)?);
            org.get(&format!("sobjects/Account/updated/?start={now}&end={now}"))
                .send()?
                .fails(400, "INVALID_REPLICATION_DATE")?;
            Ok(())
        },
    },
    Check {
        name: "a window that begins more than 30 days ago is INVALID_REPLICATION_DATE",
        source: DELETED,
        relied_on: "an org that was away for long is read completely",
        run: |org| {
            let path = format!(
                "sobjects/Account/deleted/?start={}&end={}",
                encode("2020-01-01T00:00:00+00:00"),
                encode("2020-01-02T00:00:00+00:00")
            );
            org.get(&path).send()?.fails(400, "INVALID_REPLICATION_DATE")?;
            Ok(())
        },
    },
    Check {
        name: "limits have Max and Remaining for the daily requests",
        source: "recording rest/limits.json",
        relied_on: "the nightly refresh leaves requests for the customer",
        run: |org| {
            let limit = json!({"Max": "<number>", "Remaining": "<number>"});
            let shape = json!({
                "DailyApiRequests": limit, "DailyBulkV2QueryJobs": limit, "DailyBulkApiBatches": limit,
                "DataStorageMB": limit, "FileStorageMB": limit,
            });
            org.get("limits").send()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "record counts name each object that was asked for",
        source: "recording rest/query/record-count.json",
        relied_on: "the size of a refresh is estimated",
        run: |org| {
            let found = org
                .get("limits/recordCount?sObjects=Account,Contact")
                .send()?
                .is(200, &json!({"sObjects": "<list>"}))?;
            let right = |entry: &Value| {
                entry["count"].is_number() && matches!(entry["name"].as_str(), Some("Account" | "Contact"))
            };
            holds(found.list("/sObjects").iter().all(right), "name and count of Account and Contact", found.shown())
        },
    },
    Check {
        name: "every response of the data API has Sforce-Limit-Info",
        source: "recording rest/collections/delete-2.json",
        relied_on: "the use of the daily limit is known without a call of its own",
        run: |org| {
            for answer in [org.get("sobjects").send()?, org.get("sobjects/No_Such_Object__c").send()?] {
                let usage = answer.header("sforce-limit-info").to_owned();
                let numbers =
                    usage.strip_prefix("api-usage=").and_then(|usage| usage.split(';').next()?.split_once('/'));
                let right =
                    numbers.is_some_and(|(used, max)| used.parse::<u64>().is_ok() && max.parse::<u64>().is_ok());
                holds(right, "Sforce-Limit-Info: api-usage=USED/MAX", usage)?;
            }
            Ok(())
        },
    },
    Check {
        name: "Sforce-Call-Options names the client without another effect",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_calloptions.htm",
        relied_on: "requests say that they are Ferry's",
        run: |org| {
            org.get("limits").header("Sforce-Call-Options", "client=ferry-contract").send()?.has_status(200)?;
            Ok(())
        },
    },
    Check {
        name: "with Sforce-Auto-Assign FALSE a lead keeps the owner that was written",
        source: ASSIGN,
        relied_on: "the owner is the one that the owner policy chose",
        run: |org| {
            let user = org.get("/services/oauth2/userinfo").send()?.text("/user_id")?;
            let body = json!({"LastName": org.name("owner"), "Company": org.name("owner"), "OwnerId": user});
            let created =
                org.post("sobjects/Lead", body).header("Sforce-Auto-Assign", "FALSE").send()?.has_status(201)?;
            let id = created.text("/id")?;
            org.own("Lead", &id);
            org.get(&format!("sobjects/Lead/{id}")).send()?.is(200, &json!({"OwnerId": user}))?;
            Ok(())
        },
    },
    Check {
        name: "an active assignment rule changes the owner without that header",
        source: ASSIGN,
        relied_on: "every write of leads and cases sends Sforce-Auto-Assign FALSE",
        run: |org| {
            let rules = org
                .get(&query_path("SELECT Id FROM AssignmentRule WHERE SobjectType = 'Lead' AND Active = TRUE"))
                .send()?;
            applies(
                rules.status == 200 && !rules.list("/records").is_empty(),
                "the org has no active assignment rule for leads",
            )?;
            let user = org.get("/services/oauth2/userinfo").send()?.text("/user_id")?;
            let id = org.create("Lead", json!({"LastName": org.name("assigned"), "Company": org.name("assigned")}))?;
            let owner = org.get(&format!("sobjects/Lead/{id}")).send()?.text("/OwnerId")?;
            if owner == user {
                return Err(not_applicable("the rule keeps the user as the owner"));
            }
            Ok(())
        },
    },
    Check {
        name: "a describe that has not changed is 304 without a body",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/sobject_describe_with_ifmodified_header.htm",
        relied_on: "descriptions are read again only after a change",
        run: |org| {
            let first = org.get("sobjects/Account/describe").send()?.has_status(200)?;
            let modified = first.header("last-modified").to_owned();
            holds(!modified.is_empty(), "a header Last-Modified", "none")?;
            let again =
                org.get("sobjects/Account/describe").header("If-Modified-Since", &modified).send()?.has_status(304)?;
            holds(again.bytes.is_empty(), "an empty body", again.body())
        },
    },
    Check {
        name: "an update is refused with 412 if the record has changed since",
        source: CONDITIONAL,
        relied_on: "a conflicting change is not overwritten",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("condition")}))?;
            let path = format!("sobjects/Account/{id}");
            let old = "Wed, 01 Jan 2020 00:00:00 GMT";
            org.patch(&path, json!({"Site": "x"})).header("If-Unmodified-Since", old).send()?.has_status(412)?;
            org.get(&path).send()?.is(200, &json!({"Site": null}))?;
            Ok(())
        },
    },
    Check {
        name: "responses are compressed for a client that accepts gzip",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest_compression.htm",
        relied_on: "large pages take less time",
        run: |org| {
            let raw = org.get("sobjects/Account/describe").header("accept-encoding", "gzip").send()?.has_status(200)?;
            holds(
                raw.header("content-encoding") == "gzip" && raw.bytes.starts_with(&[0x1f, 0x8b]),
                "content-encoding: gzip",
                raw.header("content-encoding"),
            )
        },
    },
    Check {
        name: "the daily limit is refused as TotalRequests, the concurrent one as Concurrent...",
        source: "recording rest/errors/observed-in-the-field.jsonl",
        relied_on: "work waits for hours or for seconds, by the text",
        run: |org| {
            let limits = org.get("limits").send()?;
            if limits.status == 200 {
                return Err(not_applicable("the org is below its limits"));
            }
            let text = limits.text("/0/message")?;
            let known = text.starts_with("TotalRequests Limit exceeded") || text.starts_with("Concurrent");
            holds(
                limits.code() == "REQUEST_LIMIT_EXCEEDED" && known,
                "REQUEST_LIMIT_EXCEEDED with TotalRequests... or Concurrent...",
                limits.shown(),
            )
        },
    },
];

/// Reads a window from 10 minutes ago to the end of the current minute.
fn window(org: &Org, object: &str, kind: &str) -> Result<crate::answer::Answer, Finding> {
    let end: jiff::Timestamp = now(org)?.parse().map_err(|error: jiff::Error| Finding::NotRun(error.to_string()))?;
    let start = end - jiff::SignedDuration::from_mins(10);
    let time = |at: jiff::Timestamp| encode(&at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string());
    org.get(&format!("sobjects/{object}/{kind}/?start={}&end={}", time(start), time(end))).send()
}

/// Returns the org's own time, as a new record shows it.
fn now(org: &Org) -> Result<String, Finding> {
    let id = org.create("Account", json!({"Name": org.name("clock")}))?;
    let found = org.get(&format!("sobjects/Account/{id}?fields=CreatedDate")).send()?;
    let text = found.text("/CreatedDate")?.replace("+0000", "Z");
    same("the shape of CreatedDate", &24, &text.len())?;
    Ok(text)
}
