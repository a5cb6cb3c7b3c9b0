//! Runs the steps of the demo and prints each with its evidence.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::progress::Progress;

/// The output of a step: its evidence, a JSON object, and a value for later steps.
pub(super) struct StepOutput<T> {
    pub(super) evidence: Value,
    pub(super) value: T,
}

/// A step failed and was printed. Later steps depend on it and do not run.
pub(super) struct StepFailed;

/// The width in columns of the evidence, without its indentation: both fit into 80 columns.
const LINE_WIDTH: usize = 76;
/// The width in columns of the evidence's names.
const NAME_WIDTH: usize = 18;

/// Runs steps, and prints each when it ends.
pub(super) struct Runner {
    progress: Progress,
    format: Format,
    started: Instant,
}

enum Format {
    Json,
    Checklist { colors: bool },
}

impl Runner {
    pub(super) fn new(json: bool) -> Self {
        let (progress, format) = if json {
            (Progress::Silent, Format::Json)
        } else {
            (Progress::to_stderr(), Format::Checklist { colors: std::io::stdout().is_terminal() })
        };
        Self { progress, format, started: Instant::now() }
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Runs a step and prints its evidence or its error.
    ///
    /// `name` identifies the step in JSON; `title` is its line in the checklist.
    pub(super) async fn step<T>(
        &self,
        name: &str,
        title: &str,
        work: impl Future<Output = Result<StepOutput<T>>>,
    ) -> Result<T, StepFailed> {
        self.progress.show(title);
        let started = Instant::now();
        let outcome = work.await;
        let seconds = started.elapsed().as_secs_f64();
        let evidence = outcome.as_ref().map(|output| &output.evidence).map_err(|error| format!("{error:#}"));
        self.print(&match self.format {
            Format::Json => json_line(name, seconds, &evidence),
            Format::Checklist { colors } => checklist_entry(title, seconds, &evidence, colors),
        });
        if let (Format::Json, Err(error)) = (&self.format, &evidence) {
            // Standard output is for a program; standard error is for its log.
            let _ = writeln!(std::io::stderr(), "cargo dev demo: {name}: {}", error.replace('\n', " "));
        }
        outcome.map(|output| output.value).map_err(|_| StepFailed)
    }

    /// Prints a text in a checklist. JSON has the same data in the evidence.
    pub(super) fn print_in_checklist(&self, text: &str) {
        if matches!(self.format, Format::Checklist { .. }) {
            self.print(text);
        }
    }

    /// Prints the last line of a checklist.
    pub(super) fn print_summary(&self, ok: bool) {
        self.progress.clear();
        let seconds = self.started.elapsed().as_secs_f64();
        self.print_in_checklist(&match ok {
            true => format!("Every step succeeded ({seconds:.1} s)."),
            false => format!("A step failed, so the demo stopped ({seconds:.1} s)."),
        });
    }

    fn print(&self, text: &str) {
        // If standard output is closed, the exit code still reports the outcome.
        self.progress.suspend(|| drop(writeln!(std::io::stdout(), "{text}")));
    }
}

fn json_line(name: &str, seconds: f64, evidence: &Result<&Value, String>) -> String {
    let seconds = (seconds * 1000.0).round() / 1000.0;
    match evidence {
        Ok(evidence) => json!({ "step": name, "ok": true, "seconds": seconds, "evidence": evidence }),
        Err(error) => json!({ "step": name, "ok": false, "seconds": seconds, "error": error }),
    }
    .to_string()
}

fn checklist_entry(title: &str, seconds: f64, evidence: &Result<&Value, String>, colors: bool) -> String {
    let paint = |code: &str, text: &str| if colors { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let time = paint("2", &format!("{seconds:>6.1} s"));
    match evidence {
        Err(error) => format!("{} {title:<58}{time}\n    {}", paint("31", "✘"), error.replace('\n', "\n    ")),
        Ok(evidence) => {
            let details: String =
                evidence_lines(evidence).iter().map(|line| format!("\n    {}", paint("2", line))).collect();
            format!("{} {title:<58}{time}{details}", paint("32", "✔"))
        }
    }
}

fn evidence_lines(evidence: &Value) -> Vec<String> {
    let entries = evidence.as_object().into_iter().flatten();
    entries.flat_map(|(name, value)| entry_lines(&name.replace('_', " "), value)).collect()
}

/// Formats an entry as its name and its value. Wraps a long value between its comma-separated parts.
fn entry_lines(name: &str, value: &Value) -> Vec<String> {
    let text = plain(value);
    let mut lines = vec![format!("{name:<NAME_WIDTH$} ")];
    for part in text.split_inclusive(", ") {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > NAME_WIDTH + 1 && line + part.trim_end().chars().count() > LINE_WIDTH {
            lines.push(" ".repeat(NAME_WIDTH + 1));
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(part);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Formats a value without JSON's quotes and brackets: `Account 2, Contact (org 5, mirror 5)`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            let entry = |(name, value): (&String, &Value)| match value {
                Value::Object(_) => format!("{name} ({})", plain(value)),
                _ => format!("{name} {}", plain(value)),
            };
            entries.iter().map(entry).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_line_that_says_if_the_step_is_ok() {
        let evidence = json!({ "state": "claimed" });

        let ok: Value = serde_json::from_str(&json_line("install", 0.12345, &Ok(&evidence))).unwrap();
        let failed: Value = serde_json::from_str(&json_line("install", 1.0, &Err("two\nlines".to_owned()))).unwrap();

        assert_eq!(ok, json!({ "step": "install", "ok": true, "seconds": 0.123, "evidence": { "state": "claimed" } }));
        assert_eq!(failed, json!({ "step": "install", "ok": false, "seconds": 1.0, "error": "two\nlines" }));
        assert!(!json_line("install", 1.0, &Err("two\nlines".to_owned())).contains('\n'));
    }

    #[test]
    fn a_checklist_shows_the_evidence_below_the_step() {
        let evidence = json!({ "org_state": "active", "counts": { "A": 2, "B": { "org": 3 } }, "links": ["a", "b"] });

        let entry = checklist_entry("Connected", 1.26, &Ok(&evidence), false);

        let lines: Vec<_> = entry.lines().collect();
        assert!(lines[0].starts_with("✔ Connected") && lines[0].ends_with("1.3 s"));
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["org", "state", "active"]);
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["counts", "A", "2,", "B", "(org", "3)"]);
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["links", "a,", "b"]);
    }

    #[test]
    fn long_evidence_wraps_between_its_parts() {
        let evidence = json!({ "records": { "Account": "x".repeat(60), "Contact": "y".repeat(60) } });

        let lines = evidence_lines(&evidence);

        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("records") && lines[0].ends_with("x,"));
        assert_eq!(lines[1].find('C'), lines[0].find('A'));
    }
}
