//! `cargo dev`: starts the stack, prints its addresses, and stops it on Ctrl-C.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use comfy_table::{Table, presets};
use tokio::time::Instant;

use crate::emulator::REGION;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::progress::Progress;
use crate::stack::{self, Stack};
use crate::workspace::Workspace;

// Not a doc comment: clap would print it in place of the command's own description.
// The ports that the stack listens on, and the data to load.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevArgs {
    /// Port of the HTTP API on localhost; 0 selects a free port.
    #[arg(long, value_name = "PORT", default_value_t = 8580)]
    port: u16,
    /// Port of the simulated Salesforce org on localhost; 0 selects a free port.
    #[arg(long, value_name = "PORT", default_value_t = 8590)]
    simulator_port: u16,
    /// Port of the AWS emulator on localhost; 0 selects a free port.
    #[arg(long, value_name = "PORT", default_value_t = 8570)]
    emulator_port: u16,
    /// Folder with CRM data (sObject trees and CSV files) to load into the org. Default: only the org's own sample records.
    #[arg(long, value_name = "DIR")]
    crm_data: Option<PathBuf>,
}

/// Runs the stack until Ctrl-C.
///
/// # Errors
/// As [`Stack::start`]. Fails also if standard output is closed.
pub(crate) async fn run(args: DevArgs, mut interrupt: Interrupt) -> Result<ExitCode> {
    let started = Instant::now();
    let log = Workspace::here().cache().join("dev.log");
    let progress = Progress::to_stderr();
    let options = stack::Options {
        port: args.port,
        simulator_port: args.simulator_port,
        emulator_port: args.emulator_port,
        log: Some(log.clone()),
        send_outbound_messages: true,
        parameters: Vec::new(),
        crm_data: args.crm_data,
    };
    let stack = interrupt.run_until_signal(Stack::start(options, &progress)).await;
    progress.clear();
    let Some(stack) = stack.transpose()? else { return Ok(INTERRUPTED.into()) };
    let mut out = std::io::stdout();
    writeln!(out, "{}\n\n{}", addresses(&stack, &log.display().to_string()), next_steps(&stack))?;
    writeln!(out, "\nReady in {:.1} s. Press Ctrl-C to stop everything.", started.elapsed().as_secs_f64())?;
    interrupt.wait().await;
    Ok(ExitCode::SUCCESS)
}

fn addresses(stack: &Stack, log: &str) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.add_row(["HTTP API", stack.url()]);
    table.add_row(["Salesforce org", stack.simulator().url()]);
    table.add_row(["AWS", &format!("{}  (stack `{}`, region {REGION})", stack.emulator().endpoint(), stack::NAME)]);
    table.add_row(["Log", log]);
    table
}

fn next_steps(stack: &Stack) -> String {
    let (api, org) = (stack.url(), stack.simulator().url());
    format!(
        "Install the package in the org:\n  \
         curl -s {org}/_simulator/package/install \\\n    \
         -H 'content-type: application/json' \\\n    \
         -d '{{\"callout_url\":\"{api}/webhooks/salesforce/installs\",\"package_version\":\"1.0.0\"}}'\n\
         Create a connect link for the team connection, and open its URL in a browser:\n  \
         curl -s {api}/v1/connect-links \\\n    \
         -H 'content-type: application/json' \\\n    \
         -d '{{\"tenant\":\"acme\",\"kind\":\"team\",\"environment\":\"production\"}}'\n\
         After the consent, list the active orgs:\n  \
         curl -s {api}/v1/orgs\n\
         Run the demo on a second stack, beside this one:\n  \
         cargo dev demo"
    )
}
