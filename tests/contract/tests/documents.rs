//! The documents with facts that are not verified, compared with the checks.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeSet;
use std::path::Path;

use contract::checks::AREAS;

#[test]
fn every_unverified_fact_names_its_checks() {
    let facts = document("shared/salesforce/FACTS.md");
    let is_marked = |line: &&str| {
        let line = line.to_lowercase();
        ["unverified", "not verified", "not confirmed"].iter().any(|mark| line.contains(mark))
    };
    let facts = facts.lines().filter(is_marked).filter(|line| !line.starts_with("*Unverified* marks"));
    let package = document("infra/salesforce/README.md");
    let assumptions = package.split_once("These assumptions are not confirmed").unwrap().1;
    let assumptions = assumptions.lines().filter(|line| line.starts_with("- "));
    let marked: Vec<&str> = facts.chain(assumptions).collect();
    assert!(marked.len() > 20, "only {} facts were found", marked.len());
    let without: Vec<_> = marked.iter().filter(|line| named_checks(line).is_empty()).collect();
    assert!(without.is_empty(), "name the check of these facts, as (check: `name`): {without:#?}");
}

#[test]
fn checks_that_documents_name_exist() {
    let known: BTreeSet<&str> = AREAS.iter().flat_map(|area| area.checks).map(|check| check.name).collect();
    for path in ["shared/salesforce/FACTS.md", "infra/salesforce/README.md"] {
        let text = document(path);
        let named: Vec<String> = text.lines().flat_map(named_checks).collect();
        assert!(!named.is_empty(), "{path} names no check");
        let unknown: Vec<_> = named.iter().filter(|name| !known.contains(name.as_str())).collect();
        assert!(unknown.is_empty(), "{path}: no check has these names: {unknown:#?}");
    }
}

#[test]
fn the_readme_says_how_many_checks_there_are() {
    let count: usize = AREAS.iter().map(|area| area.checks.len()).sum();
    let expected = format!("{count} checks in {} areas", AREAS.len());
    assert!(document("tests/contract/README.md").contains(&expected), "write in README.md: {expected}");
}

/// Returns the names after `check:` or `checks:`.
fn named_checks(line: &str) -> Vec<String> {
    let after = ["check: `", "checks: `"].iter().filter_map(|mark| line.split_once(mark)).map(|(_, rest)| rest);
    after
        .flat_map(|rest| {
            rest.split('`').step_by(2).filter(|name| !name.is_empty() && !name.starts_with([')', ',', ';']))
        })
        .map(str::to_owned)
        .collect()
}

fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}
