//! The progress of a run: the outcomes so far, and the records that it has still to delete. `--resume` stores it in a file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::check::Outcome;

/// The outcome of a check, by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The area's name.
    pub area: String,
    /// The check's name.
    pub check: String,
    /// The outcome of the check.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A record that a check created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) object: String,
    pub(crate) id: String,
}

/// The progress of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// The text in the names of the run's records by which `--clean` finds them.
    pub(crate) mark: String,
    /// The id of the org, so that the file is not used for another one.
    #[serde(default)]
    pub(crate) org: String,
    pub(crate) entries: Vec<Entry>,
    /// Records that are not deleted yet, in the order of their creation.
    pub(crate) created: Vec<Record>,
    #[serde(skip)]
    path: Option<PathBuf>,
}

/// The beginning of every mark.
pub(crate) const MARK: &str = "Ferry contract";

impl Journal {
    /// Opens the file, or begins a new run if there is no such file. Without a path nothing is stored.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let new = Self {
            mark: format!("{MARK} {:08x}", rand::random::<u32>()),
            path: path.map(Path::to_owned),
            ..Self::default()
        };
        let Some(path) = path.filter(|path| path.exists()) else { return Ok(new) };
        let failed = |reason: String| Error::File { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let saved: Self = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        Ok(Self { path: Some(path.to_owned()), ..saved })
    }

    /// Binds the run to an org, or refuses the file of another org.
    pub(crate) fn bind(&mut self, org: &str) -> Result<(), Error> {
        if self.org.is_empty() {
            org.clone_into(&mut self.org);
        }
        if self.org == org {
            return Ok(());
        }
        Err(Error::OtherOrg(self.path.clone().unwrap_or_default()))
    }

    /// Returns the outcome of an earlier part of the run. A check that was not made is made again.
    pub(crate) fn outcome_of(&self, area: &str, check: &str) -> Option<&Outcome> {
        let found = self.entries.iter().find(|entry| entry.area == area && entry.check == check);
        found.map(|entry| &entry.outcome).filter(|outcome| !matches!(outcome, Outcome::NotRun { .. }))
    }

    /// Adds an outcome, in place of an earlier one of the check.
    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), Error> {
        self.entries.retain(|old| old.area != entry.area || old.check != entry.check);
        self.entries.push(entry);
        self.store()
    }

    /// Replaces the file, so that an abort leaves the old or the new one.
    pub(crate) fn store(&self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let failed = |reason: String| Error::File { path: path.clone(), reason };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.to_string()))?;
        let new = path.with_extension("new");
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path)).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(outcome: Outcome) -> Entry {
        Entry { area: "query".to_owned(), check: "a fact".to_owned(), outcome }
    }

    #[test]
    fn a_resumed_run_keeps_its_mark_and_what_was_done() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let mut journal = Journal::open(Some(&path)).unwrap();
        journal.bind("00D5e000000KQ2eEAG").unwrap();
        journal.created.push(Record { object: "Account".to_owned(), id: "001".to_owned() });
        journal.add(entry(Outcome::Agrees)).unwrap();

        let resumed = Journal::open(Some(&path)).unwrap();
        assert_eq!((&resumed.mark, &resumed.created), (&journal.mark, &journal.created));
        assert_eq!(resumed.outcome_of("query", "a fact"), Some(&Outcome::Agrees));
        assert_eq!(resumed.outcome_of("query", "another"), None);
    }

    #[test]
    fn the_file_of_another_org_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let mut journal = Journal::open(Some(&path)).unwrap();
        journal.bind("00D5e000000KQ2eEAG").unwrap();
        journal.store().unwrap();
        let mut resumed = Journal::open(Some(&path)).unwrap();
        assert!(matches!(resumed.bind("00D000000000001EAA"), Err(Error::OtherOrg(_))));
    }

    #[test]
    fn a_check_that_was_not_made_is_made_again() {
        let mut journal = Journal::open(None).unwrap();
        journal.add(entry(Outcome::NotRun { why: "no answer".to_owned() })).unwrap();
        assert_eq!(journal.outcome_of("query", "a fact"), None);
        journal.add(entry(Outcome::Agrees)).unwrap();
        assert_eq!((journal.entries.len(), journal.outcome_of("query", "a fact")), (1, Some(&Outcome::Agrees)));
    }
}
