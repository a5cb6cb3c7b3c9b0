//! A short run of the write chaos test. A long one is `cargo run -p end-to-end --bin write-chaos`.

use std::time::Duration;

use end_to_end::write_chaos::{Plan, run};
use local::Progress;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_write_ends_once_and_in_order() {
    let patience = Duration::from_secs(180);
    let plan = Plan { writes: 60, notes: 15, reps: 4, records: 20, kills: 3, is_short: true, seed: 3, patience };

    let report = run(plan, &Progress::Silent).await.unwrap();

    assert!(report.wrong.is_empty(), "{report:#?}");
    assert_eq!((report.writes, report.notes), (plan.writes, plan.notes), "{report:#?}");
    assert!(report.killed > 0 && report.faults > 0 && report.queued > 0, "{report:#?}");
}
