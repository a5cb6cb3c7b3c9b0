//! A run of the story: what is done, how it is shown, and where it ends.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::progress::Progress;

/// What a step found, and what the next ones need of it.
pub(super) struct Proven<T> {
    pub(super) evidence: Value,
    pub(super) value: T,
}

/// A step failed, so the ones after it have nothing to stand on.
pub(super) struct Stopped;

/// A checklist's evidence is wrapped beyond this.
const LINE_WIDTH: usize = 110;
const NAME_WIDTH: usize = 18;

/// Shows each step when it is done.
pub(super) struct Run {
    progress: Progress,
    format: Format,
    started: Instant,
}

enum Format {
    Json,
    Checklist { colours: bool },
}

impl Run {
    pub(super) fn new(json: bool) -> Self {
        let (progress, format) = if json {
            (Progress::Silent, Format::Json)
        } else {
            (Progress::to_person(), Format::Checklist { colours: std::io::stdout().is_terminal() })
        };
        Self { progress, format, started: Instant::now() }
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Does one step and shows what came of it.
    pub(super) async fn step<T>(
        &self,
        name: &str,
        title: &str,
        work: impl Future<Output = Result<Proven<T>>>,
    ) -> Result<T, Stopped> {
        self.progress.show(title);
        let started = Instant::now();
        let outcome = work.await;
        let seconds = started.elapsed().as_secs_f64();
        let found = outcome.as_ref().map(|proven| &proven.evidence).map_err(|error| format!("{error:#}"));
        self.show(&match self.format {
            Format::Json => json_line(name, seconds, &found),
            Format::Checklist { colours } => checklist_entry(title, seconds, &found, colours),
        });
        if let (Format::Json, Err(error)) = (&self.format, &found) {
            // The lines are for a program; this is for whoever reads its log.
            let _ = writeln!(std::io::stderr(), "cargo dev demo: {name}: {}", error.replace('\n', " "));
        }
        outcome.map(|proven| proven.value).map_err(|_| Stopped)
    }

    /// Prints below the steps so far; a checklist only, since JSON has it in the evidence.
    pub(super) fn table(&self, text: &str) {
        if matches!(self.format, Format::Checklist { .. }) {
            self.show(text);
        }
    }

    /// The last line.
    pub(super) fn close(&self, ok: bool) {
        self.progress.clear();
        let seconds = self.started.elapsed().as_secs_f64();
        self.table(&match ok {
            true => format!("Every step is as it should be ({seconds:.1} s)."),
            false => format!("The story ends here, and not as it should ({seconds:.1} s)."),
        });
    }

    fn show(&self, text: &str) {
        // Whoever closed standard output does not want to read it.
        self.progress.suspend(|| drop(writeln!(std::io::stdout(), "{text}")));
    }
}

fn json_line(name: &str, seconds: f64, found: &Result<&Value, String>) -> String {
    let seconds = (seconds * 1000.0).round() / 1000.0;
    match found {
        Ok(evidence) => json!({ "step": name, "ok": true, "seconds": seconds, "evidence": evidence }),
        Err(error) => json!({ "step": name, "ok": false, "seconds": seconds, "error": error }),
    }
    .to_string()
}

fn checklist_entry(title: &str, seconds: f64, found: &Result<&Value, String>, colours: bool) -> String {
    let paint = |code: &str, text: &str| if colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let time = paint("2", &format!("{seconds:>6.1} s"));
    match found {
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

/// The entry's name, and its value beside it, broken between parts where it is long.
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

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            entries.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_line_that_says_whether_the_step_is_ok() {
        let evidence = json!({ "state": "claimed" });

        let ok: Value = serde_json::from_str(&json_line("install", 0.12345, &Ok(&evidence))).unwrap();
        let failed: Value = serde_json::from_str(&json_line("install", 1.0, &Err("two\nlines".to_owned()))).unwrap();

        assert_eq!(ok, json!({ "step": "install", "ok": true, "seconds": 0.123, "evidence": { "state": "claimed" } }));
        assert_eq!(failed, json!({ "step": "install", "ok": false, "seconds": 1.0, "error": "two\nlines" }));
        assert!(!json_line("install", 1.0, &Err("two\nlines".to_owned())).contains('\n'));
    }

    #[test]
    fn a_checklist_shows_the_evidence_below_the_step() {
        let evidence = json!({ "org_state": "active", "counts": { "Account": 2 }, "links": ["a", "b"] });

        let entry = checklist_entry("Connected", 1.26, &Ok(&evidence), false);

        let lines: Vec<_> = entry.lines().collect();
        assert!(lines[0].starts_with("✔ Connected") && lines[0].ends_with("1.3 s"));
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["org", "state", "active"]);
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["counts", "Account", "2"]);
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["links", "a,", "b"]);
    }

    #[test]
    fn long_evidence_is_broken_between_its_parts() {
        let evidence = json!({ "records": { "Account": "x".repeat(60), "Contact": "y".repeat(60) } });

        let lines = evidence_lines(&evidence);

        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("records") && lines[0].ends_with("x,"));
        assert_eq!(lines[1].find('C'), lines[0].find('A'));
    }
}
