use proptest::prelude::*;

use super::*;

/// Applies changes to a version, as a receiver of the events would.
fn apply(old: Option<PipelineContent>, changes: &[PipelineChange]) -> Option<PipelineContent> {
    changes.iter().fold(old, |pipeline, change| match (pipeline, change) {
        (None, PipelineChange::PipelineAdded { pipeline }) => Some(pipeline.clone()),
        (Some(_), PipelineChange::PipelineRemoved) => None,
        (Some(mut pipeline), change) => {
            apply_one(&mut pipeline, change);
            Some(pipeline)
        }
        (None, change) => panic!("{change:?} of no pipeline"),
    })
}

fn apply_one(pipeline: &mut PipelineContent, change: &PipelineChange) {
    use PipelineChange as C;
    let PipelineContent { developer_name, name, is_active, business_process, stages } = pipeline;
    match change.clone() {
        C::PipelineAdded { .. } | C::PipelineRemoved => panic!("{change:?} of a pipeline"),
        C::PipelineRenamed { new, .. } => *name = new,
        C::DeveloperNameChanged { new, .. } => *developer_name = new,
        C::PipelineActivated => *is_active = true,
        C::PipelineDeactivated => *is_active = false,
        C::BusinessProcessChanged { new, .. } => *business_process = new,
        C::StageAdded { stage, position } => stages.insert((position - 1).min(stages.len()), stage),
        C::StageRemoved { stage } | C::StageDeactivated { stage } => stages.retain(|known| known.api_name != stage),
        C::StageRenamed { stage, new, .. } => find(stages, &stage).label = new,
        C::StageProbabilityChanged { stage, new, .. } => find(stages, &stage).probability = new,
        C::StageForecastChanged { stage, new, .. } => find(stages, &stage).forecast_category = new,
        C::StageOutcomeChanged { stage, new, .. } => {
            (find(stages, &stage).is_closed, find(stages, &stage).is_won) = (new.is_closed, new.is_won);
        }
        C::StageDefaultChanged { stage, new, .. } => find(stages, &stage).is_default = new,
        C::StageDescriptionChanged { stage, new, .. } => find(stages, &stage).description = new,
        C::StagesReordered { new, .. } => {
            stages.sort_by_key(|stage| new.iter().position(|name| *name == stage.api_name));
        }
    }
}

fn find<'a>(stages: &'a mut [StageContent], name: &str) -> &'a mut StageContent {
    stages.iter_mut().find(|stage| stage.api_name == name).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["A", "B", "C"]).prop_map(str::to_owned)
}

fn stage(api_name: String) -> impl Strategy<Value = StageContent> {
    let description = prop::option::of(text());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (text(), prop::sample::select(vec![0.0, 10.5, 100.0]), text(), flags, description).prop_map(
        move |(label, probability, forecast_category, (is_closed, is_won, is_default), description)| StageContent {
            api_name: api_name.clone(),
            label,
            probability,
            forecast_category,
            is_closed,
            is_won,
            is_default,
            description,
        },
    )
}

fn pipeline() -> impl Strategy<Value = PipelineContent> {
    let names = prop::sample::subsequence(vec!["s1", "s2", "s3", "s4", "s5", "s6"], 0..=6).prop_shuffle();
    let stages = names.prop_flat_map(|names| names.into_iter().map(|name| stage(name.to_owned())).collect::<Vec<_>>());
    let process = prop::option::of((prop::sample::select(vec!["0195e000000AbCd", "0195e000000AbCe"]), text()));
    (text(), text(), any::<bool>(), process, stages).prop_map(|(developer_name, name, is_active, process, stages)| {
        let process = process.map(|(id, name)| BusinessProcess { id: id.parse().unwrap(), name: Some(name) });
        PipelineContent { developer_name, name, is_active, business_process: process, stages }
    })
}

proptest! {
    #[test]
    fn the_changes_applied_to_the_old_give_the_new(
        old in prop::option::of(pipeline()),
        new in prop::option::of(pipeline()),
        deactivated in prop::sample::subsequence(vec!["s1", "s2", "s3"], 0..=3),
    ) {
        let changes = changes(old.as_ref(), new.as_ref(), &deactivated);
        prop_assert_eq!(changes.is_empty(), old == new);
        prop_assert_eq!(apply(old, &changes), new);
    }

    #[test]
    fn equal_contents_have_equal_fingerprints(one in pipeline(), other in pipeline()) {
        prop_assert_eq!(one.fingerprint(), one.clone().fingerprint());
        prop_assert_eq!(one.fingerprint() == other.fingerprint(), one == other);
    }

    #[test]
    fn a_stage_that_only_moves_is_reordered(pipeline in pipeline()) {
        let mut moved = pipeline.clone();
        moved.stages.reverse();
        let changes = changes(Some(&pipeline), Some(&moved), &[]);
        let is_reorder = |change: &PipelineChange| matches!(change, PipelineChange::StagesReordered { .. });
        prop_assert_eq!(changes.len(), usize::from(pipeline.stages.len() > 1));
        prop_assert!(changes.iter().all(is_reorder));
    }
}

#[test]
fn the_changes_have_the_names_that_the_schema_lists() {
    let stage = StageContent {
        api_name: "Won".to_owned(),
        label: "Won".to_owned(),
        probability: 100.0,
        forecast_category: "Closed".to_owned(),
        is_closed: true,
        is_won: true,
        is_default: false,
        description: None,
    };
    let old = PipelineContent {
        developer_name: "Sales".to_owned(),
        name: "Sales".to_owned(),
        is_active: true,
        business_process: None,
        stages: vec![stage.clone()],
    };
    let new = PipelineContent {
        stages: vec![StageContent { label: "Gewonnen".to_owned(), probability: 90.0, ..stage }],
        ..old.clone()
    };
    let shown = serde_json::to_value(changes(Some(&old), Some(&new), &[])).unwrap();
    let expected = serde_json::json!([
        { "change": "stage_renamed", "stage": "Won", "old": "Won", "new": "Gewonnen" },
        { "change": "stage_probability_changed", "stage": "Won", "old": 100.0, "new": 90.0 },
    ]);
    assert_eq!(shown, expected);
    let without = PipelineContent { stages: Vec::new(), ..old.clone() };
    let removed = serde_json::to_value(changes(Some(&old), Some(&without), &["Won"])).unwrap();
    assert_eq!(removed, serde_json::json!([{ "change": "stage_deactivated", "stage": "Won" }]));
}

#[test]
fn every_part_of_the_content_changes_the_fingerprint() {
    let stage = |api_name: &str| StageContent {
        api_name: api_name.to_owned(),
        label: "Won".to_owned(),
        probability: 100.0,
        forecast_category: "Closed".to_owned(),
        is_closed: true,
        is_won: true,
        is_default: false,
        description: None,
    };
    let content = PipelineContent {
        developer_name: "Sales".to_owned(),
        name: "Sales".to_owned(),
        is_active: true,
        business_process: None,
        stages: vec![stage("Won"), stage("Also won")],
    };
    let edits: [fn(&mut PipelineContent); 12] = [
        |content| content.developer_name.push('x'),
        |content| content.name.push('x'),
        |content| content.is_active = false,
        |content| content.stages.reverse(),
        |content| content.stages[0].api_name.push('x'),
        |content| content.stages[0].label.push('x'),
        |content| content.stages[0].probability = 99.5,
        |content| content.stages[0].forecast_category.push('x'),
        |content| content.stages[0].is_closed = false,
        |content| content.stages[0].is_won = false,
        |content| content.stages[0].is_default = true,
        |content| content.stages[0].description = Some("x".to_owned()),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut edited = content.clone();
        edit(&mut edited);
        assert_ne!(edited.fingerprint(), content.fingerprint(), "edit {number}");
    }
}
