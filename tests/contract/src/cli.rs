//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};

use crate::check::Outcome;
use crate::report::Report;
use crate::run::Options;
use crate::target::{App, BlockedApp, Endpoint, Target};
use crate::{Error, checks, run as runner, simulator};

/// The exit code if an answer differs.
const DIFFERS: u8 = 1;
/// The exit code if the run could not be made: wrong arguments, no org, a production org.
const NO_RUN: u8 = 2;
/// The exit code if no answer differs, and a check could not be made or a record not be deleted.
const INCOMPLETE: u8 = 3;

/// Checks an org against the facts about Salesforce that Ferry relies on.
///
/// The checks create records with the mark "Ferry contract" in the org and delete them. The command refuses an org that is
/// neither a sandbox, a Developer Edition nor a trial, unless --production-i-know is given.
///
/// Exit codes: 0 every answer agrees or its check does not apply; 1 an answer differs; 2 the run could not be made;
/// 3 no answer differs, but a check could not be made or a record could not be deleted.
#[derive(Debug, Parser)]
#[command(name = "contract", bin_name = "cargo contract")]
pub struct Args {
    /// Alias or username of an org that the Salesforce CLI (`sf`) is logged in to
    #[arg(long, value_name = "ALIAS", conflicts_with = "simulator")]
    org: Option<String>,
    /// Start the simulator and check it
    #[arg(long)]
    simulator: bool,
    /// Address of the org, instead of --org
    #[arg(long, value_name = "URL", env = "CONTRACT_INSTANCE_URL")]
    instance_url: Option<String>,
    // A token on the command line would be visible to every user of the machine.
    /// Session of the org, instead of --org; only from the environment
    #[arg(long, hide = true, env = "CONTRACT_ACCESS_TOKEN", hide_env_values = true)]
    access_token: Option<String>,
    /// Print the checks as a table and end
    #[arg(long)]
    list: bool,
    /// Run only the checks of this area, or those whose name contains this text
    #[arg(long, value_name = "AREA|NAME")]
    only: Option<String>,
    /// Write the report to PATH.md and PATH.json
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Store what was done in FILE, and continue from it if it exists
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Delete the records that earlier runs left in the org, and end
    #[arg(long)]
    clean: bool,
    /// Permit a production org
    #[arg(long)]
    production_i_know: bool,
    /// Consumer key of an app, for the checks of OAuth
    #[arg(long, value_name = "KEY", env = "CONTRACT_CLIENT_ID")]
    client_id: Option<String>,
    /// Consumer secret of the app; only from the environment
    #[arg(long, hide = true, env = "CONTRACT_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Callback URL of the app on this machine
    #[arg(long, value_name = "URL", env = "CONTRACT_REDIRECT_URI", default_value = "http://localhost:8599/callback")]
    redirect_uri: String,
    /// Show the consent pages' addresses, to be opened in a browser; about 20 times
    #[arg(long, requires = "client_id")]
    consent: bool,
    /// Public address that is forwarded to --listen, for the checks of outbound messages
    #[arg(long, value_name = "URL", requires = "listen")]
    listener: Option<String>,
    /// Local address at which outbound messages arrive, for example 127.0.0.1:8598
    #[arg(long, value_name = "ADDRESS", requires = "listener")]
    listen: Option<String>,
    /// Consumer key of an app that an administrator has blocked
    #[arg(long, value_name = "KEY", env = "CONTRACT_BLOCKED_CLIENT_ID")]
    blocked_client_id: Option<String>,
    /// Consumer secret of the blocked app; only from the environment
    #[arg(long, hide = true, env = "CONTRACT_BLOCKED_CLIENT_SECRET", hide_env_values = true)]
    blocked_client_secret: Option<String>,
    /// Refresh token from a consent before the app was blocked; only from the environment
    #[arg(long, hide = true, env = "CONTRACT_BLOCKED_REFRESH_TOKEN", hide_env_values = true)]
    blocked_refresh_token: Option<String>,
    /// Consumer key of an app that the user is not approved for
    #[arg(long, value_name = "KEY", env = "CONTRACT_UNAPPROVED_CLIENT_ID")]
    unapproved_client_id: Option<String>,
    /// Session of a user without View Setup and Configuration; only from the environment
    #[arg(long, hide = true, env = "CONTRACT_LIMITED_ACCESS_TOKEN", hide_env_values = true)]
    limited_access_token: Option<String>,
    /// Event bus of Amazon EventBridge that the AWS CLI may put an event on
    #[arg(long, value_name = "NAME")]
    event_bus: Option<String>,
    /// File with a change event as it arrived on Amazon EventBridge
    #[arg(long, value_name = "FILE")]
    relayed_event: Option<PathBuf>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    if args.list {
        print(&list());
        return ExitCode::SUCCESS;
    }
    match execute(args) {
        Ok(code) => code,
        Err(error) => {
            print_error(&error.to_string());
            ExitCode::from(NO_RUN)
        }
    }
}

fn execute(args: &Args) -> Result<ExitCode, Error> {
    // The process ends with this function.
    let (_process, target) = match args.simulator {
        true => {
            let (process, url) = simulator::start()?;
            (Some(process), simulator::prepare(&url)?)
        }
        false => (None, target(args)?),
    };
    if args.clean {
        for (object, count) in runner::clean(target, args.production_i_know)? {
            print(&format!("{count:>6} {object} deleted"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let options =
        Options { only: args.only.clone(), resume: args.resume.clone(), in_production: args.production_i_know };
    let bar = ProgressBar::new(0);
    // The template is a constant; without it the bar is plainer.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    let report = runner::run(target, &options, |at, count, name| {
        bar.set_length(count as u64);
        bar.set_position(at as u64);
        bar.set_message(name.to_owned());
    });
    bar.finish_and_clear();
    let report = report?;
    print(&shown(&report));
    if let Some(path) = &args.report {
        report.write(path)?;
    }
    Ok(exit_code(&report))
}

/// Returns the org that the arguments and the environment name.
fn target(args: &Args) -> Result<Target, Error> {
    let mut target = match (&args.org, &args.instance_url, &args.access_token) {
        (Some(alias), ..) => Target::of_salesforce_cli(alias)?,
        (None, Some(url), Some(token)) => Target::new(url, token),
        _ => return Err(Error::NoTarget),
    };
    target.app = args.client_id.as_ref().map(|client_id| App {
        client_id: client_id.clone(),
        client_secret: args.client_secret.clone(),
        // An org's My Domain is a login host of its own.
        login_url: target.instance_url.clone(),
        redirect_uri: args.redirect_uri.clone(),
        in_browser: args.consent,
    });
    target.endpoint = args
        .listener
        .as_ref()
        .zip(args.listen.as_ref())
        .map(|(url, listen)| Endpoint { url: url.trim_end_matches('/').to_owned(), listen: listen.clone() });
    target.blocked_app = args.blocked_client_id.as_ref().map(|client_id| BlockedApp {
        client_id: client_id.clone(),
        client_secret: args.blocked_client_secret.clone(),
        refresh_token: args.blocked_refresh_token.clone(),
    });
    target.unapproved_client_id.clone_from(&args.unapproved_client_id);
    target.limited_token.clone_from(&args.limited_access_token);
    target.event_bus.clone_from(&args.event_bus);
    target.relayed_event.clone_from(&args.relayed_event);
    Ok(target)
}

/// Returns the table of all checks.
fn list() -> String {
    let mut table = Table::new();
    table.set_header(["area", "check", "source", "Ferry relies on it for"]);
    for area in checks::AREAS {
        for check in area.checks {
            table.add_row([area.name, check.name, check.source, check.relied_on]);
        }
    }
    let count: usize = checks::AREAS.iter().map(|area| area.checks.len()).sum();
    format!("{table}\n{count} checks in {} areas", checks::AREAS.len())
}

/// Returns what a run prints: everything that does not agree, and the counts.
fn shown(report: &Report) -> String {
    let mut lines = Vec::new();
    for entry in &report.entries {
        match &entry.outcome {
            Outcome::Agrees => {}
            Outcome::Differs { expected, received } => {
                lines.push(format!(
                    "differs         {}: {}\n    expected  {expected}\n    received  {received}",
                    entry.area, entry.check
                ));
            }
            Outcome::NotApplicable { why } => {
                lines.push(format!("not applicable  {}: {} ({why})", entry.area, entry.check));
            }
            Outcome::NotRun { why } => lines.push(format!("not run         {}: {} ({why})", entry.area, entry.check)),
        }
    }
    lines.extend(report.left_over.iter().map(|path| format!("not deleted     {path} (--clean tries again)")));
    lines.push(report.summary());
    lines.join("\n")
}

fn exit_code(report: &Report) -> ExitCode {
    let counts = report.counts();
    match (counts.differs, counts.not_run + report.left_over.len()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(INCOMPLETE),
        _ => ExitCode::from(DIFFERS),
    }
}

/// Prints a text. An error is ignored: a closed standard output must not end the run.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn without_an_org_the_run_is_refused() {
        let args = Args { instance_url: None, access_token: None, ..Args::parse_from(["contract"]) };
        assert!(matches!(target(&args), Err(Error::NoTarget)));
    }

    #[test]
    fn the_list_has_every_check_with_its_source() {
        let list = list();
        for check in checks::AREAS.iter().flat_map(|area| area.checks) {
            assert!(list.contains(check.name) && list.contains(check.source), "{}", check.name);
        }
    }
}
