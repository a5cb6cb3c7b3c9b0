//! `cargo contract`: checks an org against what Ferry relies on.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    contract::cli::run(&contract::cli::Args::parse())
}
