//! Failures of commands, and their exit codes.

use std::fmt;
use std::process::ExitCode;

/// A failed command, with one line for the operator.
#[derive(Debug)]
pub(crate) enum Failure {
    /// AWS could not be reached, or a file could not be read. Exit code 1.
    Unavailable(String),
    /// The arguments do not fit the stack, or the prompt was declined. Exit code 2.
    BadInput(String),
    /// Only part of the work was done. The text is a report for standard output. Exit code 3.
    Unfinished(String),
}

impl Failure {
    /// An org that the stack has no entry for.
    pub(crate) fn unknown_org(org: impl fmt::Display) -> Self {
        Self::BadInput(format!("org {org} is unknown; check --org and --stack"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unavailable(_) => ExitCode::FAILURE,
            Self::BadInput(_) => ExitCode::from(2),
            Self::Unfinished(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(line) | Self::BadInput(line) | Self::Unfinished(line) => f.write_str(line),
        }
    }
}
