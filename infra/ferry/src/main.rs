//! `ferry`: the operator's command line.

mod cli;
mod outbound_message;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let report = cli::run(&cli::Cli::parse());
    let written = match &report {
        Ok(text) => writeln!(io::stdout(), "{text}"),
        Err(failure) => writeln!(io::stderr(), "ferry: {failure}"),
    };
    match (report, written) {
        (Ok(_), Ok(())) => ExitCode::SUCCESS,
        (Err(failure), _) => failure.exit_code(),
        (Ok(_), Err(_)) => ExitCode::FAILURE,
    }
}
