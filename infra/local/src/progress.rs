//! Progress of long work on standard error: a spinner on a terminal, plain lines elsewhere, or nothing.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A display of the current work on standard error.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Prints nothing.
    Silent,
    /// Prints one line for each stage.
    Lines,
    /// Shows the current work in one line, which [`Progress::clear`] removes.
    Spinner(ProgressBar),
}

impl Progress {
    /// Returns a spinner if standard error is a terminal, and lines otherwise.
    #[must_use]
    pub fn to_stderr() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines;
        }
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(100));
        Self::Spinner(spinner)
    }

    /// Shows a stage, such as "packaging the functions". The only method that prints to [`Progress::Lines`].
    pub fn stage(&self, stage: &str) {
        match self {
            Self::Silent => {}
            Self::Lines => {
                // If standard error is closed, the work goes on without its progress.
                let _ = writeln!(std::io::stderr(), "{stage}");
            }
            Self::Spinner(spinner) => spinner.set_message(stage.to_owned()),
        }
    }

    /// Shows a stage and a part of it on the spinner: "building the functions: serde".
    pub fn detail(&self, stage: &str, part: &str) {
        if let Self::Spinner(spinner) = self {
            spinner.set_message(format!("{stage}: {part}"));
        }
    }

    /// Shows a text on the spinner only.
    pub fn show(&self, text: &str) {
        if let Self::Spinner(spinner) = self {
            spinner.set_message(text.to_owned());
        }
    }

    /// Hides the spinner while `print` writes to the terminal.
    pub fn suspend(&self, print: impl FnOnce()) {
        match self {
            Self::Spinner(spinner) => spinner.suspend(print),
            Self::Silent | Self::Lines => print(),
        }
    }

    /// Removes the spinner from the terminal.
    pub fn clear(&self) {
        if let Self::Spinner(spinner) = self {
            spinner.finish_and_clear();
        }
    }
}
