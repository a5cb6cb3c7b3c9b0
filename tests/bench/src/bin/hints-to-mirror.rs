//! Measures the time and the calls to Salesforce that `record-upsert` needs to bring changed records into the mirror.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use bench::{Upsert, Upserts};
use clap::Parser;
use serde_json::{Value, json};

/// Changes records of an org, and sends the function one batch with a hint for each.
#[derive(Parser)]
#[command(name = "hints-to-mirror", after_help = "Build first: cargo build --release -p record-upsert")]
struct Options {
    /// The function's binary, such as target/release/record-upsert
    function: PathBuf,
    /// Number of records that change; a batch has at most 1,000
    #[arg(long, default_value_t = 1_000)]
    records: usize,
    /// Number of measurements; the first includes the cold start and the describe
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "hints-to-mirror: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    ensure!((1..=1_000).contains(&options.records), "a batch has 1 to 1,000 messages");
    let upserts = Upserts::prepare(&options.function, options.records).await?;
    for run in 0..options.runs {
        let measured = upserts.measure(run).await?;
        writeln!(std::io::stdout(), "{}", line(options.records, measured))?;
    }
    Ok(())
}

fn line(records: usize, measured: Upsert) -> Value {
    let Upsert { took, api_calls, bare_writes } = measured;
    let records_a_second = records as u128 * 1_000 / took.as_millis().max(1);
    json!({
        "records": records, "took_ms": took.as_millis(), "records_a_second": records_a_second, "api_calls": api_calls,
        "bare_writes_ms": bare_writes.as_millis(), "times_bare_writes": took.as_secs_f64() / bare_writes.as_secs_f64(),
    })
}
