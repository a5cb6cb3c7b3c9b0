//! Pipelines.

use store::{CursorName, RefreshKind};

use crate::harness::{TestContext, run};

#[test]
fn pipelines_are_record_types_with_their_stages_in_order() {
    run(async {
        let context = TestContext::new().await;

        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        let pipelines = context.deps.pipelines.list(context.org).await.unwrap();
        assert!(!pipelines.is_empty());
        for pipeline in &pipelines {
            let order: Vec<_> = pipeline.stages.iter().map(|stage| stage.sort_order).collect();
            assert!(!order.is_empty() && order.is_sorted(), "{pipeline:?}");
            assert!(pipeline.stages.iter().any(|stage| stage.is_won && stage.is_closed), "{pipeline:?}");
        }
        assert_eq!(pipelines.iter().filter(|pipeline| pipeline.is_default).count(), 1, "{pipelines:?}");
        let read = context.deps.cursors.load(context.org, &CursorName::pipelines()).await.unwrap();
        assert!(read.unwrap().covered_until.is_some());
    });
}

#[test]
fn unchanged_pipelines_are_not_written_again() {
    run(async {
        let context = TestContext::new().await;
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;
        let before = context.deps.pipelines.list(context.org).await.unwrap();

        context.work_on(&[context.task(RefreshKind::Nightly)]).await;

        assert_eq!(context.deps.pipelines.list(context.org).await.unwrap(), before);
    });
}
