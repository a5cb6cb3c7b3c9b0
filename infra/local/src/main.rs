//! `cargo dev` runs Ferry on this machine; `cargo dev demo` runs every part of it once.

use std::process::ExitCode;

use clap::Parser as _;
use local::command::Command;

#[tokio::main]
async fn main() -> ExitCode {
    local::command::run(Command::parse()).await
}
