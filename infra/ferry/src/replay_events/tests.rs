use super::*;

fn batch(table: &str, changes: usize, failed_at: &str) -> FailedBatch {
    FailedBatch { table: table.to_owned(), failed_at: failed_at.parse().unwrap(), records: vec![json!({}); changes] }
}

#[test]
fn a_report_names_the_streams_and_what_is_left() {
    let mut replayed = Replayed { batches_published: 1_200, ..Replayed::default() };
    replayed.count(&batch("ferry-records", 100, "2026-11-22T10:15:30Z"));
    replayed.count(&batch("ferry-records", 1, "2026-11-22T09:15:30Z"));
    replayed.count(&batch("ferry-connections", 2, "2026-11-22T10:00:00Z"));

    let left = |place, unreadable, reason: &str| Left { place, unreadable, reason: reason.to_owned() };
    let reasons = [left(0, true, "the deployed version cannot read it"), left(2, false, "the bus refused it")];
    replayed.published("aws/lambda/1", &changes(["first", "second", "third"]), reasons.to_vec());
    assert_eq!((replayed.changes_published, replayed.changes_unreadable, replayed.changes_refused), (1, 1, 1));

    insta::assert_snapshot!(replayed.report(Some(&Stopped("the bus refused an event".to_owned()))));
}

fn changes(ids: [&str; 3]) -> FailedBatch {
    let records = ids.map(|id| json!({ "eventID": id, "dynamodb": { "NewImage": { "Name": "Secret" } } })).to_vec();
    FailedBatch { records, ..batch("ferry-records", 0, "2026-11-22T10:15:30Z") }
}

#[test]
fn a_report_names_twenty_changes_and_counts_the_others() {
    let mut replayed = Replayed::default();
    let all = |place| Left { place, unreadable: false, reason: "the bus refused it".to_owned() };
    for _ in 0..7 {
        replayed.published("aws/lambda/1", &changes(["1", "2", "3"]), (0..3).map(all).collect());
    }

    let report = replayed.report(None);

    assert_eq!(report.matches("of ferry-records: the bus refused it").count(), 20, "{report}");
    assert!(report.contains("and 1 more") && !report.contains("Secret"), "{report}");
    assert_eq!((replayed.batches_published, replayed.changes_published, replayed.left.len()), (0, 0, 21));
}

#[test]
fn an_empty_bucket_and_a_dry_run_are_said() {
    assert_eq!(Replayed::default().report(None), "No batch of a stream has failed.");
    let mut replayed = Replayed { dry_run: true, ..Replayed::default() };
    replayed.count(&batch("ferry-records", 1, "2026-11-22T10:15:30Z"));
    assert!(replayed.report(None).ends_with("\nDry run: nothing was published."), "{}", replayed.report(None));
}
