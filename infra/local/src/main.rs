//! `cargo dev`: all of Ferry on this machine. `cargo dev demo`: its whole story, once.

use std::process::ExitCode;

use clap::Parser as _;
use local::command::Command;

#[tokio::main]
async fn main() -> ExitCode {
    local::command::run(Command::parse()).await
}
