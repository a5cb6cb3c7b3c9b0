use futures::future::join_all;
use store::{CursorName, Cursors, Position};

use crate::harness::{account, at, org, run, tables};

async fn cursors() -> (Cursors, CursorName) {
    let (client, tables) = tables().await;
    (Cursors::new(client, tables.name("cursors")), CursorName::incremental(&"Account".parse().unwrap()))
}

fn position(seconds: i64, n: usize) -> Position {
    Position { system_modstamp: at(seconds), last_id: account(n) }
}

#[test]
fn a_cursor_only_moves_forward() {
    run(async {
        let (cursors, name) = cursors().await;
        let mut moves = Vec::new();
        for to in [position(10, 5), position(10, 4), position(9, 9), position(10, 6), position(10, 6), position(11, 1)]
        {
            moves.push(cursors.advance(org(), &name, to, at(99)).await.unwrap());
        }
        assert_eq!(moves, [true, false, false, true, false, true]);
        let cursor = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!(cursor.position, Some(position(11, 1)));
    });
}

#[test]
fn any_number_of_scans_at_once_end_at_the_furthest_row() {
    run(async {
        let (cursors, name) = cursors().await;
        let positions: Vec<_> = (0..40_usize).map(|n| position(i64::try_from(n % 7).unwrap(), n)).collect();

        join_all(positions.iter().map(|to| cursors.advance(org(), &name, *to, at(99)))).await;

        let cursor = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!(cursor.position, positions.into_iter().max());
    });
}

#[test]
fn a_checkpoint_is_kept_until_the_scan_ends_and_does_not_move_the_cursor() {
    run(async {
        let (cursors, name) = cursors().await;
        assert_eq!(cursors.load(org(), &name).await.unwrap(), None);
        cursors.store_checkpoint(org(), &name, "page 2", at(1)).await.unwrap();
        let running = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!((running.position, running.checkpoint.as_deref()), (None, Some("page 2")));

        cursors.advance(org(), &name, position(10, 5), at(2)).await.unwrap();
        cursors.finish(org(), &name, at(3)).await.unwrap();

        let done = cursors.load(org(), &name).await.unwrap().unwrap();
        assert_eq!((done.position, done.checkpoint, done.covered_until), (Some(position(10, 5)), None, Some(at(3))));
        assert_eq!(cursors.list(org()).await.unwrap().len(), 1);
    });
}
