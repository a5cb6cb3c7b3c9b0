use serde_json::json;

use super::*;

fn request(query: &[(&str, &str)]) -> ListRequest {
    ListRequest::parse(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()).unwrap()
}

fn row(number: usize, stage: &str) -> (LastRow, MirrorRecord) {
    let record_id = format!("006000000000{number:03}").parse().unwrap();
    let row = MirrorRecord {
        org_id: "00D000000000001".parse().unwrap(),
        object: ObjectName::from_static("Opportunity"),
        record_id,
        fields: json!({ "StageName": stage }).as_object().unwrap().clone(),
        system_modstamp: Timestamp::UNIX_EPOCH,
        read_at: Timestamp::UNIX_EPOCH,
        deleted: stage == "deleted",
        master_record_id: None,
        deletion_reason: None,
        erased: false,
        outdated_since: None,
        carried: store::records::Carried::default(),
    };
    (LastRow::Id(record_id), row)
}

/// Adds one read, and returns the ids of the page, the next position and whether the page is complete.
fn collected(stages: &[&str], more: bool, limit: &str) -> (usize, Option<LastRow>, bool) {
    let request = request(&[("stage", "WON"), ("limit", limit)]);
    let rows: Vec<_> = stages.iter().enumerate().map(|(number, stage)| row(number, stage)).collect();
    let next = rows.last().filter(|_| more).map(|(place, _)| *place);
    let mut collector = Collector::new(&request, Order::Id, None);
    let complete = collector.add(rows, next);
    let list = collector.finish(&ObjectName::from_static("Opportunity")).unwrap();
    (list.rows.len(), list.next, complete)
}

#[test]
fn tombstones_and_rows_that_do_not_match_are_left_out() {
    assert_eq!(collected(&["won", "lost", "deleted", "won"], false, "10"), (2, None, true));
}

#[test]
fn the_next_page_starts_after_the_last_row() {
    assert_eq!(collected(&["won", "won", "won"], false, "2"), (2, Some(row(1, "won").0), true));
    assert_eq!(collected(&["won", "won"], false, "2"), (2, None, true));
    assert_eq!(collected(&["won", "won"], true, "2"), (2, Some(row(1, "won").0), true));
}

#[test]
fn a_page_that_is_not_full_needs_more_rows() {
    assert_eq!(collected(&["lost", "lost"], true, "2"), (0, Some(row(1, "lost").0), false));
}

#[test]
fn a_condition_on_a_field_that_no_row_has_is_refused() {
    let request = request(&[("field.Stage", "won")]);
    let mut collector = Collector::new(&request, Order::Id, None);
    collector.add(vec![row(1, "won")], None);
    let problem = collector.finish(&ObjectName::from_static("Opportunity")).unwrap_err().to_string();
    assert!(problem.contains("no mirrored record of Opportunity has the field Stage"), "{problem}");

    // Rows of other pages may have it.
    let mut later = Collector::new(&request, Order::Id, Some(row(1, "won").0));
    later.add(vec![row(2, "won")], None);
    assert!(later.finish(&ObjectName::from_static("Opportunity")).unwrap().rows.is_empty());
}

#[test]
fn the_order_is_the_one_that_reads_the_fewest_rows() {
    let order = |query: &[(&str, &str)]| super::order(&request(query).filter);
    let account = ("account", "001000000000001");
    let since = ("modified_since", "2026-11-22T10:00:00Z");
    let below = Order::NewestOf("001000000000001".parse().unwrap());
    assert_eq!(order(&[]).unwrap(), Order::Id);
    assert_eq!(order(&[since]).unwrap(), Order::Oldest);
    assert_eq!(order(&[account, since]).unwrap(), below);
    assert_eq!(order(&[account, ("sort", "-modified")]).unwrap(), below);
    assert_eq!(order(&[account, ("sort", "modified")]).unwrap(), Order::Oldest);
    assert_eq!(order(&[account, ("sort", "id")]).unwrap(), Order::Id);
    assert_eq!(order(&[("sort", "-modified")]).unwrap(), Order::Newest);
    for sort in ["-id", "Name", "SystemModstamp"] {
        assert!(order(&[("sort", sort)]).unwrap_err().to_string().contains("with `as`"), "{sort}");
    }
}
