//! `cargo ferry transfer`.

use clap::Args;
use connecting::disconnect::Outcome;
use salesforce::OrgId;
use serde_json::json;
use store::{Connection, Org, OrgState, Tenant};

use crate::failure::Failure;
use crate::prompt;
use crate::screen::counted;
use crate::stack::Stack;

/// Make an org another tenant's.
///
/// Ferry first disconnects the org: it revokes every connection at Salesforce, deletes the stored tokens, and refuses the org's
/// outbound messages. Then it deletes the entries of these connections and changes the tenant. The mirror stays, because it is
/// the org's own data; the new tenant can read it. Users of the new tenant have to connect.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  cargo ferry transfer --org 00D5e000000KQ2eEAG --to globex

Exit codes:
  0  transferred, or already the tenant's
  1  AWS could not be reached
  2  the org is unknown or has no tenant, or the prompt was declined
  3  disconnected in part, not transferred: run the same command again to finish")]
pub(crate) struct TransferArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Tenant that the org will belong to.
    #[arg(long, value_name = "TENANT")]
    to: Tenant,
    /// Do not prompt.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object instead of sentences.
    #[arg(long)]
    json: bool,
}

/// Disconnects the org and changes its tenant.
pub(crate) async fn transfer(stack: &Stack, args: TransferArgs) -> Result<String, Failure> {
    let org = stack.load_org(args.org).await?;
    let from = owner(&org)?.clone();
    if from == args.to {
        return Ok(report(&args, &from, org.state, 0));
    }
    let connections = list(stack, args.org).await?;
    confirm(&args, &from, connections.len())?;
    disconnect(stack, args.org).await?;
    for connection in list(stack, args.org).await?.iter().filter(|connection| connection.tenant == from) {
        let forgotten = stack.connections().forget(connection).await.map_err(|error| stack.unavailable(&error))?;
        if !forgotten {
            return Err(Failure::Unfinished(format!(
                "Org {} was not transferred: connection `{}` was changed at the same time. Run the same command again to finish.",
                args.org, connection.connection_id
            )));
        }
    }
    let moved = stack.orgs().transfer(args.org, &args.to, stack.clock().now()).await;
    let moved = moved.map_err(|error| match error {
        store::Error::Conflict { .. } => Failure::Unfinished(format!(
            "Org {} was not transferred: it was connected again at the same time. Run the same command again to finish.",
            args.org
        )),
        error => stack.unavailable(&error),
    })?;
    Ok(report(&args, &from, moved.state, connections.len()))
}

fn owner(org: &Org) -> Result<&Tenant, Failure> {
    let id = org.org_id;
    org.tenant.as_ref().ok_or_else(|| {
        Failure::BadInput(format!(
            "org {id} has no tenant; it becomes the tenant's whose connect link an administrator of the org follows"
        ))
    })
}

async fn list(stack: &Stack, org: OrgId) -> Result<Vec<Connection>, Failure> {
    stack.connections().list(org).await.map_err(|error| stack.unavailable(&error))
}

/// Closes the org and revokes its connections; all of them, or the transfer stops.
async fn disconnect(stack: &Stack, org: OrgId) -> Result<(), Failure> {
    let ended = stack.disconnect().org(org).await.map_err(|error| stack.unavailable(&error))?;
    let connections = ended.ok_or_else(|| Failure::unknown_org(org))?.connections;
    let reasons: Vec<String> = connections
        .into_iter()
        .filter_map(|connection| match connection.outcome {
            Outcome::Ended => None,
            Outcome::Unfinished { reason, .. } => Some(format!("{}: {reason}", connection.connection_id)),
        })
        .collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Failure::Unfinished(format!(
        "Org {org} is disconnected, but was not transferred, because {} not fully revoked. Run the same command again to \
         finish.\n{}",
        counted(reasons.len(), "connection is", "connections are"),
        reasons.join("\n")
    )))
}

fn confirm(args: &TransferArgs, from: &Tenant, connections: usize) -> Result<(), Failure> {
    let (org, to) = (args.org, &args.to);
    let revoked = counted(connections, "connection", "connections");
    let question = format!(
        "This moves org {org} from tenant `{from}` to tenant `{to}`. It revokes {revoked}; users of `{to}` have to connect. \
         `{to}` can read Ferry's copy of the org's records. Type the org id:"
    );
    prompt::confirm(&question, args.yes, |typed| typed.parse::<OrgId>().is_ok_and(|typed| typed == org))
}

fn report(args: &TransferArgs, from: &Tenant, state: OrgState, revoked: usize) -> String {
    let (org, to) = (args.org, &args.to);
    if args.json {
        return format!(
            "{:#}",
            json!({ "org_id": org, "from": from, "to": to, "state": state, "connections_revoked": revoked })
        );
    }
    if from == to {
        return format!("Org {org} belongs to tenant `{to}` already. Nothing was changed.");
    }
    let revoked = counted(revoked, "connection was", "connections were");
    format!(
        "Org {org} belongs to tenant `{to}` now. {revoked} revoked. To make the org active, create a team link for `{to}` \
         (POST /v1/connect-links), and send it to a user of the org."
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::Environment;

    use super::*;

    #[test]
    fn an_org_without_a_tenant_is_not_transferred() {
        let id = "00D5e000000KQ2eEAG".parse().unwrap();
        let claimed = Org::claimed(id, Environment::Production, Timestamp::UNIX_EPOCH);
        assert!(matches!(owner(&claimed), Err(Failure::BadInput(_))));
        let owned = Org { tenant: Some("acme".parse().unwrap()), ..claimed };
        assert_eq!(owner(&owned).unwrap().as_str(), "acme");
    }
}
