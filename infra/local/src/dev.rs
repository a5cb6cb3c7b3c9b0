//! `cargo dev`: starts everything, says where it is, and stays until it is told to stop.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use comfy_table::{Table, presets};
use tokio::time::Instant;

use crate::command::{Dev, INTERRUPTED, Interrupt};
use crate::progress::Progress;
use crate::stack::{self, Stack};
use crate::workspace::Workspace;

/// Runs the stack until Ctrl-C.
///
/// # Errors
/// As [`Stack::start`]; also when the CRM data cannot be loaded.
pub(crate) async fn run(options: Dev, mut interrupt: Interrupt) -> Result<ExitCode> {
    let started = Instant::now();
    let log = Workspace::here().cache().join("dev.log");
    let progress = Progress::to_person();
    let stack = stack::Options {
        port: options.port,
        simulator_port: options.simulator_port,
        emulator_port: options.emulator_port,
        log: Some(log.clone()),
        send_outbound_messages: true,
        parameters: Vec::new(),
        crm_data: options.crm_data,
    };
    let stack = interrupt.or_told(Stack::start(stack, &progress)).await;
    progress.clear();
    let Some(stack) = stack.transpose()? else { return Ok(INTERRUPTED.into()) };
    let mut out = std::io::stdout();
    writeln!(out, "{}\n\n{}", addresses(&stack, &log.display().to_string()), what_to_try(&stack))?;
    writeln!(out, "\nReady in {:.1} s. Ctrl-C stops everything.", started.elapsed().as_secs_f64())?;
    interrupt.told().await;
    Ok(ExitCode::SUCCESS)
}

fn addresses(stack: &Stack, log: &str) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.add_row(["HTTP API", stack.url()]);
    table.add_row(["Salesforce org", stack.simulator().url()]);
    table.add_row([
        "AWS",
        &format!("{}  (stack `{}`, region {})", stack.emulator().endpoint(), stack::NAME, crate::emulator::REGION),
    ]);
    table.add_row(["Logs", log]);
    table
}

fn what_to_try(stack: &Stack) -> String {
    let (api, org) = (stack.url(), stack.simulator().url());
    format!(
        "Install the package in the org, which claims the org:\n  \
         curl -s {org}/_simulator/package/install -H 'content-type: application/json' \
         -d '{{\"callout_url\":\"{api}/webhooks/salesforce/installs\",\"package_version\":\"1.0.0\"}}'\n\
         Make a link for the team's connection, and open it in a browser:\n  \
         curl -s {api}/v1/connect-links -H 'content-type: application/json' \
         -d '{{\"tenant\":\"acme\",\"kind\":\"team\",\"environment\":\"production\"}}'\n\
         See what Ferry knows:\n  \
         curl -s {api}/v1/orgs\n\
         Or let the whole story tell itself, beside this one:\n  \
         cargo dev demo"
    )
}
