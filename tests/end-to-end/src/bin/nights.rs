//! Runs a night over many orgs with small changes, and counts its calls of Salesforce.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::value_parser;
use end_to_end::nights::{Plan, measure};
use end_to_end::program;
use local::Progress;

/// Connects orgs, changes a few records in each, and runs one night over all of them. Prints the calls of an org beside their
/// smallest possible number, and the memory of the function that queues the night. Fails if an org is not done, needs more calls,
/// or is over its allocation.
#[derive(Parser)]
#[command(name = "nights")]
struct Options {
    /// The binary of pipeline-refresh to measure (default: the debug build)
    #[arg(value_name = "BINARY")]
    binary: Option<PathBuf>,
    /// Number of orgs
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u16).range(1..=10_000))]
    orgs: u16,
    /// Number of records that change in each org
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(1..=1000))]
    changes: u16,
    /// Number of workers that read the queue
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u16).range(1..=20))]
    workers: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let plan = Plan {
        binary: options.binary,
        orgs: options.orgs.into(),
        changes: options.changes.into(),
        workers: options.workers.into(),
    };
    program::report("nights", measure(&plan, &Progress::to_stderr()), |report| report.is_good(&plan)).await
}
