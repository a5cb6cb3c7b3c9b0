//! The command line of `cargo dev`: parses arguments and calls the command.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::demo::{self, DemoArgs};
use crate::dev::{self, DevArgs};
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::token::{self, TokenArgs};

/// Run Ferry on this machine.
///
/// Builds the functions, deploys `infra/template.yaml` to an AWS emulator, and starts a simulated Salesforce org. Prints the addresses and stays until Ctrl-C.
/// Needs Python 3.11 or newer with its venv module; the first start installs the emulator into `.ferry/`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo dev",
    bin_name = "cargo dev",
    version,
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Examples:
  cargo dev
  cargo dev --port 9580 --crm-data ./crm-data
  cargo dev demo
  cargo dev token --tenant acme

Exit codes:
  0    stopped by Ctrl-C or SIGTERM
  1    could not start: for example, a port is in use or the build failed
  2    the arguments are wrong
  130  interrupted while starting"
)]
pub struct Command {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    dev: DevArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum Task {
    Demo(DemoArgs),
    Token(TokenArgs),
}

/// Runs a command until it ends or is interrupted. Everything that it started is stopped before this returns.
pub async fn run(command: Command) -> ExitCode {
    let outcome = match (Interrupt::listen(), command.task) {
        (Err(error), _) => Err(error.into()),
        (Ok(interrupt), None) => dev::run(command.dev, interrupt).await,
        (Ok(mut interrupt), Some(Task::Demo(args))) => {
            Ok(interrupt.run_until_signal(demo::run(args)).await.unwrap_or(INTERRUPTED.into()))
        }
        (Ok(_), Some(Task::Token(args))) => token::run(args).await,
    };
    report(outcome)
}

/// Prints an error as one line on standard error.
fn report(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        let line = format!("{error:#}").replace('\n', " ");
        // If standard error is closed, the exit code still reports the failure.
        let _ = writeln!(std::io::stderr(), "cargo dev: {line}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_definitions_are_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn the_demo_takes_no_ports() {
        assert!(Command::try_parse_from(["dev", "demo", "--json"]).is_ok());
        assert!(Command::try_parse_from(["dev", "demo", "--port", "1"]).is_err());
        assert!(Command::try_parse_from(["dev", "--port", "1"]).is_ok());
    }

    /// Renders the long help of a command and of all below it, 80 columns wide.
    fn help(mut command: clap::Command) -> Vec<(String, String)> {
        let name = command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-");
        let own = (name, command.clone().term_width(80).render_long_help().to_string());
        let below = command.get_subcommands_mut().filter(|command| command.get_name() != "help");
        [own].into_iter().chain(below.flat_map(|command| help(command.clone()))).collect()
    }

    #[test]
    fn help_of_every_command() {
        let mut command = Command::command();
        command.build();
        for (name, text) in help(command) {
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            insta::assert_snapshot!(name, text);
        }
    }
}
