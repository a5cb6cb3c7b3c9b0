//! `cargo dev demo`: Ferry's whole story, told once against a fresh stack, with evidence for every step.

mod browser;
mod counts;
mod mirror;
mod platform;
mod run;
mod steps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::command::Demo;
use crate::progress::Progress;
use crate::stack::{self, Stack};
use crate::workspace::Workspace;

use run::{Proven, Run, Stopped};
use steps::{connect, rest, sync, write};

/// The emulator's and the functions' log, below the workspace's cache.
const LOG: &str = "demo.log";

/// Tells the story; the exit code says whether every step was as it should be.
///
/// # Errors
/// When the evidence cannot be printed.
pub async fn run(options: Demo) -> Result<ExitCode> {
    let mut run = Run::new(options.json);
    let told = tell(&mut run, &options).await;
    run.close(told.is_ok());
    Ok(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn tell(run: &mut Run, options: &Demo) -> Result<(), Stopped> {
    let log = Workspace::here().cache().join(LOG);
    let started = start(run.progress(), &log, options.crm_data.clone());
    let stack = run.step("stack-started", "The production template runs on this machine", started).await?;
    let story = run.step("data-loaded", "A Salesforce org holds CRM data", steps::load(stack)).await?;
    run.step("install-claimed", "A package install claims the org", connect::install(&story)).await?;
    let webhook =
        run.step("team-connected", "An admin connects the team: the org is active", connect::team(&story)).await?;
    run.step("rep-connected", "A rep connects personally", connect::rep(&story)).await?;
    let counts =
        run.step("backfill-mirrored", "The backfill mirrors the org", sync::backfill(&story, run.progress())).await?;
    if options.crm_data.is_some() {
        run.table(&counts.to_string());
    }
    let edit =
        run.step("edit-mirrored", "An edit in Salesforce reaches the mirror", sync::edit(&story, webhook)).await?;
    run.step("event-published", "The edit is an event on the bus", sync::event(&story, edit)).await?;
    let stage = run.step("refresh-ran", "The schedule refreshes pipelines and records", sync::refresh(&story)).await?;
    let written = run
        .step("records-written", "The platform writes records that the rep owns", write::records(&story, stage))
        .await?;
    run.step("note-written", "The platform writes a note on two records", write::note(&story, written)).await?;
    run.step("nothing-left", "No work is left behind", rest::nothing_left(&story, &log)).await
}

async fn start(progress: Progress, log: &Path, crm_data: Option<PathBuf>) -> Result<Proven<Stack>> {
    let options = stack::Options { log: Some(log.to_owned()), crm_data, ..stack::Options::default() };
    let stack = Stack::start(options, &progress).await?;
    let evidence = json!({
        "functions": stack.functions(),
        "permissions": "each function is held to its own policies",
        "http_api": stack.url(),
        "salesforce_org": stack.simulator().url(),
        "aws": stack.emulator().endpoint(),
        "log": log,
    });
    Ok(Proven { evidence, value: stack })
}
