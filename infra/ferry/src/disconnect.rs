//! `cargo ferry disconnect`.

use clap::Args;
use connecting::disconnect::{ConnectionReport, Outcome};
use indicatif::ProgressBar;
use salesforce::OrgId;
use serde_json::json;
use store::ConnectionId;

use crate::failure::Failure;
use crate::prompt;
use crate::screen;
use crate::stack::Stack;

/// Revoke one connection of an org, or all of them.
///
/// Ferry first stops issuing access tokens, then revokes the grant at Salesforce, then deletes the stored tokens. The users
/// have to connect again.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry disconnect --org 00D5e000000KQ2eEAG \\
    --connection personal-1ef67c0c98b933972aa9ec295b7b3e32
  cargo ferry disconnect --org 00D5e000000KQ2eEAG --all

Exit codes:
  0  revoked
  1  AWS could not be reached
  2  the org or connection is unknown, or the prompt was declined
  3  revoked in part: run the same command again to finish")]
pub(crate) struct DisconnectArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Revoke every connection, stop the org's schedules and refuse its outbound messages.
    #[arg(long, conflicts_with = "connection")]
    all: bool,
    /// Connection id, as in `GET /v1/orgs/{org}/connections`.
    #[arg(long, default_value = "team", value_name = "ID")]
    connection: ConnectionId,
    /// Do not prompt.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Revokes the connections and reports the outcome of each.
pub(crate) async fn disconnect(stack: &Stack, args: DisconnectArgs) -> Result<String, Failure> {
    let org = args.org;
    confirm(org, args.yes)?;
    let progress = ProgressBar::new_spinner().with_message(format!("Disconnecting org {org}"));
    progress.enable_steady_tick(std::time::Duration::from_millis(100));
    let reports = revoke(stack, &args).await;
    progress.finish_and_clear();
    let reports = reports.map_err(|error| stack.unavailable(&error))?;
    let reports = reports.ok_or_else(|| unknown(&args))?;
    let text = match args.json {
        true => format!("{:#}", json!({ "org_id": org, "connections": reports })),
        false => report(org, &reports),
    };
    if reports.iter().all(|report| report.outcome == Outcome::Ended) {
        Ok(text)
    } else {
        Err(Failure::Unfinished(text))
    }
}

async fn revoke(stack: &Stack, args: &DisconnectArgs) -> Result<Option<Vec<ConnectionReport>>, store::Error> {
    let disconnect = stack.disconnect();
    Ok(if args.all {
        disconnect.org(args.org).await?.map(|report| report.connections)
    } else {
        disconnect.connection(args.org, &args.connection).await?.map(|report| vec![report])
    })
}

fn unknown(args: &DisconnectArgs) -> Failure {
    match args.all {
        true => Failure::unknown_org(args.org),
        false => Failure::BadInput(format!(
            "org {} has no connection `{}`; check --org, --connection and --stack",
            args.org, args.connection
        )),
    }
}

fn report(org: OrgId, reports: &[ConnectionReport]) -> String {
    let mut table = screen::table(["Connection", "Outcome"]);
    for report in reports {
        let outcome = match &report.outcome {
            Outcome::Ended => "revoked at Salesforce, tokens deleted".to_owned(),
            Outcome::Unfinished { reason, .. } => reason.clone(),
        };
        table.add_row([report.connection_id.to_string(), outcome]);
    }
    let unfinished = reports.iter().filter(|report| report.outcome != Outcome::Ended).count();
    match (reports.len(), unfinished) {
        (0, _) => format!("Org {org} had no connections."),
        (_, 0) => format!("{table}\n\nOrg {org} is disconnected."),
        (all, unfinished) => format!(
            "{table}\n\nOrg {org}: {unfinished} of {all} connections are closed in Ferry but not fully revoked. Ferry issues \
             no more access tokens for them. Run the same command again to finish."
        ),
    }
}

/// Prompts for the org's id: a revoked connection comes back only when its user consents again.
fn confirm(org: OrgId, yes: bool) -> Result<(), Failure> {
    let question = format!("This revokes access to org {org}; its users have to connect again. Type the org id:");
    prompt::confirm(&question, yes, |typed| typed.parse::<OrgId>().is_ok_and(|typed| typed == org))
}
