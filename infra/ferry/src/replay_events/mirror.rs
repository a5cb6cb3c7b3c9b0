//! Publishes the state of an org's records from the mirror.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{MirrorRecord, OrgTable, batch};

use super::named;
use super::publisher::{Left, Publisher, Source};
use crate::failure::Failure;
use crate::prompt;
use crate::screen;
use crate::stack::Stack;

/// The records to publish.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) org: OrgId,
    pub(crate) object: Option<ObjectName>,
    pub(crate) since: Option<Timestamp>,
}

impl Selection {
    fn contains(&self, row: &MirrorRecord) -> bool {
        let is_of_object = self.object.as_ref().is_none_or(|object| *object == row.object);
        is_of_object && self.since.is_none_or(|since| row.read_at >= since) && !row.erased
    }
}

/// The limits of a request to the function: 500 rows, each of which becomes an event, and 4 MB of the 6 that Lambda accepts.
const REQUEST: batch::Limits = batch::Limits { entries: 500, bytes: 4 * 1024 * 1024 };

/// Publishes the selected records page by page, and reports their number.
pub(crate) async fn replay(
    stack: &Stack,
    selection: &Selection,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> Result<String, Failure> {
    let org = stack.load_org(selection.org).await?;
    if !dry_run {
        let question = format!("Publish the state of the records of org {}? [y/N]", org.org_id);
        prompt::confirm(&question, yes, prompt::is_yes)?;
    }
    let publisher = Publisher::new(stack.record_events(), Source::Mirror);
    let progress = screen::spinner("Publishing", "records");
    let mut replayed = Replayed { org_id: org.org_id, dry_run, records: 0, unreadable: 0, left: Vec::new() };
    let mut after = None;
    loop {
        let page = stack.org_data().page(selection.org, OrgTable::Records, after).await;
        let (rows, next) = page.map_err(|error| stack.unavailable(&error))?;
        let (rows, unreadable) = selected(selection, rows);
        replayed.unreadable += unreadable;
        for chunk in batch::split(rows, REQUEST, |row| row.to_string().len()) {
            let left = if dry_run { Ok(Vec::new()) } else { publisher.publish(&chunk).await };
            let left = left.map_err(|reason| {
                let published = screen::counted(replayed.records, "record was", "records were");
                Failure::Unfinished(format!(
                    "{published} published before it stopped: {reason}. Run the same command again to finish."
                ))
            })?;
            replayed.published(&chunk, left);
            progress.set_position(replayed.records as u64);
        }
        if next.is_none() {
            break;
        }
        after = next;
    }
    progress.finish_and_clear();
    let text = if as_json { format!("{:#}", json!(replayed)) } else { replayed.report() };
    if replayed.unreadable + replayed.left.len() > 0 { Err(Failure::Unfinished(text)) } else { Ok(text) }
}

/// The result of a replay.
#[derive(Debug, Serialize)]
struct Replayed {
    org_id: OrgId,
    dry_run: bool,
    /// The number of published records.
    records: usize,
    /// The number of rows that are not records for this version of the command.
    unreadable: usize,
    /// The records that were not published.
    left: Vec<LeftRecord>,
}

/// A record that was not published.
#[derive(Debug, Serialize)]
struct LeftRecord {
    /// `{object}/{record}`.
    subject: String,
    reason: String,
}

impl Replayed {
    fn published(&mut self, rows: &[Value], left: Vec<Left>) {
        self.records += rows.len() - left.len();
        self.left.extend(left.into_iter().map(|Left { place, reason, .. }| {
            let text = |name| rows.get(place).and_then(|row| row[name].as_str()).unwrap_or("unknown");
            LeftRecord { subject: format!("{}/{}", text("object"), text("record_id")), reason }
        }));
    }

    fn report(&self) -> String {
        let (org, records) = (self.org_id, screen::counted(self.records, "record", "records"));
        let done = match self.dry_run {
            true => format!("{records} of org {org}.\nDry run: nothing was published."),
            false => format!("The state of {records} of org {org} was published."),
        };
        let mut lines = vec![done];
        if self.unreadable > 0 {
            lines.push(format!("{} cannot be read.", screen::counted(self.unreadable, "row", "rows")));
        }
        if !self.left.is_empty() {
            lines.push(format!("{} left out:", screen::counted(self.left.len(), "record was", "records were")));
            lines.extend(named(&self.left, |left| format!("{}: {}", left.subject, left.reason)));
            lines.push("Correct the reasons, then run the same command again.".to_owned());
        }
        lines.join("\n")
    }
}

/// Returns the selected rows as the function takes them, and the number of rows that are no records.
fn selected(selection: &Selection, rows: Vec<Map<String, Value>>) -> (Vec<Value>, usize) {
    let all = rows.len();
    let rows = rows.into_iter().filter_map(|row| serde_json::from_value(Value::Object(row)).ok());
    let rows: Vec<MirrorRecord> = rows.collect();
    let unreadable = all - rows.len();
    let rows = rows.into_iter().filter(|row| selection.contains(row));
    (rows.filter_map(|row| serde_json::to_value(row).ok()).collect(), unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "00D5e000000KQ2eEAG";

    fn row(object: &str, read_at: &str, erased: bool) -> Map<String, Value> {
        let row = json!({
            "org_id": ORG, "object": object, "record_id": "0015e00000ZkM3hAAF", "fields": "{}", "partition": "p",
            "system_modstamp": "2026-11-22T10:00:00.000Z", "read_at": read_at, "deleted": false, "erased": erased,
        });
        row.as_object().unwrap().clone()
    }

    #[test]
    fn rows_are_selected_by_object_and_time_of_reading() {
        let rows = || {
            vec![
                row("Account", "2026-11-22T09:00:00.000Z", false),
                row("Account", "2026-11-22T11:00:00.000Z", false),
                row("Contact", "2026-11-22T11:00:00.000Z", false),
                row("Account", "2026-11-22T11:00:00.000Z", true),
            ]
        };
        let all = Selection { org: ORG.parse().unwrap(), object: None, since: None };
        assert_eq!(selected(&all, rows()).0.len(), 3, "an erased record is not published");
        let since = Some("2026-11-22T10:00:00Z".parse().unwrap());
        let some = Selection { object: Some("Account".parse().unwrap()), since, ..all };
        let (selected, unreadable) = selected(&some, [rows(), vec![Map::new()]].concat());
        let [only] = &selected[..] else { panic!("one row: {selected:?}") };
        assert_eq!(unreadable, 1, "a row that is no record is counted");
        assert_eq!((&only["read_at"], only.get("partition")), (&json!("2026-11-22T11:00:00.000Z"), None));
    }

    #[test]
    fn a_record_that_was_not_published_is_named_without_its_values() {
        let rows =
            [row("Account", "2026-11-22T11:00:00.000Z", false), row("Contact", "2026-11-22T11:00:00.000Z", false)];
        let rows = rows.map(Value::Object);
        let mut replayed =
            Replayed { org_id: ORG.parse().unwrap(), dry_run: false, records: 0, unreadable: 0, left: Vec::new() };

        replayed.published(&rows, vec![Left { place: 1, unreadable: false, reason: "the bus refused it".to_owned() }]);

        assert_eq!((replayed.records, replayed.left.len()), (1, 1));
        let report = replayed.report();
        assert!(
            report.contains("1 record was left out:\n  Contact/0015e00000ZkM3hAAF: the bus refused it"),
            "{report}"
        );
    }
}
