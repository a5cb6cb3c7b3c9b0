//! Runs the write chaos test over the deployed stack, and prints the writes that were lost, doubled, overtaken or not told.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use end_to_end::program;
use end_to_end::write_chaos::{self, Plan};
use local::Progress;

/// Lets reps write thousands of records and notes while functions are killed and Salesforce fails some of their calls. Then
/// compares what the platform was told with the org.
#[derive(Parser)]
#[command(name = "write-chaos")]
struct Options {
    /// Number of writes of records
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    writes: u32,
    /// Number of new notes
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    notes: u32,
    /// Number of reps who write at the same time
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    reps: u16,
    /// Number of records that the writes are about; by default one for ten writes
    #[arg(long)]
    records: Option<u32>,
    /// Largest number of requests whose function is killed; by default one for twenty writes
    #[arg(long)]
    kills: Option<u32>,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds within which the queued writes have to end after the last request
    #[arg(long, default_value_t = 2_400)]
    patience: u64,
    /// Spare the quarter of an hour for which a lost request may take effect: later writes wait for it for less, and the outcomes
    /// of notes' creations are not lost
    #[arg(long)]
    short: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let plan = Plan {
        writes: options.writes as usize,
        notes: options.notes as usize,
        reps: usize::from(options.reps),
        records: options.records.unwrap_or(options.writes / 10).max(1) as usize,
        kills: options.kills.unwrap_or(options.writes / 20) as usize,
        is_short: options.short,
        seed: options.seed,
        patience: Duration::from_secs(options.patience),
    };
    program::report("write-chaos", write_chaos::run(plan, &Progress::to_stderr()), |report| report.wrong.is_empty())
        .await
}
