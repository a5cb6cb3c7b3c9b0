//! Loads CRM data: sObject trees with their plans, recorded rows of a Developer Edition, and CSV sets.
//!
//! Loading restores data, it is not the work of a user: it queues no outbound messages, and audit fields keep their
//! values where Salesforce lets clients set them. Rejected and adjusted records are counted by reason.

pub(crate) mod load;
mod rows;
mod sales;
mod tree;

use std::path::Path;

use serde_json::Value as Json;

use crate::Error;
use crate::data::crm_data::load::{Load, LoadReport, file_name, sorted_entries};
use crate::model::org::Org;

/// Loads a folder in the layout `developer-edition/*.json`, `sobject-trees/*/`, `b2b-sales/`, `opportunities-*-upsert.csv`.
pub(crate) fn load(org: &mut Org, dir: &Path) -> Result<LoadReport, Error> {
    let mut load = Load::new(org);
    let entries = sorted_entries(dir)?;
    let mut known = 0;
    for path in &entries {
        let name = file_name(path);
        match name.as_str() {
            "developer-edition" => rows::load_folder(&mut load, path)?,
            "sobject-trees" => {
                for folder in sorted_entries(path)?.iter().filter(|p| p.is_dir()) {
                    tree::load_folder(&mut load, folder)?;
                }
            }
            "b2b-sales" => sales::load_folder(&mut load, path)?,
            name if name.starts_with("opportunities-") && name.ends_with("-upsert.csv") => {
                rows::upsert_opportunities(&mut load, path)?
            }
            name => {
                load.refused(name, "not a known kind of CRM data");
                continue;
            }
        }
        known += 1;
    }
    if known == 0 {
        let reason =
            "it has none of developer-edition, sobject-trees, b2b-sales and opportunities-*-upsert.csv".to_owned();
        return Err(Error::Layout { path: dir.display().to_string(), reason });
    }
    Ok(load.report)
}

/// Loads records given in the layout of an sObject tree.
pub(crate) fn load_records(org: &mut Org, records: Vec<Json>) -> LoadReport {
    let mut load = Load::new(org);
    tree::load_records(&mut load, records);
    load.report
}
