//! Rules about the repository that neither the compiler nor clippy checks. A failure names the place and the remedy.
//!
//! Rust, TOML, YAML, XML and JSON are read with parsers, so that a rule does not depend on formatting. A rule that found
//! nothing to examine fails.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod conditions;
mod manifests;
mod policies;
mod repository;
mod rust;
mod salesforce_package;
mod source;
mod template;
mod texts;

use std::collections::BTreeSet;

type Names = BTreeSet<String>;

/// Fails with the violations of all subjects, and if there is no subject.
fn check<T>(remedy: &str, subjects: impl IntoIterator<Item = T>, violations: impl Fn(T) -> Vec<String>) {
    let mut examined = 0;
    let mut found = Vec::new();
    for subject in subjects {
        examined += 1;
        found.extend(violations(subject));
    }
    assert!(examined > 0, "the rule examined nothing, so it would miss every violation: correct the rule");
    assert!(found.is_empty(), "{remedy}:\n{}\n", found.join("\n"));
}
