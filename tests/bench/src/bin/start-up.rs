//! Prints size, start-up time, latency and memory of function binaries, or compares two builds.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use bench::{Plan, Subject, comparison, executables, measure, table};
use clap::Parser;
use serde_json::Value;

/// Measures function binaries, each with its own Runtime API.
#[derive(Parser)]
#[command(name = "start-up", after_help = "Build first: cargo build --release --workspace --bins")]
struct Options {
    /// Function binaries, such as target/release/record-events; with --compare their names (default: all in both)
    binaries: Vec<PathBuf>,
    /// Compare the builds in two folders: B's measurements divided by A's
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    compare: Vec<PathBuf>,
    /// Number of starts of every binary
    #[arg(long, default_value_t = 20, value_parser = positive)]
    runs: usize,
    /// Number of invocations of each process after its first
    #[arg(long, default_value_t = 100, value_parser = positive)]
    warm: usize,
    /// File with the event to send (default: one that the function can handle without a network)
    #[arg(long)]
    event: Option<PathBuf>,
    /// An environment variable for the functions; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "start-up: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let plan = Plan { runs: options.runs, warm: options.warm };
    match options.compare.as_slice() {
        [a, b] => compare(options, plan, a, b).await,
        _ => report(options, plan).await,
    }
}

async fn report(options: &Options, plan: Plan) -> Result<()> {
    ensure!(!options.binaries.is_empty(), "name the binaries to measure, such as target/release/record-events");
    let summaries = measure(&subjects(options, &options.binaries)?, plan).await?;
    if options.json { print(&serde_json::to_string_pretty(&summaries)?) } else { print(&table(&summaries)) }
}

async fn compare(options: &Options, plan: Plan, a: &Path, b: &Path) -> Result<()> {
    let names = match options.binaries.as_slice() {
        [] => executables(a)?.iter().filter_map(|path| path.file_name()).map(PathBuf::from).collect(),
        names => names.to_vec(),
    };
    let in_both: Vec<_> = names.iter().filter(|name| a.join(name).exists() && b.join(name).exists()).collect();
    ensure!(!in_both.is_empty(), "{} and {} have no program in common", a.display(), b.display());

    let mut pairs = Vec::new();
    for name in in_both {
        let measured = measure(&subjects(options, &[a.join(name), b.join(name)])?, plan).await?;
        let [of_a, of_b] = measured.try_into().ok().context("two binaries make two summaries")?;
        pairs.push((of_a, of_b));
    }
    if options.json {
        return print(&serde_json::to_string_pretty(&pairs)?);
    }
    let (of_a, of_b): (Vec<_>, Vec<_>) = pairs.iter().cloned().unzip();
    print(&format!("A\n{}\n\nB\n{}\n\n{}", table(&of_a), table(&of_b), comparison(&pairs)))
}

fn subjects(options: &Options, binaries: &[PathBuf]) -> Result<Vec<Subject>> {
    let event: Option<Value> = match &options.event {
        Some(path) => {
            let text = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
            Some(serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))?)
        }
        None => None,
    };
    binaries.iter().map(|binary| Subject::new(binary, &options.env, event.clone())).collect()
}

fn print(text: &impl std::fmt::Display) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn positive(text: &str) -> Result<usize> {
    let number = text.parse()?;
    ensure!(number > 0, "must be at least 1");
    Ok(number)
}

fn variable(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').context("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
