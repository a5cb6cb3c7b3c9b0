//! A short run of the chaos test. A long one is `cargo run --bin chaos -- --messages 100000`.

use end_to_end::chaos::{Plan, run};
use local::Progress;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_lost_doubled_or_made_up() {
    let plan = Plan { messages: 5_000, seed: 5, workers: 2, daily_limit: false, odd_answers: false };

    let report = run(plan, &Progress::Silent).await.unwrap();

    assert!(report.wrong.is_empty(), "{report:#?}");
    assert!(report.acknowledged >= plan.messages, "{report:#?}");
    assert!(report.killed > 0 && report.faults > 0 && report.events > 0, "{report:#?}");
}
