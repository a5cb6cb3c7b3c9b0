//! Measures the time that `record-read` needs for a view over a Salesforce that takes its time.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bench::{ReadView, Views};
use clap::Parser;
use serde_json::{Value, json};

/// Requests the views of an account, a contact, a lead and an opportunity on behalf of a rep.
#[derive(Parser)]
#[command(name = "record-views", after_help = "Build first: cargo build --release -p record-read")]
struct Options {
    /// The function's binary, such as target/release/record-read
    function: PathBuf,
    /// Milliseconds that Salesforce takes for each response
    #[arg(long, default_value_t = 80)]
    delay_ms: u64,
    /// Number of measurements; the first includes the cold start and the describes
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "record-views: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let views = Views::prepare(&options.function, Duration::from_millis(options.delay_ms)).await?;
    for run in 0..options.runs {
        for read in views.measure().await? {
            writeln!(std::io::stdout(), "{}", line(run, &read))?;
        }
    }
    Ok(())
}

fn line(run: usize, read: &ReadView) -> Value {
    let ReadView { view, took, api_calls, bytes } = read;
    json!({ "run": run, "view": view, "took_ms": took.as_millis(), "api_calls": api_calls, "bytes": bytes })
}
