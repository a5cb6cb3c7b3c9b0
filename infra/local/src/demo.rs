//! `cargo dev demo`: runs every part of Ferry once on a new stack, and prints the evidence of each step.

mod browser;
mod counts;
mod mirror;
mod platform;
mod runner;
mod steps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::progress::Progress;
use crate::stack::{self, Stack};
use crate::workspace::Workspace;

use runner::{Runner, StepFailed, StepOutput};
use steps::{connect, final_checks, sync, write};

/// The file name of the log of the emulator and the functions, in [`Workspace::cache`].
const LOG: &str = "demo.log";

/// Run every part of Ferry once, with evidence.
///
/// Starts a new stack on free ports, so it can run beside `cargo dev`. The steps go from the package install to a note in Salesforce; the first step that fails ends the demo. The log is `.ferry/demo.log`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo dev demo
  cargo dev demo --json
  cargo dev demo --stay
  cargo dev demo --crm-data ./crm-data

Exit codes:
  0    every step succeeded
  1    a step failed
  2    the arguments are wrong
  130  interrupted")]
pub(crate) struct DemoArgs {
    /// Print one JSON object for each step, one on each line, instead of a checklist.
    #[arg(long)]
    json: bool,
    /// Keep the stack with its data until Ctrl-C if every step succeeded.
    #[arg(long)]
    stay: bool,
    /// Folder with CRM data (sObject trees and CSV files) to load into the org. Default: only the org's own sample records.
    #[arg(long, value_name = "DIR")]
    crm_data: Option<PathBuf>,
}

/// Runs the demo and prints every step. The exit code is 0 if every step succeeded.
pub(crate) async fn run(args: DemoArgs) -> ExitCode {
    let mut runner = Runner::new(args.json);
    let outcome = run_steps(&mut runner, &args).await;
    runner.print_summary(outcome.is_ok());
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run_steps(runner: &mut Runner, args: &DemoArgs) -> Result<(), StepFailed> {
    let log = Workspace::here().cache().join(LOG);
    let stack = start(runner.progress(), &log, args.crm_data.clone());
    let stack = runner.step("stack-started", "The production template runs on this machine", stack).await?;
    let scenario = runner.step("data-loaded", "A Salesforce org has CRM data", steps::load(stack)).await?;
    runner.step("install-claimed", "A package install claims the org", connect::install(&scenario)).await?;
    let team = connect::team(&scenario);
    let webhook_url = runner.step("team-connected", "An admin connects the team; the org is active", team).await?;
    runner.step("rep-connected", "A rep makes a personal connection", connect::rep(&scenario)).await?;
    let backfill = sync::backfill(&scenario, runner.progress());
    let counts = runner.step("backfill-mirrored", sync::BACKFILL_TITLE, backfill).await?;
    if args.crm_data.is_some() {
        runner.print_in_checklist(&counts.to_string());
    }
    let edit = sync::edit(&scenario, webhook_url);
    let edit = runner.step("edit-mirrored", "An edit in Salesforce reaches the mirror", edit).await?;
    runner.step("event-published", "The edit is published as an event", sync::event(edit)).await?;
    let refresh = sync::refresh(&scenario);
    let stage = runner.step("refresh-ran", "The nightly refresh reads pipelines and changes", refresh).await?;
    let records = write::records(&scenario, stage);
    let written = runner.step("records-written", "The platform writes records that the rep owns", records).await?;
    let note = write::note(&scenario, written);
    runner.step("note-written", "The platform writes a note linked to two records", note).await?;
    let checks = final_checks::run(&scenario, &log);
    runner.step("nothing-left", "All queues are empty, and no permission is missing", checks).await?;
    if args.stay {
        runner.print_in_checklist(&format!("The stack stays at {} until Ctrl-C.", scenario.url()));
        std::future::pending::<()>().await;
    }
    Ok(())
}

async fn start(progress: Progress, log: &Path, crm_data: Option<PathBuf>) -> Result<StepOutput<Stack>> {
    let options = stack::Options { log: Some(log.to_owned()), crm_data, ..stack::Options::default() };
    let stack = Stack::start(options, &progress).await?;
    let evidence = json!({
        "functions": stack.functions(),
        "permissions": "the IAM policies of every function are enforced",
        "http_api": stack.url(),
        "salesforce_org": stack.simulator().url(),
        "aws": stack.emulator().endpoint(),
        "log": log,
    });
    Ok(StepOutput { evidence, value: stack })
}
