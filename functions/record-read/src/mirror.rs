//! Records from the mirror.

use salesforce::{HostPolicy, InstanceUrl, ObjectName, OrgId, RecordId};
use store::{ConnectionId, MirrorRecord, Org, RecordPage};

use crate::filter::{OPPORTUNITY, OpportunityFilter};
use crate::{Deps, Error};

/// The number of rows in one read of the table.
const CHUNK: u16 = 200;
/// The maximum number of reads for one page. With few matches the page ends early, and the next one continues there.
const MAX_CHUNKS: usize = 10;

/// Rows of a list, and the start of the next page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct List<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<RecordId>,
}

/// Loads one record. The object is looked up in the request's spelling, then in that of the configuration.
pub(crate) async fn load(deps: &Deps, org: OrgId, object: &ObjectName, id: RecordId) -> Result<MirrorRecord, Error> {
    let configured = deps.mirrored_objects.iter().find(|mirrored| *mirrored == object);
    let mut row = deps.records.load(org, object, id).await?;
    if let (None, Some(configured)) = (&row, configured.filter(|name| name.as_str() != object.as_str())) {
        row = deps.records.load(org, configured, id).await?;
    }
    match row {
        None if configured.is_none() => Err(Error::NotMirrored(object.clone())),
        None => Err(Error::NotInMirror(object.clone())),
        Some(row) if row.deleted => Err(Error::Deleted { merged_into: row.master_record_id }),
        Some(row) => Ok(row),
    }
}

/// Returns the base URL of the org: its My Domain, or the one that the team's connection has.
pub(crate) async fn instance_url(deps: &Deps, org: &Org) -> Result<Option<InstanceUrl>, Error> {
    let url = match &org.my_domain_url {
        Some(url) => Some(url.clone()),
        None => deps.connections.load(org.org_id, &ConnectionId::team()).await?.map(|team| team.instance_url),
    };
    // The URL was checked when it was stored.
    Ok(url.and_then(|url| InstanceUrl::parse(&url, HostPolicy::LoopbackToo).ok()))
}

/// Loads a page of opportunities.
pub(crate) async fn list(deps: &Deps, org: OrgId, filter: &OpportunityFilter) -> Result<List<MirrorRecord>, Error> {
    let mut list = List { rows: Vec::new(), next: filter.after };
    for _ in 0..MAX_CHUNKS {
        let page = deps.records.list(org, &OPPORTUNITY, list.next, CHUNK).await?;
        if append_matching(&mut list, page, filter) {
            break;
        }
    }
    Ok(list)
}

/// Appends the matching rows to the list. Returns whether the page is complete.
fn append_matching(list: &mut List<MirrorRecord>, page: RecordPage, filter: &OpportunityFilter) -> bool {
    let mut rows = page.records.into_iter();
    for row in rows.by_ref() {
        if !row.deleted && filter.matches(&row.fields) {
            let id = row.record_id;
            list.rows.push(row);
            if list.rows.len() == usize::from(filter.limit) {
                list.next = (rows.len() > 0 || page.next.is_some()).then_some(id);
                return true;
            }
        }
    }
    list.next = page.next;
    list.next.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::filter::ListQuery;

    fn row(number: usize, stage: &str) -> MirrorRecord {
        MirrorRecord {
            org_id: "00D000000000001".parse().unwrap(),
            object: OPPORTUNITY,
            record_id: format!("006000000000{number:03}").parse().unwrap(),
            fields: json!({ "StageName": stage }).as_object().unwrap().clone(),
            system_modstamp: jiff::Timestamp::UNIX_EPOCH,
            read_at: jiff::Timestamp::UNIX_EPOCH,
            deleted: stage == "deleted",
            master_record_id: None,
            erased: false,
            outdated_since: None,
        }
    }

    fn page(stages: &[&str], more: bool) -> RecordPage {
        let records: Vec<_> = stages.iter().enumerate().map(|(number, stage)| row(number, stage)).collect();
        let next = records.last().filter(|_| more).map(|row| row.record_id);
        RecordPage { records, next }
    }

    fn appended(page: RecordPage, limit: u16) -> (List<MirrorRecord>, bool) {
        let query: ListQuery = serde_json::from_value(json!({"stage": "won", "limit": limit})).unwrap();
        let mut list = List { rows: Vec::new(), next: None };
        let complete = append_matching(&mut list, page, &query.try_into().unwrap());
        (list, complete)
    }

    #[test]
    fn tombstones_and_rows_that_do_not_match_are_left_out() {
        let (list, complete) = appended(page(&["won", "lost", "deleted", "won"], false), 10);
        assert_eq!(list.rows.len(), 2);
        assert!(complete);
        assert_eq!(list.next, None);
    }

    #[test]
    fn the_next_page_starts_after_the_last_row() {
        let (list, complete) = appended(page(&["won", "won", "won"], false), 2);
        assert!(complete);
        assert_eq!(list.next, Some(list.rows[1].record_id));
    }

    #[test]
    fn a_page_that_ends_with_the_table_is_the_last() {
        let (list, complete) = appended(page(&["won", "won"], false), 2);
        assert!(complete);
        assert_eq!(list.next, None);
    }

    #[test]
    fn a_page_that_is_not_full_needs_more_rows() {
        let page = page(&["lost", "lost"], true);
        let next = page.next;
        let (list, complete) = appended(page, 2);
        assert!(!complete);
        assert_eq!(list.next, next);
    }
}
