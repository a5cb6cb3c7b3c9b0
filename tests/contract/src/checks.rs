//! The checks, one module for each area of Salesforce's interfaces.

mod bulk_ingest;
mod bulk_query;
mod change_events;
mod collections;
mod composite;
mod conflicts;
mod describe;
mod events;
mod files;
mod identity;
mod leads;
mod notes;
mod oauth;
mod outbound;
mod package;
mod query;
mod records;
mod replication;
mod search;
mod soql;
mod tokens;
mod ui;
mod upsert;

use crate::check::Area;

/// All areas, in the order in which they run.
pub const AREAS: &[Area] = &[
    Area { name: "identity", checks: identity::CHECKS },
    Area { name: "describe", checks: describe::CHECKS },
    Area { name: "records", checks: records::CHECKS },
    Area { name: "upsert", checks: upsert::CHECKS },
    Area { name: "query", checks: query::CHECKS },
    Area { name: "soql", checks: soql::CHECKS },
    Area { name: "search", checks: search::CHECKS },
    Area { name: "collections", checks: collections::CHECKS },
    Area { name: "composite", checks: composite::CHECKS },
    Area { name: "conflicts", checks: conflicts::CHECKS },
    Area { name: "notes", checks: notes::CHECKS },
    Area { name: "files", checks: files::CHECKS },
    Area { name: "ui", checks: ui::CHECKS },
    Area { name: "leads", checks: leads::CHECKS },
    Area { name: "bulk-query", checks: bulk_query::CHECKS },
    Area { name: "bulk-ingest", checks: bulk_ingest::CHECKS },
    Area { name: "replication", checks: replication::CHECKS },
    Area { name: "outbound", checks: outbound::CHECKS },
    Area { name: "package", checks: package::CHECKS },
    Area { name: "events", checks: events::CHECKS },
    Area { name: "change-events", checks: change_events::CHECKS },
    Area { name: "oauth", checks: oauth::CHECKS },
    Area { name: "tokens", checks: tokens::CHECKS },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let names: Vec<&str> = AREAS.iter().flat_map(|area| area.checks).map(|check| check.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(names.len() >= 150, "only {} checks", names.len());
    }

    #[test]
    fn every_source_is_of_a_known_kind() {
        for check in AREAS.iter().flat_map(|area| area.checks) {
            match check.source.strip_prefix("recording ") {
                // Without the recordings the path cannot be compared.
                Some(path) => {
                    assert!(fixtures::path("").is_none() || fixtures::path(path).is_some(), "{}: {path}", check.name)
                }
                None => assert!(
                    ["https://", "not documented: ", "not looked up: "]
                        .iter()
                        .any(|kind| check.source.starts_with(kind)),
                    "{}: {}",
                    check.name,
                    check.source
                ),
            }
            assert!(!check.relied_on.is_empty(), "{}", check.name);
        }
    }
}
