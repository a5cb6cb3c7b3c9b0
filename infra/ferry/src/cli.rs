//! The commands, and what a failed one says.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::outbound_message;

/// Looks into Ferry's input and state.
#[derive(Debug, Parser)]
#[command(name = "ferry", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Salesforce's outbound messages (the SOAP that it posts to the webhook).
    #[command(subcommand)]
    OutboundMessage(OutboundMessage),
}

#[derive(Debug, Subcommand)]
enum OutboundMessage {
    /// Print what an outbound message says, as one JSON object.
    ///
    /// It reads and does not judge: values and ids stand as they do in the body, without surrounding white space;
    /// what is missing, empty or xsi:nil is null. A session id is not printed, only whether there was one.
    ///
    /// Exit codes: 0 printed, 1 the file cannot be read, 2 the body is no outbound message.
    Parse {
        /// The file with the body of the HTTP request; `-` for standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
}

/// Why a command failed, in one line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something that the command needs is not to be had.
    Unavailable(String),
    /// What the command was given is not what it takes.
    BadInput(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unavailable(_) => ExitCode::FAILURE,
            Self::BadInput(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(line) | Self::BadInput(line) => f.write_str(line),
        }
    }
}

/// Carries out a command; the text is for standard output.
pub(crate) fn run(cli: &Cli) -> Result<String, Failure> {
    match &cli.command {
        Command::OutboundMessage(OutboundMessage::Parse { file }) => outbound_message::parse(file),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
