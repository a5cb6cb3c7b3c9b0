//! The report of a run, as Markdown for people and as JSON for comparisons. It has no secrets, hosts or names of users.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::check::Outcome;
use crate::journal::Entry;
use crate::org::{Org, VERSION};
use crate::{Error, checks};

/// The report of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The day on which the run ended, in UTC.
    pub day: String,
    /// The version of the API in the requests.
    pub api_version: String,
    /// The simulator, or the edition of the org.
    pub org: String,
    /// The outcomes, in the order of the checks.
    pub entries: Vec<Entry>,
    /// Paths of records that could not be deleted.
    pub left_over: Vec<String>,
}

/// The number of checks with each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The org behaves as the source says.
    pub agrees: usize,
    /// The org behaves otherwise.
    pub differs: usize,
    /// The fact cannot be seen in this org.
    pub not_applicable: usize,
    /// The check could not be made.
    pub not_run: usize,
}

impl Report {
    pub(crate) fn new(org: &Org, entries: Vec<Entry>, left_over: Vec<String>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a report names the day on which it was made")]
        let now = jiff::Timestamp::now();
        let place = match (org.target.is_simulator, org.is_sandbox) {
            (true, _) => "the simulator".to_owned(),
            (false, true) => format!("a sandbox ({})", org.edition),
            (false, false) => org.edition.clone(),
        };
        let day = now.strftime("%Y-%m-%d").to_string();
        Self { day, api_version: VERSION.to_owned(), org: place, entries, left_over }
    }

    /// Returns how many checks had each outcome.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in &self.entries {
            match entry.outcome {
                Outcome::Agrees => counts.agrees += 1,
                Outcome::Differs { .. } => counts.differs += 1,
                Outcome::NotApplicable { .. } => counts.not_applicable += 1,
                Outcome::NotRun { .. } => counts.not_run += 1,
            }
        }
        counts
    }

    /// Returns one line with the counts.
    #[must_use]
    pub fn summary(&self) -> String {
        let Counts { agrees, differs, not_applicable, not_run } = self.counts();
        format!("{agrees} agree, {differs} differ, {not_applicable} not applicable, {not_run} not run")
    }

    /// Returns the report as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text =
            format!("# Contract with {}\n\n{}, API {}: {}.\n", self.org, self.day, self.api_version, self.summary());
        for area in checks::AREAS {
            let entries: Vec<&Entry> = self.entries.iter().filter(|entry| entry.area == area.name).collect();
            if entries.is_empty() {
                continue;
            }
            // A write to a text cannot fail.
            let _ = write!(text, "\n## {}\n\n| check | outcome |\n|---|---|\n", area.name);
            for entry in &entries {
                let _ = writeln!(text, "| {} | {} |", cell(&entry.check), outcome(&entry.outcome));
            }
            for entry in entries {
                let name = cell(&entry.check);
                if let Outcome::Differs { expected, received } = &entry.outcome {
                    let _ = write!(
                        text,
                        "\n{name}:\n\n```text\nexpected  {}\nreceived  {}\n```\n",
                        fenced(expected),
                        fenced(received)
                    );
                }
            }
        }
        if !self.left_over.is_empty() {
            let _ = write!(text, "\n## Records that could not be deleted\n\n{}\n", self.left_over.join("\n"));
        }
        text
    }

    /// Writes `PATH.md` and `PATH.json`.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let json = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        for (extension, text) in [("md", self.markdown()), ("json", json)] {
            let path = path.with_extension(extension);
            std::fs::write(&path, text).map_err(|error| Error::File { path, reason: error.to_string() })?;
        }
        Ok(())
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Agrees => "agrees".to_owned(),
        Outcome::Differs { .. } => "**differs**".to_owned(),
        Outcome::NotApplicable { why } => format!("not applicable: {}", cell(why)),
        Outcome::NotRun { why } => format!("**not run**: {}", cell(why)),
    }
}

/// Returns a text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// Returns a text that does not end the block that it is in.
fn fenced(text: &str) -> String {
    text.replace("```", "'''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_both_answers() {
        let entry = |outcome| Entry { area: checks::AREAS[0].name.to_owned(), check: "a | fact".to_owned(), outcome };
        let report = Report {
            day: "2026-11-22".to_owned(),
            api_version: VERSION.to_owned(),
            org: "Developer Edition".to_owned(),
            entries: vec![
                entry(Outcome::Agrees),
                entry(Outcome::Differs { expected: "200".to_owned(), received: "404 ```".to_owned() }),
                entry(Outcome::NotApplicable { why: "no listener".to_owned() }),
            ],
            left_over: Vec::new(),
        };
        let text = report.markdown();
        assert!(text.contains("1 agree, 1 differ, 1 not applicable, 0 not run"), "{text}");
        assert!(text.contains("| a \\| fact | **differs** |"), "{text}");
        assert!(text.contains("expected  200\nreceived  404 '''"), "{text}");
    }
}
