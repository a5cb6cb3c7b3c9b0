//! `ferry disconnect`: the kill switch, from the operator's hand.

use connecting::disconnect::{ConnectionReport, Outcome};
use indicatif::ProgressBar;
use salesforce::OrgId;
use serde_json::json;
use store::ConnectionId;

use crate::ask;
use crate::cli::Failure;
use crate::screen;
use crate::stack::Stack;

/// What is to be ended.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// One connection.
    Connection(ConnectionId),
    /// Every connection, and the org's lanes.
    Org,
}

/// Ends it, and says of each connection what was done.
pub(crate) async fn disconnect(stack: &Stack, org: OrgId, target: &Target, as_json: bool) -> Result<String, Failure> {
    let work = ProgressBar::new_spinner().with_message(format!("Disconnecting org {org}"));
    work.enable_steady_tick(std::time::Duration::from_millis(100));
    let disconnect = stack.disconnect();
    let reports = match target {
        Target::Connection(id) => disconnect.connection(org, id).await.map(|report| report.map(|report| vec![report])),
        Target::Org => disconnect.org(org).await.map(|report| report.map(|report| report.connections)),
    };
    work.finish_and_clear();
    let reports = reports.map_err(stack.unavailable("end the connections"))?;
    let reports = reports.ok_or_else(|| Failure::BadInput(unknown(org, target)))?;
    let text =
        if as_json { format!("{:#}", json!({ "org_id": org, "connections": reports })) } else { shown(org, &reports) };
    if reports.iter().all(|report| report.outcome == Outcome::Ended) {
        Ok(text)
    } else {
        Err(Failure::Unfinished(text))
    }
}

fn unknown(org: OrgId, target: &Target) -> String {
    match target {
        Target::Connection(id) => format!("org {org} has no connection `{id}`"),
        Target::Org => format!("org {org} is not known"),
    }
}

fn shown(org: OrgId, reports: &[ConnectionReport]) -> String {
    let mut table = screen::table(["Connection", "What was done"]);
    for report in reports {
        let done = match &report.outcome {
            Outcome::Ended => "revoked at Salesforce, secret deleted".to_owned(),
            Outcome::Unfinished { reason, .. } => reason.clone(),
        };
        table.add_row([report.connection_id.to_string(), done]);
    }
    let left = reports.iter().filter(|report| report.outcome != Outcome::Ended).count();
    match (reports.len(), left) {
        (0, _) => format!("Org {org} had no connections."),
        (_, 0) => format!("{table}\n\nOrg {org}: all of it is ended."),
        (all, left) => format!(
            "{table}\n\nOrg {org}: {left} of {all} are closed here but not wholly ended. Nobody gets a token of them any \
             more; run the same command again to finish."
        ),
    }
}

/// Asks before anything is ended that cannot be brought back without its person.
pub(crate) fn confirm(org: OrgId, yes: bool) -> Result<(), Failure> {
    let question = "Its people will have to connect again. Type the org's id to go on:";
    ask::confirm(question, yes, |typed| typed.parse::<OrgId>().is_ok_and(|typed| typed == org))
}
