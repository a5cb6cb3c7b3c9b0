use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use store::cursors::{Progress, ScanState};
use store::{BackfillMethod, BackfillProgress, CursorName, Cursors, Position};

use crate::harness::{account, at, counted, org, run, tables};

fn name() -> CursorName {
    CursorName::incremental(&"Account".parse().unwrap())
}

async fn cursors() -> (Cursors, CursorName) {
    let (client, tables) = tables().await;
    (Cursors::new(client, tables.name("cursors")), name())
}

fn position(seconds: i64, n: usize) -> Position {
    Position { system_modstamp: at(seconds), record_id: account(n) }
}

/// A page of a running scan; `seen` is the position that the scan has read.
fn page(seen: Option<Position>, last_row: Position, checkpoint: &str) -> Progress {
    Progress { seen, last_row: Some(last_row), state: ScanState::Running(checkpoint.to_owned()) }
}

#[test]
fn a_cursor_only_moves_forward() {
    run(async {
        let (cursors, name) = cursors().await;
        let (mut moves, mut last) = (Vec::new(), None);
        for to in [position(10, 5), position(10, 4), position(9, 9), position(10, 6), position(10, 6), position(11, 1)]
        {
            let moved = cursors.advance(org(), &name, &page(last, to, "page"), at(99)).await.unwrap();
            moves.push(moved != last);
            last = moved;
        }
        assert_eq!(moves, [true, false, false, true, false, true]);
        let cursor = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!(cursor.position, Some(position(11, 1)));
    });
}

#[test]
fn concurrent_scans_end_at_the_furthest_row() {
    run(async {
        let (cursors, name) = cursors().await;
        let positions: Vec<_> = (0..40_usize).map(|n| position(i64::try_from(n % 7).unwrap(), n)).collect();

        let pages: Vec<_> = positions.iter().map(|to| page(None, *to, "page")).collect();
        join_all(pages.iter().map(|page| cursors.advance(org(), &name, page, at(99)))).await;

        let cursor = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!(cursor.position, positions.into_iter().max());
    });
}

#[test]
fn a_scan_that_reads_rows_again_stores_its_checkpoint() {
    run(async {
        let (cursors, name) = cursors().await;
        let furthest = cursors.advance(org(), &name, &page(None, position(10, 5), "page 1"), at(1)).await.unwrap();

        for seen in [None, furthest] {
            let again = page(seen, position(4, 1), &format!("again {seen:?}"));
            assert_eq!(cursors.advance(org(), &name, &again, at(2)).await.unwrap(), furthest);
            let cursor = cursors.load(org(), &name).await.unwrap().unwrap();
            assert_eq!((cursor.position, cursor.checkpoint), (furthest, Some(format!("again {seen:?}"))));
        }
    });
}

#[test]
fn a_page_costs_one_write() {
    run(async {
        let (client, tables) = tables().await;
        let (client, requests) = counted(&client);
        let cursors = Cursors::new(client, tables.name("cursors"));
        let mut seen = None;
        for last_row in [position(10, 5), position(10, 6), position(4, 1), position(11, 1)] {
            seen = cursors.advance(org(), &name(), &page(seen, last_row, "page"), at(1)).await.unwrap();
            assert_eq!(requests.take(), 1, "{last_row:?}");
        }
        let last = Progress { seen, last_row: Some(position(12, 1)), state: ScanState::Complete(at(3)) };
        cursors.advance(org(), &name(), &last, at(4)).await.unwrap();
        assert_eq!(requests.take(), 1);
    });
}

#[test]
fn the_last_page_removes_the_checkpoint() {
    run(async {
        let (cursors, name) = cursors().await;
        assert_eq!(cursors.load(org(), &name).await.unwrap(), None);
        let first = page(None, position(9, 1), "page 2");
        let seen = cursors.advance(org(), &name, &first, at(1)).await.unwrap();
        let running = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!((running.position, running.checkpoint.as_deref()), (Some(position(9, 1)), Some("page 2")));

        let last = Progress { seen, last_row: Some(position(10, 5)), state: ScanState::Complete(at(3)) };
        cursors.advance(org(), &name, &last, at(4)).await.unwrap();

        let done = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!((done.position, done.checkpoint, done.covered_until), (Some(position(10, 5)), None, Some(at(3))));
        assert_eq!(cursors.list(org()).await.unwrap().len(), 1);
    });
}

#[test]
fn an_empty_last_page_leaves_the_position() {
    run(async {
        let (cursors, name) = cursors().await;
        let seen = cursors.advance(org(), &name, &page(None, position(9, 1), "page 2"), at(1)).await.unwrap();
        let empty = Progress { seen, last_row: None, state: ScanState::Complete(at(3)) };
        assert_eq!(cursors.advance(org(), &name, &empty, at(4)).await.unwrap(), seen);
        let done = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!((done.position, done.checkpoint, done.covered_until), (seen, None, Some(at(3))));
    });
}

/// Earlier versions wrote the position and the checkpoint one after the other.
#[test]
fn an_item_of_an_earlier_version_is_read_and_advanced() {
    run(async {
        let (client, tables) = tables().await;
        let put = client.put_item().table_name(tables.name("cursors"));
        let stored = [
            ("org_id", org().to_string()),
            ("cursor_name", "incremental/Account".to_owned()),
            ("system_modstamp", store::time::format(at(9))),
            ("last_id", account(1).to_string()),
            ("checkpoint", r#"{"started_at":"2026-11-22T10:00:00Z","position":null}"#.to_owned()),
            ("updated_at", store::time::format(at(9))),
        ];
        let put = stored.into_iter().fold(put, |put, (name, value)| put.item(name, AttributeValue::S(value)));
        put.send().await.unwrap();
        let cursors = Cursors::new(client, tables.name("cursors"));

        let seen = cursors.load(org(), &name()).await.unwrap().unwrap().position;
        assert_eq!(seen, Some(position(9, 1)));
        let moved = cursors.advance(org(), &name(), &page(seen, position(10, 5), "page 3"), at(10)).await.unwrap();

        let cursor = cursors.load(org(), &name()).await.unwrap().unwrap();
        assert_eq!((moved, cursor.position), (Some(position(10, 5)), Some(position(10, 5))));
        assert_eq!(cursor.checkpoint.as_deref(), Some("page 3"));
    });
}

#[test]
fn a_record_that_was_left_out_is_listed_until_it_is_taken_in() {
    run(async {
        let (cursors, name) = cursors().await;
        cursors.finish(org(), &name, at(1)).await.unwrap();
        let (accounts, contacts) = ("Account".parse().unwrap(), "AccountContactRole".parse().unwrap());
        let left_out = async |object| cursors.left_out(org(), object).await.unwrap();
        for (object, n, reason, now) in
            [(&accounts, 1, "QUERY_TIMEOUT", 10), (&accounts, 1, "too_large", 20), (&contacts, 2, "too_large", 30)]
        {
            cursors.leave_out(org(), (object, account(n)), reason, at(now)).await.unwrap();
        }

        let of_accounts = left_out(Some(&accounts)).await;
        let [row] = &of_accounts[..] else { panic!("{of_accounts:?}") };
        assert_eq!(
            (row.record_id, row.reason.as_str(), row.since, row.updated_at),
            (account(1), "too_large", at(10), at(20))
        );
        assert_eq!((left_out(Some(&contacts)).await.len(), left_out(None).await.len()), (1, 2));
        assert_eq!(cursors.list(org()).await.unwrap().len(), 1, "it is no scan");

        for _ in 0..2 {
            cursors.take_in(org(), &accounts, account(1)).await.unwrap();
        }
        assert_eq!((left_out(Some(&accounts)).await.len(), left_out(None).await.len()), (0, 1));
    });
}

#[test]
fn of_the_workers_of_an_audit_one_stores_each_step() {
    run(async {
        let (cursors, _) = cursors().await;
        let name = &CursorName::audit(&"Account".parse().unwrap());
        let running = |checkpoint: &str| ScanState::Running(checkpoint.to_owned());
        let replace = async |seen: Option<&str>, state: ScanState| {
            cursors.replace((org(), name), seen, &state, at(5)).await.unwrap()
        };

        assert!(replace(None, running("begun")).await);
        assert!(!replace(None, running("begun twice")).await);
        assert!(replace(Some("begun"), running("a page")).await);
        assert!(!replace(Some("begun"), ScanState::Complete(at(9))).await, "out of date");
        assert!(replace(Some("a page"), ScanState::Complete(at(1))).await);
        assert!(!replace(Some("a page"), running("late")).await, "it is complete");
        let done = cursors.load(org(), name).await.unwrap().unwrap();
        assert_eq!((done.checkpoint, done.covered_until, done.progress), (None, Some(at(1)), None));
    });
}

#[test]
fn of_the_workers_of_a_backfill_one_stores_each_step() {
    run(async {
        let (cursors, _) = cursors().await;
        let name = CursorName::backfill(&"Account".parse().unwrap());
        let (cursors, name) = (&cursors, &name);
        let progress = |rows| BackfillProgress::new(BackfillMethod::Bulk, at(0)).after_page(rows, 10);
        let running = |checkpoint: &str| ScanState::Running(checkpoint.to_owned());
        // Each worker has read the same checkpoint, first none, and stores another one.
        let steps = async |seen: Option<&str>| {
            let step = async |worker: u64| {
                let state = running(&format!("{} by {worker}", seen.unwrap_or("begun")));
                let replaced = (&state, &progress(worker));
                cursors.replace_checkpoint((org(), name), seen, replaced, at(5)).await.unwrap()
            };
            let stored = join_all((1..=8).map(step)).await;
            assert_eq!(stored.iter().filter(|stored| **stored).count(), 1, "{stored:?}");
            let cursor = cursors.load(org(), name).await.unwrap().unwrap();
            let winner = stored.iter().position(|stored| *stored).unwrap() as u64 + 1;
            assert_eq!(cursor.progress, Some(progress(winner)), "the progress is that of the stored checkpoint");
            cursor.checkpoint.unwrap()
        };
        let begun = steps(None).await;
        let last = steps(Some(&begun)).await;

        cursors.record_failure(org(), name, "over_budget", at(6)).await.unwrap();
        let complete = (&ScanState::Complete(at(0)), &progress(99));
        assert!(
            !cursors.replace_checkpoint((org(), name), Some(&begun), complete, at(7)).await.unwrap(),
            "out of date"
        );
        assert!(!cursors.replace_checkpoint((org(), name), None, complete, at(7)).await.unwrap(), "there is one");
        assert!(cursors.replace_checkpoint((org(), name), Some(&last), complete, at(7)).await.unwrap());
        let done = cursors.load(org(), name).await.unwrap().unwrap();
        assert_eq!((done.checkpoint, done.covered_until, done.failure), (None, Some(at(0)), None));
        assert_eq!((done.progress, done.updated_at), (Some(progress(99)), at(7)));
        let late = (&running("late"), &progress(1));
        assert!(!cursors.replace_checkpoint((org(), name), Some(&last), late, at(8)).await.unwrap(), "it is complete");
    });
}
