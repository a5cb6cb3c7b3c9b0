//! A load in progress: its state, its report and the files that it reads.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::model::actor::Actor;
use crate::model::org::Org;
use crate::model::people;

/// A load in progress.
pub(crate) struct Load<'a> {
    pub(crate) org: &'a mut Org,
    pub(crate) actor: Actor,
    pub(crate) report: LoadReport,
    /// The record ids by reference, for `@name`.
    pub(crate) references: HashMap<String, String>,
    /// Records that refer to a record that is not loaded yet.
    pub(crate) deferred: Vec<Json>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(org: &'a mut Org) -> Self {
        let actor = people::admin(org);
        Self { org, actor, report: LoadReport::default(), references: HashMap::new(), deferred: Vec::new() }
    }

    pub(crate) fn loaded(&mut self, object: &str) {
        *self.report.loaded.entry(object.to_owned()).or_default() += 1;
    }

    pub(crate) fn refused(&mut self, object: &str, reason: &str) {
        *self.report.refused.entry(format!("{object}: {reason}")).or_default() += 1;
    }

    pub(crate) fn adjusted(&mut self, object: &str, what: &str) {
        *self.report.adjusted.entry(format!("{object}: {what}")).or_default() += 1;
    }

    /// Creates a record and counts the outcome.
    pub(crate) fn create(&mut self, object: &str, fields: &Map<String, Json>) -> Option<String> {
        let start = self.org.savepoint();
        match self.org.load(&self.actor, object, fields) {
            Ok(id) => {
                self.org.store.commit();
                self.loaded(object);
                Some(id.to_string())
            }
            Err(error) => {
                self.org.rollback(&start);
                self.refused(object, &format!("{}: {}", error.code, error.message));
                None
            }
        }
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Returns the entries of a folder, sorted by name.
pub(crate) fn sorted_entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let error = |source| Error::Read { path: dir.display().to_string(), source };
    let entries = std::fs::read_dir(dir).map_err(error)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(error)?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.display().to_string(), source })
}

pub(crate) fn read_json(path: &Path) -> Result<Json, Error> {
    let layout =
        |error: serde_json::Error| Error::Layout { path: path.display().to_string(), reason: error.to_string() };
    serde_json::from_str(&read(path)?).map_err(layout)
}

/// Reads the rows of a CSV file, each as values by column.
pub(crate) fn read_csv(path: &Path) -> Result<Vec<HashMap<String, String>>, Error> {
    let layout = |error: csv::Error| Error::Layout { path: path.display().to_string(), reason: error.to_string() };
    let text = read(path)?;
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().map_err(layout)
}

/// The outcome of loading CRM data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Records created, by object.
    pub loaded: BTreeMap<String, usize>,
    /// Rows that were not loaded, by `object: reason`.
    pub refused: BTreeMap<String, usize>,
    /// Rows that were loaded with a filled-in or replaced value, by `object: adjustment`.
    pub adjusted: BTreeMap<String, usize>,
}
