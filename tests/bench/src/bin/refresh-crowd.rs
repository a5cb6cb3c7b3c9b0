//! Measures the waiting time of many callers whose access token expired, over several token brokers.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use bench::{Crowd, Outcomes};
use clap::Parser;
use serde_json::{Value, json};

/// Lets many callers with an expired access token request a new one from several token brokers at once.
#[derive(Parser)]
#[command(name = "refresh-crowd", after_help = "Build first: cargo build --release -p token-broker")]
struct Options {
    /// The function's binary, such as target/release/token-broker
    broker: PathBuf,
    /// Number of callers
    #[arg(long, default_value_t = 500)]
    callers: usize,
    /// Number of broker processes
    #[arg(long, default_value_t = 8)]
    brokers: usize,
    /// Number of measurements
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "refresh-crowd: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    ensure!(options.brokers > 0 && options.callers > 0, "at least one caller and one broker are needed");
    let crowd = Crowd::start(&options.broker, options.brokers).await?;
    for _ in 0..options.runs {
        let outcomes = crowd.refresh_at_once(options.callers).await?;
        writeln!(std::io::stdout(), "{}", line(options, &outcomes))?;
    }
    Ok(())
}

fn line(options: &Options, outcomes: &Outcomes) -> Value {
    json!({
        "callers": options.callers, "brokers": options.brokers, "answered": outcomes.waits.len(),
        "refreshes": outcomes.refreshes, "revocations": outcomes.revocations,
        "p50_ms": at(&outcomes.waits, 50), "p99_ms": at(&outcomes.waits, 99), "max_ms": at(&outcomes.waits, 100),
        "total_ms": millis(outcomes.total), "told_to_come_again": outcomes.retries,
        "aws_requests": outcomes.aws_requests,
    })
}

/// Returns a percentile of sorted times.
fn at(sorted: &[Duration], percent: usize) -> u128 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().map_or(0, millis)
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}
