//! What a person sees while something takes long: a spinner on a terminal, plain lines elsewhere, nothing when asked.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Tells a person what is being done. Everything goes to standard error.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Says nothing.
    Silent,
    /// One line a stage.
    Lines,
    /// A line that is gone when the work is done.
    Spinner(ProgressBar),
}

impl Progress {
    /// A spinner where standard error is a terminal, lines where it is not.
    #[must_use]
    pub fn to_person() -> Self {
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

    /// What is being done now.
    pub fn stage(&self, what: &str) {
        match self {
            Self::Silent => {}
            Self::Lines => {
                // Without a standard error there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "{what}");
            }
            Self::Spinner(spinner) => spinner.set_message(what.to_owned()),
        }
    }

    /// A part of what is being done, too small for a line of its own.
    pub fn detail(&self, what: &str, part: &str) {
        if let Self::Spinner(spinner) = self {
            spinner.set_message(format!("{what}: {part}"));
        }
    }

    /// What is being done now, where it is not worth a line that stays.
    pub fn show(&self, what: &str) {
        if let Self::Spinner(spinner) = self {
            spinner.set_message(what.to_owned());
        }
    }

    /// Lets something else be printed.
    pub fn suspend(&self, print: impl FnOnce()) {
        match self {
            Self::Spinner(spinner) => spinner.suspend(print),
            Self::Silent | Self::Lines => print(),
        }
    }

    /// Takes the spinner off the screen.
    pub fn clear(&self) {
        if let Self::Spinner(spinner) = self {
            spinner.finish_and_clear();
        }
    }
}
