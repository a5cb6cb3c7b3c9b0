//! The checks at the end of a run, which compare what the platform was told with what is in the org.
//!
//! Every trouble of a run passes, so each write has to succeed in the end: a failure is reported, whatever it says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;

use super::fronts::Fronts;
use super::plan::{Content, external_id, title};
use super::platform::Sent;
use super::salesforce::Org;

/// A write at the end of the run.
struct Ended<'a> {
    sent: &'a Sent,
    view: Value,
}

/// Returns whether the write has ended, as the ledger shows it.
pub(super) fn is_final(view: &Value) -> bool {
    matches!(view["state"].as_str(), Some("finished" | "failed"))
}

/// Returns the differences.
pub(super) async fn check(org: &Org, fronts: &Fronts<'_>, sent: &[Sent], events: &[Value]) -> Result<Vec<String>> {
    let mut ended = Vec::new();
    let mut wrong = Vec::new();
    for sent in sent {
        if sent.write_id.is_empty() {
            wrong.push(format!("refused: {} was answered {} {}", sent.request.key, sent.status, sent.answer["type"]));
        } else {
            ended.push(Ended { sent, view: fronts.view(sent).await? });
        }
    }
    wrong.extend(ended.iter().filter_map(check_state));
    wrong.extend(check_records(&org.accounts().await?, &ended));
    wrong.extend(check_notes(&org.notes().await?, &ended));
    wrong.extend(check_events(&ended, events));
    Ok(wrong)
}

/// Returns what is wrong with the final state of a write.
fn check_state(ended: &Ended<'_>) -> Option<String> {
    let (key, id, view) = (&ended.sent.request.key, &ended.sent.write_id, &ended.view);
    if !is_final(view) {
        return Some(format!("lost: {key} is still {} ({id})", view["state"]));
    }
    if view["state"] == "failed" || view["problem"].is_object() {
        return Some(format!("failed: {key} ended as {} ({id})", view["problem"]["type"]));
    }
    let rows = view["records"].as_array().into_iter().flatten();
    let refused: Vec<String> =
        rows.filter(|row| row["success"] != true).map(|row| row["errors"][0]["code"].to_string()).collect();
    (!refused.is_empty()).then(|| format!("failed: rows of {key} ended as {refused:?} ({id})"))
}

/// Returns whether the write succeeded for its n-th record.
fn row_succeeded(ended: &Ended<'_>, row: usize) -> bool {
    is_final(&ended.view) && ended.view["records"][row]["success"] == true
}

/// Checks that each record exists once and has the value of the last write that succeeded.
fn check_records(accounts: &BTreeMap<String, Vec<(String, u64)>>, ended: &[Ended<'_>]) -> Vec<String> {
    let mut last: BTreeMap<usize, u64> = BTreeMap::new();
    let mut open: BTreeSet<usize> = BTreeSet::new();
    for write in ended {
        for (row, (record, value)) in write.sent.values.iter().enumerate() {
            if row_succeeded(write, row) {
                last.entry(*record).and_modify(|last| *last = (*last).max(*value)).or_insert(*value);
            } else if !is_final(&write.view) {
                open.insert(*record);
            }
        }
    }
    let mut wrong = Vec::new();
    for (record, value) in &last {
        let key = external_id(*record);
        match accounts.get(&key).map(Vec::as_slice) {
            None | Some([]) => wrong.push(format!("lost: {key} is not in the org")),
            // What a write that has not ended did is not known.
            Some([(_, found)]) if found != value && !open.contains(record) => {
                wrong.push(format!("overtaken: {key} is {found}, the last write set {value}"));
            }
            Some([_]) => {}
            Some(rows) => wrong.push(format!("doubled: {} records are {key}", rows.len())),
        }
    }
    let known: BTreeSet<String> = last.keys().chain(&open).map(|record| external_id(*record)).collect();
    let unknown = accounts.keys().filter(|key| !known.contains(*key));
    wrong.extend(unknown.map(|key| format!("untold: {key} is in the org, and no write of it succeeded")));
    wrong
}

/// Checks that there is one note for each write of a note that succeeded.
fn check_notes(notes: &BTreeMap<String, Vec<String>>, ended: &[Ended<'_>]) -> Vec<String> {
    let mut expected: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for write in ended {
        let Content::Note { text, .. } = &write.sent.request.content else { continue };
        let (succeeded, open) = expected.entry(title(*text)).or_default();
        match write.view["note_id"].as_str() {
            Some(id) if is_final(&write.view) => {
                *succeeded += 1;
                told.entry(id).or_default().push(&write.sent.request.key);
            }
            _ if !is_final(&write.view) => *open += 1,
            _ => {}
        }
    }
    let mut wrong = Vec::new();
    for (title, (succeeded, open)) in &expected {
        let found = notes.get(title).map_or(0, Vec::len);
        if found < *succeeded {
            wrong.push(format!("lost: {found} notes are \"{title}\", {succeeded} writes succeeded"));
        } else if found > succeeded + open {
            wrong.push(format!("doubled: {found} notes are \"{title}\", {succeeded} writes succeeded"));
        }
    }
    let shared = told.iter().filter(|(_, keys)| keys.len() > 1);
    wrong.extend(shared.map(|(id, keys)| format!("lost: the writes {keys:?} have one note {id}")));
    wrong
}

/// Checks that the end of each write that was queued was told, and in one way only.
fn check_events(ended: &[Ended<'_>], events: &[Value]) -> Vec<String> {
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in events {
        let id = event["data"]["write_id"].as_str().unwrap_or_default();
        told.entry(id).or_default().insert(event["type"].as_str().unwrap_or_default());
    }
    let mut wrong = Vec::new();
    for write in ended.iter().filter(|write| write.sent.was_queued && is_final(&write.view)) {
        let expected = if check_state(write).is_none() { "write.succeeded" } else { "write.failed" };
        let (key, id) = (&write.sent.request.key, &write.sent.write_id);
        match told.get(id.as_str()) {
            None => wrong.push(format!("untold: no event reports the end of {key} ({id})")),
            Some(kinds) if kinds.len() > 1 || !kinds.contains(expected) => {
                wrong.push(format!("untold: {key} ended and its events are {kinds:?}, not {expected} ({id})"));
            }
            Some(_) => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests;
