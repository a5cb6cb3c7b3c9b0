//! From the platform to Salesforce: records that the rep owns, and a note on two of them.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use super::{EXTERNAL_ID, PLATFORM_USER, Story};
use crate::demo::run::Proven;

/// What the platform wrote.
pub(crate) struct Written {
    account: String,
    opportunity: String,
}

/// An account, a contact and an opportunity that refer to each other by the platform's ids.
pub(crate) async fn records(story: &Story, stage: String) -> Result<Proven<Written>> {
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
    let account = upsert(story, "Account", &account, &mut evidence).await?;
    let contact = upsert(story, "Contact", &contact, &mut evidence).await?;
    let opportunity = upsert(story, "Opportunity", &opportunity, &mut evidence).await?;
    for (object, id) in [("Contact", &contact), ("Opportunity", &opportunity)] {
        let parent = &record(story, object, id)?["AccountId"];
        ensure!(*parent == account.as_str(), "the {object} does not belong to the new account");
    }
    evidence.insert("owner".to_owned(), json!(story.rep.name));
    evidence.insert("repeated".to_owned(), repeat(story).await?);
    Ok(Proven { evidence: evidence.into(), value: Written { account, opportunity } })
}

async fn upsert(story: &Story, object: &str, fields: &Value, evidence: &mut Map<String, Value>) -> Result<String> {
    let answer = send(story, object, fields).await?;
    let outcome = &answer["records"][0];
    ensure!(outcome["success"] == true, "Salesforce refused the {object}: {}", outcome["errors"]);
    ensure!(
        answer["owner_choice"] == "rep",
        "the {object} was not written as the rep but as {}",
        answer["owner_choice"]
    );
    let id = outcome["id"].as_str().context("the record has no id")?.to_owned();
    let owner = &record(story, object, &id)?["OwnerId"];
    ensure!(*owner == story.rep.id.as_str(), "the {object} is not owned by {}", story.rep.name);
    let entry = json!({ "id": id, "created": outcome["created"], "through": answer["connection"] });
    evidence.insert(object.to_lowercase(), entry);
    Ok(id)
}

async fn send(story: &Story, object: &str, fields: &Value) -> Result<Value> {
    let path = story.path(&format!("/records/{object}?as={PLATFORM_USER}"));
    let body = json!({ "external_id_field": EXTERNAL_ID, "records": [fields] });
    story.platform.post(&path, &format!("demo-{object}"), &body).await
}

/// The first request once more, as after a lost answer: nothing may be written twice.
async fn repeat(story: &Story) -> Result<Value> {
    let count = || story.stack.simulator().record_counts().get("Account").copied();
    let before = count();
    let account = json!({ EXTERNAL_ID: "A-1001", "Name": "Kestrel Instruments" });
    let (first, second) = (send(story, "Account", &account).await?, send(story, "Account", &account).await?);
    ensure!(first["write_id"] == second["write_id"], "a repeated request is another write");
    ensure!(count() == before, "a repeated request made another account");
    Ok(json!("the stored outcome, no second account"))
}

fn record(story: &Story, object: &str, id: &str) -> Result<Map<String, Value>> {
    story.stack.simulator().record(object, id).with_context(|| format!("the org has no {object} {id}"))
}

/// One enhanced note that shows on the account and on the opportunity.
pub(crate) async fn note(story: &Story, written: Written) -> Result<Proven<()>> {
    let (title, text) = ("Kick-off call", "Pilot starts in March.\nAda wants a weekly report & a named contact.");
    let body = json!({ "title": title, "text": text, "links": [written.account, written.opportunity] });
    let made = story.platform.post(&story.path(&format!("/notes?as={PLATFORM_USER}")), "demo-note", &body).await?;
    let id = made["note_id"].as_str().context("the note has no id")?;
    let note = story.platform.get(&story.path(&format!("/notes/{id}?as={PLATFORM_USER}"))).await?;
    ensure!(note["title"] == title, "the note is called {}", note["title"]);
    let html = note["html"].as_str().unwrap_or_default();
    ensure!(html.contains("weekly report &amp; a named contact"), "the note does not say what was written");
    let links = note["links"].as_array().context("the note has no links")?;
    for id in [&written.account, &written.opportunity] {
        ensure!(links.iter().any(|link| link == id.as_str()), "the note is not linked to {id}");
    }
    let evidence =
        json!({ "note": id, "through": made["connection"], "title": note["title"], "html": html, "links": links });
    Ok(Proven { evidence, value: () })
}
