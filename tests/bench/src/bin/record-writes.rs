//! Counts what `record-write` calls for a request of 200 records.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bench::{Writes, Written};
use clap::Parser;
use serde_json::{Value, json};

/// Upserts contacts on behalf of a rep: through the rep's connection, and through the team's with the rep as the owner.
#[derive(Parser)]
#[command(name = "record-writes", after_help = "Build first: cargo build --release -p record-write")]
struct Options {
    /// The function's binary, such as target/release/record-write
    function: PathBuf,
    /// Number of records of a request
    #[arg(long, default_value_t = 200)]
    records: usize,
    /// Number of requests on each route; the first creates the records and includes the cold start, the others change them
    #[arg(long, default_value_t = 4)]
    runs: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "record-writes: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    for (route, team_only) in [("rep", false), ("team", true)] {
        let writes = Writes::prepare(&options.function, options.records, team_only).await?;
        for run in 0..options.runs {
            let written = writes.measure(run).await?;
            writeln!(std::io::stdout(), "{}", line(route, run, computed(team_only, run), &written))?;
        }
    }
    Ok(())
}

/// Returns the fewest calls that the API allows: one collection has 200 records. On the team's route the records that exist have
/// to be told from new ones, so that only those get the rep as their owner; the rep's user and the object are remembered.
fn computed(team_only: bool, run: usize) -> u64 {
    match (team_only, run) {
        (false, _) => 1,
        (true, 0) => 4,
        (true, _) => 2,
    }
}

fn line(route: &str, run: usize, computed: u64, written: &Written) -> Value {
    let Written { took, api_calls, aws } = written;
    json!({
        "route": route, "run": run, "api_calls": api_calls, "computed": computed,
        "aws_requests": aws.values().sum::<usize>(), "aws": aws, "took_ms": took.as_millis(),
    })
}
