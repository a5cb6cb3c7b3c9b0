//! Pipelines.

use org_simulator::ObjectPermissions;
use salesforce::MASTER_RECORD_TYPE;
use store::{CursorName, Pipeline, RefreshKind};

use crate::failures::{fault, odd_answers};
use crate::harness::{TestContext, run};

impl TestContext {
    /// Refreshes the org as a night does. Returns its pipelines.
    async fn night(&self) -> Vec<Pipeline> {
        assert!(self.work_on(&[self.task(RefreshKind::Nightly)]).await.is_empty());
        self.deps.pipelines.list(self.org).await.expect("the pipelines")
    }

    fn limit(&self, limits: &ObjectPermissions) {
        self.simulator.limit_profile("System Administrator", "Opportunity", limits).expect("a profile");
    }
}

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

#[test]
fn hidden_stages_and_record_types_erase_no_pipeline() {
    run(async {
        let context = TestContext::new().await;
        let before = context.night().await;
        let refreshed = context.cursor(&CursorName::pipelines()).await.covered_until;
        let named = before.iter().find(|pipeline| pipeline.record_type_id != MASTER_RECORD_TYPE).unwrap();
        let stages = ObjectPermissions { hidden_fields: vec!["StageName".to_owned()], ..ObjectPermissions::default() };
        let types = ObjectPermissions {
            hidden_record_types: vec![named.developer_name.clone()],
            ..ObjectPermissions::default()
        };
        let object = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };

        for limits in [stages, types, object] {
            context.limit(&limits);
            for _ in 0..3 {
                let kept = context.night().await;
                let same = |one: &Pipeline, other: &Pipeline| one.stages == other.stages;
                assert_eq!(kept.len(), before.len());
                assert!(kept.iter().zip(&before).all(|(kept, before)| same(kept, before)), "{kept:#?}");
            }
            let cursor = context.cursor(&CursorName::pipelines()).await;
            assert!(cursor.failure.is_some(), "{limits:?}");
            assert_eq!(cursor.covered_until, refreshed, "{limits:?}");
        }
        context.limit(&ObjectPermissions::default());
        assert_eq!(context.night().await, before);
        assert_eq!(context.cursor(&CursorName::pipelines()).await.failure, None);
    });
}

#[test]
fn a_passing_answer_erases_no_pipeline() {
    run(async {
        let context = TestContext::new().await;
        let before = context.night().await;
        for (n, effect) in odd_answers().into_iter().enumerate() {
            for (at, path) in ["ui-api", "sobjects/Opportunity/describe"].into_iter().enumerate() {
                context.simulator.fault(fault(path, 100, effect.clone()));

                let kept = context.night().await;

                let stages =
                    |pipelines: &[Pipeline]| pipelines.iter().map(|one| one.stages.clone()).collect::<Vec<_>>();
                assert_eq!(stages(&kept), stages(&before), "{effect:?} at {path}");
                let is_stale = |pipeline: &Pipeline| pipeline.stale_reason.is_some();
                assert_eq!(kept.iter().any(is_stale), path == "ui-api", "{effect:?} at {path}");
                assert!(context.cursor(&CursorName::pipelines()).await.failure.is_some());
                assert_eq!(context.delayed().await, 2 * n + at + 1, "{effect:?} at {path}: the task is tried again");
                context.simulator.clear_faults();
                assert_eq!(context.night().await, before);
            }
        }
    });
}
