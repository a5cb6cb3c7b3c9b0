//! Duplicate rules and record locks.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, Finding, applies, holds, not_applicable};
use crate::org::{Org, typed};

const DUPLICATES: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_duplicaterules.htm";
const LOCKS: &str = "https://resources.docs.salesforce.com/194/latest/en-us/sfdc/pdf/record_locking_cheatsheet.pdf";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a duplicate rule refuses with DUPLICATES_DETECTED and the records that it found",
        source: "recording rest/errors/duplicates-detected-400.json",
        relied_on: "the platform shows which records are alike",
        run: |org| {
            let (first, refused) = duplicate(org, "detected")?;
            let result = json!({
                "allowSave": "<boolean>", "duplicateRule": "<text>", "duplicateRuleEntityType": "Lead",
                "errorMessage": "<text>", "matchResults": "<list>",
            });
            let refused = refused.is(
                400,
                &json!([{"errorCode": "DUPLICATES_DETECTED", "message": "<text>", "duplicateResult": result}]),
            )?;
            let found = refused.at("/0/duplicateResult/matchResults").to_string();
            holds(found.contains(&first), "the id of the first record", found)
        },
    },
    Check {
        name: "allowSave saves in spite of a rule that alerts",
        source: DUPLICATES,
        relied_on: "a person can save a record that is like another",
        run: |org| {
            let (_, refused) = duplicate(org, "allow")?;
            applies(refused.at("/0/duplicateResult/allowSave") == true, "the rule blocks")?;
            // The sessions of this program send the header unless it is replaced.
            org.create("Lead", fields(org, "allow"))?;
            Ok(())
        },
    },
    Check {
        name: "in a collection a duplicate has its code and not the records that were found",
        source: "https://github.com/jetstreamapp/jetstream/issues/482",
        relied_on: "the records are searched for where the error has none; both spellings of the member are read",
        run: |org| {
            duplicate(org, "in a collection")?;
            let body = json!({"allOrNone": false, "records": [typed("Lead", &fields(org, "in a collection"))]});
            let results = strict(org.post("composite/sobjects", body)).send()?.has_status(200)?;
            for id in results.list("").iter().filter_map(|result| result["id"].as_str()) {
                org.own("Lead", id);
            }
            let error = json!({
                "statusCode": "DUPLICATES_DETECTED", "message": "<text>", "duplicateResut": "<absent>",
                "duplicateResult": "<absent>",
            });
            results.is(200, &json!([{"success": false, "errors": [error]}]))?;
            Ok(())
        },
    },
    Check {
        name: "a node of a graph names the records that a duplicate rule found",
        source: DUPLICATES,
        relied_on: "the platform shows which records are alike, and the only one is adopted",
        run: |org| {
            let (first, _) = duplicate(org, "in a graph")?;
            let node = json!({
                "method": "POST", "url": "/services/data/v66.0/sobjects/Lead", "referenceId": "lead",
                "body": fields(org, "in a graph"),
                "httpHeaders": {"Sforce-Duplicate-Rule-Header": "allowSave=false", "Sforce-Auto-Assign": "FALSE"},
            });
            let graph = json!({"graphs": [{"graphId": "g", "compositeRequest": [node]}]});
            let done = strict(org.post("composite/graph", graph)).send()?.has_status(200)?;
            let part = "/graphs/0/graphResponse/compositeResponse/0/body";
            if let Some(id) = done.at(&format!("{part}/id")).as_str() {
                org.own("Lead", id);
            }
            let error = done.at(&format!("{part}/0")).clone();
            holds(
                error["errorCode"] == "DUPLICATES_DETECTED" && error["duplicateResult"].to_string().contains(&first),
                "DUPLICATES_DETECTED with the id of the first record",
                error.to_string(),
            )
        },
    },
    Check {
        name: "a locked record is UNABLE_TO_LOCK_ROW",
        source: "recording rest/errors/observed-in-the-field.jsonl",
        relied_on: "a write that met a lock is repeated",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("lock")}))?;
            lock(org, &id)?;
            let refused = org.patch(&format!("sobjects/Account/{id}"), json!({"Site": "x"})).send();
            unlock(org, &id)?;
            let refused = refused?;
            holds(
                refused.code() == "UNABLE_TO_LOCK_ROW" && matches!(refused.status, 400 | 500),
                "UNABLE_TO_LOCK_ROW",
                refused.shown(),
            )
        },
    },
    Check {
        name: "a locked record of a collection fails alone",
        source: LOCKS,
        relied_on: "only the records that met a lock are written again",
        run: |org| {
            let ids = org
                .create_all("Account", vec![json!({"Name": org.name("locked")}), json!({"Name": org.name("free")})])?;
            lock(org, &ids[0])?;
            let record = |id: &str| json!({"attributes": {"type": "Account"}, "id": id, "Site": "x"});
            let results = org
                .patch("composite/sobjects", json!({"allOrNone": false, "records": [record(&ids[0]), record(&ids[1])]}))
                .send();
            unlock(org, &ids[0])?;
            let locked = json!({
                "success": false,
                "errors": [
                    {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "<starts unable to obtain exclusive access>"},
                ],
            });
            results?.is(200, &json!([locked, {"id": ids[1], "success": true}]))?;
            Ok(())
        },
    },
    Check {
        name: "a child is not written while its parent is locked",
        source: LOCKS,
        relied_on: "writes are ordered by the parent",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("parent lock")}))?;
            lock(org, &account)?;
            let refused =
                org.post("sobjects/Contact", json!({"LastName": org.name("of locked"), "AccountId": account})).send();
            unlock(org, &account)?;
            let refused = refused?;
            if let Some(id) = refused.at("/id").as_str() {
                org.own("Contact", id);
            }
            refused.fails(400, "UNABLE_TO_LOCK_ROW")?;
            Ok(())
        },
    },
];

fn fields(org: &Org, name: &str) -> Value {
    let email = format!("{}@example.com", org.key(&name.replace(' ', "-")));
    json!({"FirstName": "Alike", "LastName": org.name(name), "Company": org.name(name), "Email": email})
}

/// Removes the header by which this program's requests save in spite of rules that alert.
fn strict(request: crate::org::Request<'_>) -> crate::org::Request<'_> {
    request.header("Sforce-Duplicate-Rule-Header", "allowSave=false")
}

/// Creates a lead and tries to create its like; returns the first one's id and the answer to the second.
fn duplicate(org: &Org, name: &str) -> Result<(String, Answer), Finding> {
    let first = org.create("Lead", fields(org, name))?;
    let second = strict(org.post("sobjects/Lead", fields(org, name))).send()?;
    match second.at("/id").as_str() {
        Some(id) => {
            org.own("Lead", id);
            Err(not_applicable("no active duplicate rule for leads alerts or blocks"))
        }
        None => Ok((first, second)),
    }
}

/// Locks a record as another transaction does.
///
/// An org of Salesforce's offers no request for that: a lock ends with the request that took it, and a second write waits up
/// to ten seconds for it. Even with requests at the same time, whether one of them meets the lock is chance.
fn lock(org: &Org, id: &str) -> Result<(), Finding> {
    applies(
        org.target.is_simulator,
        "no request holds a lock beyond its own end, so whether another one meets it is chance",
    )?;
    org.post(&format!("/_simulator/locks/{id}"), json!({})).send()?.has_status(200)?;
    Ok(())
}

fn unlock(org: &Org, id: &str) -> Result<(), Finding> {
    org.delete(&format!("/_simulator/locks/{id}")).send()?.has_status(200)?;
    Ok(())
}
