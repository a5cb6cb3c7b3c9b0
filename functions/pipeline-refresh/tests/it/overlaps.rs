//! Tasks of one object that run at the same time, as a night and the message of incomplete change events do.

use mirroring::{Excess, Extent};
use store::{CursorName, RefreshKind};

use crate::harness::{ACCOUNT, TestContext, run};

#[test]
fn tasks_of_one_object_at_the_same_time_lose_nothing() {
    run(async {
        let mut context = TestContext::connected().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        let accounts = context.accounts(60);
        // Some rows a page, so that the pages of the tasks alternate.
        let mut extent = Extent::default();
        while extent.rows() > 4 {
            extent = extent.narrowed(Excess::Rows, 1, None).unwrap();
        }
        for round in 0..3 {
            context.deps.fields.set_extent(context.org, &ACCOUNT, extent);
            let kinds = [RefreshKind::Backfill, RefreshKind::Nightly, RefreshKind::Incremental];
            let tasks = kinds.map(|kind| [context.task(kind)]);
            let [one, other, third] = &tasks;
            let failed = futures::join!(context.work_on(one), context.work_on(other), context.work_on(third));
            assert!(failed.0.is_empty() && failed.1.is_empty() && failed.2.is_empty(), "{failed:?}");

            context.assert_mirrored(&accounts).await;
            let cursor = context.cursor(&CursorName::backfill(&ACCOUNT)).await;
            assert_eq!((cursor.checkpoint, cursor.failure), (None, None), "round {round}");
            assert!(cursor.covered_until >= Some(tasks[0][0].requested_at), "round {round}");
            context.rename(&accounts[round], "Renamed");
            context.pass(jiff::SignedDuration::from_mins(10));
        }
    });
}
