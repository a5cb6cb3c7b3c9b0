//! Lets chaos happen over the deployed stack, and says what was lost, doubled or made up.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use end_to_end::chaos::{self, Plan};
use local::Progress;

/// Sends thousands of shuffled and repeated notifications to a worker that is killed at random while Salesforce is in trouble,
/// and compares mirror, ledger and events with the org in the end.
#[derive(Parser)]
#[command(name = "chaos")]
struct Options {
    /// Notifications to send, not counting repetitions
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Workers that read the queue
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=20))]
    workers: u16,
    /// Have Salesforce also say that the day's API calls are used up: adds a quarter of an hour
    #[arg(long)]
    daily_limit: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            // Nowhere is left to say that standard error is closed.
            let _ = writeln!(std::io::stderr(), "chaos: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<bool> {
    let plan = Plan {
        messages: options.messages as usize,
        seed: options.seed,
        workers: usize::from(options.workers),
        daily_limit: options.daily_limit,
    };
    let report = chaos::run(plan, &Progress::to_stderr()).await?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(report.wrong.is_empty())
}
