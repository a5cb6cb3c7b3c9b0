//! Publishes the state of an org's records from the mirror.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{MirrorRecord, OrgTable};

use super::publisher::{Publisher, Source};
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

/// The largest request to the function in bytes. Lambda accepts 6 MB.
const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// The most rows in a request, each of which becomes an event.
const MAX_ROWS: usize = 500;

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
    let mut replayed = Replayed { org_id: org.org_id, dry_run, records: 0, unreadable: 0 };
    let mut after = None;
    loop {
        let page = stack.org_data().page(selection.org, OrgTable::Records, after).await;
        let (rows, next) = page.map_err(|error| stack.unavailable(&error))?;
        let (rows, unreadable) = selected(selection, rows);
        replayed.unreadable += unreadable;
        for chunk in chunks(rows, MAX_REQUEST_BYTES) {
            let unreadable = if dry_run { Ok(0) } else { publisher.publish(&chunk).await };
            let unreadable = unreadable.map_err(|reason| {
                let published = screen::counted(replayed.records, "record was", "records were");
                Failure::Unfinished(format!(
                    "{published} published before it stopped: {reason}. Run the same command again to finish."
                ))
            })?;
            replayed.records += chunk.len() - unreadable;
            replayed.unreadable += unreadable;
            progress.set_position(replayed.records as u64);
        }
        if next.is_none() {
            break;
        }
        after = next;
    }
    progress.finish_and_clear();
    let text = if as_json { format!("{:#}", json!(replayed)) } else { replayed.report() };
    if replayed.unreadable > 0 { Err(Failure::Unfinished(text)) } else { Ok(text) }
}

/// The result of a replay.
#[derive(Clone, Copy, Debug, Serialize)]
struct Replayed {
    org_id: OrgId,
    dry_run: bool,
    /// The number of published records.
    records: usize,
    /// The number of rows that are not records for this version of the command, or for the deployed function.
    unreadable: usize,
}

impl Replayed {
    fn report(&self) -> String {
        let (org, records) = (self.org_id, screen::counted(self.records, "record", "records"));
        let done = match self.dry_run {
            true => format!("{records} of org {org}.\nDry run: nothing was published."),
            false => format!("The state of {records} of org {org} was published."),
        };
        match self.unreadable {
            0 => done,
            rows => format!("{done}\n{} cannot be read.", screen::counted(rows, "row", "rows")),
        }
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

/// Splits rows into requests of at most [`MAX_ROWS`] rows and `max_bytes`. A row is never split.
fn chunks(rows: Vec<Value>, max_bytes: usize) -> Vec<Vec<Value>> {
    let (mut chunks, mut bytes) = (Vec::<Vec<Value>>::new(), 0);
    for row in rows {
        let size = row.to_string().len();
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < MAX_ROWS && bytes + size <= max_bytes => {
                bytes += size;
                chunk.push(row);
            }
            _ => {
                bytes = size;
                chunks.push(vec![row]);
            }
        }
    }
    chunks
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
    fn requests_stay_below_the_limits() {
        let row = || json!("x".repeat(98));
        let sizes = |rows: usize, max| chunks(vec![row(); rows], max).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(5, 250), [2, 2, 1]);
        assert_eq!(sizes(2, 10), [1, 1], "a row is never split");
        assert_eq!(sizes(MAX_ROWS + 1, usize::MAX), [MAX_ROWS, 1]);
        assert_eq!(sizes(0, 10), [0; 0]);
    }
}
