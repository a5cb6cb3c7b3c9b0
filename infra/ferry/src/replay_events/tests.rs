use super::*;

fn batch(table: &str, changes: usize, failed_at: &str) -> FailedBatch {
    FailedBatch { table: table.to_owned(), failed_at: failed_at.parse().unwrap(), records: vec![json!({}); changes] }
}

#[test]
fn a_report_names_the_streams_and_what_is_left() {
    let mut replayed = Replayed { batches_published: 1_200, changes_unreadable: 1, ..Replayed::default() };
    replayed.count(&batch("ferry-records", 100, "2026-11-22T10:15:30Z"));
    replayed.count(&batch("ferry-records", 1, "2026-11-22T09:15:30Z"));
    replayed.count(&batch("ferry-connections", 2, "2026-11-22T10:00:00Z"));

    insta::assert_snapshot!(replayed.report(Some(&Stopped("the bus refused an event".to_owned()))));
}

#[test]
fn an_empty_bucket_and_a_dry_run_are_said() {
    assert_eq!(Replayed::default().report(None), "No batch of a stream has failed.");
    let mut replayed = Replayed { dry_run: true, ..Replayed::default() };
    replayed.count(&batch("ferry-records", 1, "2026-11-22T10:15:30Z"));
    assert!(replayed.report(None).ends_with("\nDry run: nothing was published."), "{}", replayed.report(None));
}
