//! The steps from the platform to Salesforce: records that the rep owns, and a note linked to two of them.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use super::{EXTERNAL_ID, PLATFORM_USER, Scenario};
use crate::demo::runner::StepOutput;

/// The ids of the records that the platform wrote.
pub(crate) struct WrittenRecords {
    account: String,
    opportunity: String,
}

/// Upserts an account, and a contact and an opportunity that refer to it by its external id.
pub(crate) async fn records(scenario: &Scenario, stage: String) -> Result<StepOutput<WrittenRecords>> {
    let at_account = json!({ EXTERNAL_ID: "A-1001" });
    let account = json!({ EXTERNAL_ID: "A-1001", "Name": "Kestrel Instruments" });
    let contact = json!({ EXTERNAL_ID: "C-1001", "FirstName": "Ada", "LastName": "Okafor", "Account": at_account });
    let opportunity = json!({
        EXTERNAL_ID: "O-1001",
        "Name": "Kestrel pilot",
        "StageName": stage,
        "CloseDate": "2027-03-31",
        "Amount": 42_000,
        "Account": at_account,
    });
    let mut evidence = Map::new();
    let account = upsert(scenario, "Account", &account, &mut evidence).await?;
    let contact = upsert(scenario, "Contact", &contact, &mut evidence).await?;
    let opportunity = upsert(scenario, "Opportunity", &opportunity, &mut evidence).await?;
    for (object, id) in [("Contact", &contact), ("Opportunity", &opportunity)] {
        let parent = &record(scenario, object, id)?["AccountId"];
        ensure!(*parent == account.as_str(), "the {object} does not refer to the new account");
    }
    evidence.insert("owner".to_owned(), json!(scenario.rep.name));
    evidence.insert("repeated_request".to_owned(), repeat(scenario).await?);
    Ok(StepOutput { evidence: evidence.into(), value: WrittenRecords { account, opportunity } })
}

/// Upserts one record as the rep, checks its owner, and returns its id.
async fn upsert(
    scenario: &Scenario,
    object: &str,
    fields: &Value,
    evidence: &mut Map<String, Value>,
) -> Result<String> {
    let response = send(scenario, object, fields).await?;
    let outcome = &response["records"][0];
    ensure!(outcome["success"] == true, "could not write the {object}: {}", outcome["errors"]);
    let owner_choice = &response["owner_choice"];
    ensure!(*owner_choice == "rep", "the owner policy chose {owner_choice} for the {object}, not rep");
    let id = outcome["id"].as_str().context("the outcome has no record id")?.to_owned();
    let owner = &record(scenario, object, &id)?["OwnerId"];
    ensure!(*owner == scenario.rep.id.as_str(), "the owner of the {object} is not {}", scenario.rep.name);
    let entry = json!({ "id": id, "created": outcome["created"], "connection": response["connection"] });
    evidence.insert(object.to_lowercase(), entry);
    Ok(id)
}

async fn send(scenario: &Scenario, object: &str, fields: &Value) -> Result<Value> {
    let path = scenario.path(&format!("/records/{object}?as={PLATFORM_USER}"));
    let body = json!({ "external_id_field": EXTERNAL_ID, "records": [fields] });
    scenario.platform.post(&path, &format!("demo-{object}"), &body).await
}

/// Sends the account's request again, as after a lost response. It must not write a second account.
async fn repeat(scenario: &Scenario) -> Result<Value> {
    let count = || scenario.stack.simulator().record_counts().get("Account").copied();
    let before = count();
    let account = json!({ EXTERNAL_ID: "A-1001", "Name": "Kestrel Instruments" });
    let (first, second) = (send(scenario, "Account", &account).await?, send(scenario, "Account", &account).await?);
    ensure!(first["write_id"] == second["write_id"], "a repeated request made a second write");
    ensure!(count() == before, "a repeated request made a second account");
    Ok(json!("returned the stored outcome"))
}

fn record(scenario: &Scenario, object: &str, id: &str) -> Result<Map<String, Value>> {
    scenario.stack.simulator().record(object, id).with_context(|| format!("the org has no {object} {id}"))
}

/// Writes one enhanced note that is linked to the account and the opportunity, and reads it back.
pub(crate) async fn note(scenario: &Scenario, written: WrittenRecords) -> Result<StepOutput<()>> {
    let (title, text) = ("Kick-off call", "Pilot starts in March.\nAda wants a weekly report & a named contact.");
    let body = json!({ "title": title, "text": text, "links": [written.account, written.opportunity] });
    let created =
        scenario.platform.post(&scenario.path(&format!("/notes?as={PLATFORM_USER}")), "demo-note", &body).await?;
    let id = created["note_id"].as_str().context("the response has no note_id")?;
    let note = scenario.platform.get(&scenario.path(&format!("/notes/{id}?as={PLATFORM_USER}"))).await?;
    ensure!(note["title"] == title, "the note has the title {}", note["title"]);
    let html = note["html"].as_str().unwrap_or_default();
    ensure!(html.contains("weekly report &amp; a named contact"), "the note has another text than was written");
    let links = note["links"].as_array().context("the note has no links")?;
    for id in [&written.account, &written.opportunity] {
        ensure!(links.iter().any(|link| link == id.as_str()), "the note is not linked to {id}");
    }
    let evidence = json!({
        "note": id,
        "write": created["write_id"],
        "connection": created["connection"],
        "title": note["title"],
        "html": html,
        "links": links,
    });
    Ok(StepOutput { evidence, value: () })
}
