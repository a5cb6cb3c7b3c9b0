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

/// The default port of the HTTP API.
pub(crate) const PORT: u16 = 8580;
/// The tenant of the printed requests.
const TENANT: &str = "acme";

// Not a doc comment: clap would print it in place of the command's own description.
// The ports that the stack listens on, and the data to load.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevArgs {
    /// Port of the HTTP API on localhost; 0 selects a free port.
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
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
    let (api, org, org_id) = (stack.url(), stack.simulator().url(), stack.simulator().org_id());
    let port = api.rsplit(':').next().filter(|port| *port != PORT.to_string());
    let port = port.map(|port| format!(" --port {port}")).unwrap_or_default();
    let aws = stack.emulator().endpoint();
    format!(
        "Install the package in the org:\n  \
         curl -s {org}/_simulator/package/install \\\n    \
         -H 'content-type: application/json' \\\n    \
         -d '{{\"callout_url\":\"{api}/webhooks/salesforce/installs\",\"package_version\":\"1.0.0\"}}'\n\
         Get a token for the HTTP API, valid for an hour:\n  \
         TOKEN=$(cargo dev token --tenant {TENANT}{port})\n\
         Create a connect link for the team connection, and open its URL in a browser:\n  \
         curl -s {api}/v1/connect-links \\\n    \
         -H \"authorization: Bearer $TOKEN\" \\\n    \
         -H 'content-type: application/json' \\\n    \
         -d '{{\"tenant\":\"{TENANT}\",\"kind\":\"team\",\"environment\":\"production\"}}'\n\
         After the consent, list the active orgs:\n  \
         curl -s {api}/v1/orgs -H \"authorization: Bearer $TOKEN\"\n\
         Use the operator's command line on this stack:\n  \
         export AWS_ENDPOINT_URL={aws} AWS_REGION={REGION} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n  \
         cargo ferry deliveries --org {org_id} --since 7d\n\
         Run the demo on a second stack, beside this one:\n  \
         cargo dev demo"
    )
}
