//! Measures the time from the arrival of a change until it is in the mirror, for quiet orgs beside a noisy one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::value_parser;
use end_to_end::fairness::{Plan, measure};
use end_to_end::program;
use local::Progress;

/// Changes records in quiet orgs every few seconds, first alone and then beside an org that changes a hundred times as often in
/// bursts. Compares the times until the quiet orgs' changes are in the mirror.
#[derive(Parser)]
#[command(name = "fairness")]
struct Options {
    /// The worker to measure (default: the debug build)
    #[arg(value_name = "BINARY")]
    binary: Option<PathBuf>,
    /// Number of quiet orgs
    #[arg(long, default_value_t = 9, value_parser = value_parser!(u16).range(1..=100))]
    quiet: u16,
    /// Seconds between two changes of a quiet org
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..=60))]
    quiet_seconds: u32,
    /// Number of changes of the noisy org for each change of a quiet one
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    factor: u32,
    /// Seconds of each of the two measurements
    #[arg(long, default_value_t = 120, value_parser = value_parser!(u32).range(10..=3600))]
    seconds: u32,
    /// Seconds between two bursts of the noisy org
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=60))]
    burst_seconds: u32,
    /// Number of workers that read the queue
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u16).range(1..=20))]
    workers: u16,
    /// Largest number of messages in a batch
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u16).range(10..=1000))]
    batch: u16,
    /// Milliseconds that Salesforce takes for a response
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u64).range(0..=10_000))]
    latency_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let plan = Plan {
        binary: options.binary,
        quiet: options.quiet.into(),
        quiet_seconds: options.quiet_seconds,
        factor: options.factor,
        seconds: options.seconds,
        burst_seconds: options.burst_seconds,
        workers: options.workers.into(),
        batch: options.batch.into(),
        latency: Duration::from_millis(options.latency_ms),
    };
    program::report("fairness", measure(&plan, &Progress::to_stderr()), |_| true).await
}
