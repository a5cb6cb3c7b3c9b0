//! Runs the chaos test over the deployed stack, and prints the changes that were lost, doubled or made up.

use std::process::ExitCode;

use clap::Parser;
use end_to_end::chaos::{self, Plan};
use end_to_end::program;
use local::Progress;

/// Sends thousands of shuffled and repeated notifications to workers that are killed at random, while Salesforce fails some of
/// their calls. Then compares mirror, ledger and events with the org.
#[derive(Parser)]
#[command(name = "chaos")]
struct Options {
    /// Number of notifications to send, without repetitions
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of workers that read the queue
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=20))]
    workers: u16,
    /// Let Salesforce also refuse calls because the daily API limit is reached
    #[arg(long)]
    daily_limit: bool,
    /// Let Salesforce also give odd answers: pages of a proxy, empty bodies, unknown codes, refused sessions
    #[arg(long)]
    odd_answers: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let plan = Plan {
        messages: options.messages as usize,
        seed: options.seed,
        workers: usize::from(options.workers),
        daily_limit: options.daily_limit,
        odd_answers: options.odd_answers,
    };
    program::report("chaos", chaos::run(plan, &Progress::to_stderr()), |report| report.wrong.is_empty()).await
}
