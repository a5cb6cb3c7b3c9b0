//! The command line of `cargo dev`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{demo, dev};

/// Runs all of Ferry on this machine: the production template on an AWS emulator, beside a simulated Salesforce org.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", version, args_conflicts_with_subcommands = true)]
pub struct Command {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    dev: Dev,
}

#[derive(Clone, Debug, Subcommand)]
enum Task {
    /// Tells the whole story once on a fresh stack, from a package install to a note, and shows the evidence of each step.
    Demo(Demo),
}

/// Where the stack listens, and what the org holds.
#[derive(Clone, Debug, Args)]
pub struct Dev {
    /// Port of the HTTP API.
    #[arg(long, default_value_t = 8580)]
    pub port: u16,
    /// Port of the org simulator.
    #[arg(long, default_value_t = 8590)]
    pub simulator_port: u16,
    /// Port of the AWS emulator.
    #[arg(long, default_value_t = 8570)]
    pub emulator_port: u16,
    /// Folder of CRM data to load into the org: sObject trees and CSV sets.
    #[arg(long, value_name = "DIR")]
    pub crm_data: Option<PathBuf>,
}

/// How the story is told.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Print one JSON object a step instead of a checklist.
    #[arg(long)]
    pub json: bool,
    /// Folder of CRM data to load into the org: sObject trees and CSV sets.
    #[arg(long, value_name = "DIR")]
    pub crm_data: Option<PathBuf>,
}

/// Runs a command to its end, or until Ctrl-C. Whatever it started is stopped before this returns.
pub async fn run(command: Command) -> ExitCode {
    let outcome = match (Interrupt::listen(), command.task) {
        (Err(error), _) => Err(error.into()),
        (Ok(interrupt), None) => dev::run(command.dev, interrupt).await,
        (Ok(mut interrupt), Some(Task::Demo(options))) => {
            interrupt.or_told(demo::run(options)).await.unwrap_or(Ok(INTERRUPTED.into()))
        }
    };
    explain(outcome)
}

/// The exit code of work that Ctrl-C ended before its end, as shells say it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Ctrl-C, or the request of another program to end, from the moment that somebody listens for it.
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns once the program was told to end, also when that was before this call.
    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// What the work came to, if it ended before the program was told to.
    pub(crate) async fn or_told<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = work => Some(outcome),
            () = self.told() => None,
        }
    }
}

fn explain(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        let sentence = format!("{error:#}").replace('\n', " ");
        // Without a standard error there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "cargo dev: {sentence}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn the_demo_takes_no_ports() {
        assert!(Command::try_parse_from(["dev", "demo", "--json"]).is_ok());
        assert!(Command::try_parse_from(["dev", "demo", "--port", "1"]).is_err());
        assert!(Command::try_parse_from(["dev", "--port", "1"]).is_ok());
    }
}
