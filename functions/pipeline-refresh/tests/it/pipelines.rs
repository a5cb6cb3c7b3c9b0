//! Pipelines.

use jiff::SignedDuration;
use org_simulator::{Effect, FaultRule, ObjectPermissions, StageChange};
use salesforce::MASTER_RECORD_TYPE;
use serde_json::json;
use store::{CursorName, Pipeline, PipelineChange, RefreshKind, Stage};

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

        for limits in [stages, object, types] {
            context.limit(&limits);
            for _ in 0..3 {
                let kept = context.night().await;
                let is_hidden = |pipeline: &&Pipeline| !pipeline.is_available;
                let expected = usize::from(!limits.hidden_record_types.is_empty());
                assert_eq!(kept.iter().filter(is_hidden).count(), expected, "{limits:?}");
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

fn named<'a>(pipelines: &'a [Pipeline], developer_name: &str) -> &'a Pipeline {
    pipelines.iter().find(|pipeline| pipeline.developer_name == developer_name).expect("a pipeline")
}

fn stage<'a>(pipeline: &'a Pipeline, api_name: &str) -> &'a Stage {
    pipeline.stages.iter().find(|stage| stage.api_name == api_name).expect("a stage")
}

const RENEWAL: [&str; 5] = ["Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"];

#[test]
fn a_pipeline_has_its_process_default_and_descriptions() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.set_process_stages("Renewal Process", &RENEWAL, Some("Negotiation/Review")).unwrap();
        let described = StageChange { description: Some("We talk".to_owned()), ..StageChange::default() };
        context.simulator.change_stage("Negotiation/Review", described).unwrap();

        let pipelines = context.night().await;

        let renewal = named(&pipelines, "Renewal");
        assert_eq!(renewal.business_process.as_ref().unwrap().name.as_deref(), Some("Renewal Process"));
        assert!(renewal.is_available);
        let default: Vec<_> = renewal.stages.iter().filter(|stage| stage.is_default).collect();
        let [default] = default[..] else { panic!("one default: {default:?}") };
        assert_eq!(
            (default.api_name.as_str(), default.description.as_deref()),
            ("Negotiation/Review", Some("We talk"))
        );
        assert_eq!(named(&pipelines, "Master").business_process, None);
    });
}

#[test]
fn an_inactive_stage_says_whether_opportunities_have_it() {
    run(async {
        let context = TestContext::new().await;
        let (used, unused) = ("Qualification", "Perception Analysis");
        let renewal = named(&context.night().await, "Renewal").record_type_id;
        let deal = json!({ "Name": "Deal", "StageName": used, "CloseDate": "2026-12-31", "RecordTypeId": renewal });
        context.create(&context.admin, "Opportunity", &deal);
        for name in [used, unused] {
            let inactive = StageChange { is_active: Some(false), ..StageChange::default() };
            context.simulator.change_stage(name, inactive).unwrap();
        }

        let pipelines = context.night().await;

        let found = |developer_name, name| stage(named(&pipelines, developer_name), name);
        assert_eq!((found("Renewal", used).is_active, found("Renewal", used).in_use), (false, Some(true)));
        assert_eq!(found("Renewal", unused).in_use, Some(false));
        assert_eq!(found("Renewal", "Closed Won").in_use, None, "it can be chosen");
    });
}

#[test]
fn what_a_night_could_not_read_stays() {
    run(async {
        let context = TestContext::new().await;
        let inactive = StageChange { is_active: Some(false), ..StageChange::default() };
        context.simulator.change_stage("Perception Analysis", inactive).unwrap();
        // The second query of a night is that of business processes, and the fourth one counts opportunities. The second
        // fault does not see the request that the first one affects.
        let refuse = || {
            for skip in [1, 2] {
                let effect = Effect::Error { status: 400, code: "INVALID_TYPE".to_owned(), message: "no".to_owned() };
                context.simulator.fault(FaultRule { skip, ..FaultRule::from(fault("query", 1, effect)) });
            }
        };
        let read = |pipelines: &[Pipeline]| {
            let renewal = named(pipelines, "Renewal");
            (renewal.business_process.clone().unwrap().name, stage(renewal, "Perception Analysis").in_use)
        };

        refuse();
        assert_eq!(read(&context.night().await), (None, None));
        let complete = context.night().await;
        assert_eq!(read(&complete), (Some("Renewal Process".to_owned()), Some(false)));
        refuse();
        assert_eq!(context.night().await, complete);
    });
}

#[test]
fn a_change_in_setup_is_a_version() {
    run(async {
        let context = TestContext::new().await;
        let before = context.night().await;
        let old = named(&before, "Renewal").clone();
        let read_at = context.deps.clock.now();
        context.simulator.advance_clock(SignedDuration::from_hours(24));
        assert_eq!(context.night().await, before, "nothing changed");

        context.simulator.rename_record_type("Renewal", "Renewals").unwrap();
        let stages = ["Prospecting", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"];
        context.simulator.set_process_stages("Renewal Process", &stages, None).unwrap();
        for (name, change) in [
            ("Closed Won", StageChange { label: Some("Gewonnen".to_owned()), ..StageChange::default() }),
            ("Negotiation/Review", StageChange { probability: Some(95.0), ..StageChange::default() }),
            ("Proposal/Price Quote", StageChange { sort_order: Some(20), ..StageChange::default() }),
        ] {
            context.simulator.change_stage(name, change).unwrap();
        }
        let after = context.night().await;

        let new = named(&after, "Renewal");
        assert_ne!(new.fingerprint, old.fingerprint);
        assert!(new.valid_from > old.valid_from);
        let changes = Pipeline::changes(Some(&old), new);
        let has = |found: fn(&PipelineChange) -> bool| assert!(changes.iter().any(found), "{changes:#?}");
        has(|change| matches!(change, PipelineChange::PipelineRenamed { new, .. } if new == "Renewals"));
        has(|change| matches!(change, PipelineChange::StageRemoved { stage } if stage == "Qualification"));
        has(
            |change| matches!(change, PipelineChange::StageAdded { stage, position: 1 } if stage.api_name == "Prospecting"),
        );
        has(|change| matches!(change, PipelineChange::StageRenamed { new, .. } if new == "Gewonnen"));
        has(|change| matches!(change, PipelineChange::StageProbabilityChanged { new, .. } if *new == 95.0));
        has(|change| matches!(change, PipelineChange::StagesReordered { .. }));
        assert_eq!(changes.len(), 6, "{changes:#?}");

        let now = context.deps.clock.now();
        let past = context.deps.pipelines.list_at(context.org, read_at, now).await.unwrap().pipelines;
        assert_eq!(named(&past, "Renewal").stages, old.stages);
        assert_eq!(named(&past, "Renewal").valid_until, new.valid_from);
        assert_eq!(context.deps.pipelines.list_at(context.org, now, now).await.unwrap().pipelines, after);
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
