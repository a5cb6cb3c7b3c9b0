//! `ferry`: the operator's command line.

mod cli;
mod dead_letters;
mod deliveries;
mod disconnect;
mod failure;
mod org_data;
mod outbound_message;
mod polling;
mod prompt;
mod queue_name;
mod replay;
mod replay_events;
mod screen;
mod since;
mod stack;
mod transfer;
mod upgrade;
mod webhooks;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use failure::Failure;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let report = cli::run(cli::Cli::parse()).await;
    let written = match &report {
        Ok(text) | Err(Failure::Unfinished(text)) => writeln!(io::stdout(), "{text}"),
        Err(failure) => writeln!(io::stderr(), "ferry: {failure}"),
    };
    match (report, written) {
        (Ok(_), Ok(())) => ExitCode::SUCCESS,
        (Err(failure), _) => failure.exit_code(),
        (Ok(_), Err(_)) => ExitCode::FAILURE,
    }
}
