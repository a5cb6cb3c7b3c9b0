//! Activates an org: an administrator has connected it, which proves that the org is the tenant's; or any user has connected
//! an org that is the tenant's already. Only the connection that the token broker stored counts, not what the caller says.

use std::time::Duration;

use connecting::onboarding::{Onboarded, OutboundMessages, TeamConnected};
use runtime::{Chain, Outcome, Report};
use salesforce::OrgId;
use secrecy::SecretString;
use serde::Serialize;
use store::connections::{binding_right, grants};
use store::{
    Activation, ActivationRequest, BindingRight, Connection, ConnectionKind, OrgState, RefreshKind, RefreshTask,
    Tenant, WebhookSecret,
};

use crate::edition::{self, Organization};
use crate::endpoints::{SecretChoice, Setup, set_up};
use crate::{Deps, Error};

/// The response, with the counts for the summary log line.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Reply {
    /// The response to the caller.
    pub onboarded: Onboarded,
    #[serde(skip)]
    backfill_queued: bool,
}

impl Report for Reply {
    fn outcome(&self) -> Outcome {
        match (self.onboarded.state, self.backfill_queued) {
            (OrgState::Active, true) => Outcome::Ok,
            (OrgState::Active, false) => Outcome::Partial,
            (OrgState::Claimed | OrgState::Uninstalled | OrgState::Disconnected | OrgState::Quarantined, _) => {
                Outcome::Refused
            }
        }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("webhook_addresses.shown", u64::from(self.onboarded.webhook_url.is_some())),
            ("backfills.queued", u64::from(self.backfill_queued)),
        ]
    }
}

/// Activates the org, queues its backfill, and sets up its outbound messages. A repetition queues another backfill, by which
/// an org catches up after it was disconnected, and repairs what is missing.
pub(crate) async fn team_connected(deps: &Deps, connected: TeamConnected) -> Result<Reply, Error> {
    let org_id = connected.org_id;
    let now = deps.clock.now();
    let connections = deps.connections.list(org_id).await?;
    let Some(team) = stored_team(&connections, &connected.tenant) else {
        return Err(Error::NotConnected { org: org_id });
    };
    let secret = WebhookSecret::generate(&mut rand::rng());
    let organization = edition::read(deps, org_id).await;
    let activate = ActivationRequest {
        org_id,
        right: team
            .rights
            .as_ref()
            .map_or(BindingRight::None, |rights| binding_right(rights, &connections, &connected.tenant)),
        tenant: connected.tenant,
        environment: organization.as_ref().map_or(connected.environment, Organization::environment),
        my_domain_url: Some(team.instance_url.clone()),
        webhook_secret: secret.hash(now),
        now,
    };
    let (org, choice) = match deps.orgs.activate(&activate).await {
        Ok(Activation::Activated(org)) => (org, SecretChoice::New(secret)),
        Ok(Activation::AlreadyActive(_)) => {
            let (environment, my_domain_url) = (activate.environment, activate.my_domain_url.as_deref());
            let org = deps.orgs.record_proof(org_id, environment, my_domain_url, now).await?;
            (org, SecretChoice::Repair)
        }
        Err(source) => {
            tracing::warn!(org.id = %org_id, error = %Chain(&source), "could not activate org {org_id}");
            return Err(Error::Activate { source });
        }
    };
    let backfill_queued = queue_backfill(deps, org_id).await;
    tracing::info!(org.id = %org_id, "activated org {org_id}");
    // An org's edition can change, so it is stored at every team connection.
    let org = edition::store(deps, org, organization).await;
    let Setup { webhook_url, outbound_messages } = set_up(deps, org, choice).await?;
    Ok(Reply { onboarded: active(org_id, webhook_url, outbound_messages), backfill_queued })
}

/// Returns the tenant's usable team connection.
fn stored_team<'a>(connections: &'a [Connection], tenant: &Tenant) -> Option<&'a Connection> {
    connections.iter().find(|connection| {
        connection.kind == ConnectionKind::Team && connection.tenant == *tenant && grants::may_be_live(connection)
    })
}

/// Makes another webhook secret for an active org, beside the one in use.
pub(crate) async fn rotate_webhook_secret(deps: &Deps, org_id: OrgId) -> Result<Reply, Error> {
    let org = deps.orgs.load(org_id).await?;
    match org {
        Some(org) if org.state == OrgState::Active => {
            let Setup { webhook_url, outbound_messages } = set_up(deps, org, SecretChoice::Another).await?;
            Ok(Reply { onboarded: active(org_id, webhook_url, outbound_messages), backfill_queued: true })
        }
        Some(org) => Ok(not_active(org_id, org.state)),
        None => Err(store::Error::NotFound { operation: "load the org", entity: "org" }.into()),
    }
}

fn active(org_id: OrgId, webhook_url: Option<SecretString>, outbound_messages: OutboundMessages) -> Onboarded {
    Onboarded { org_id, state: OrgState::Active, webhook_url, outbound_messages: Some(outbound_messages) }
}

/// Queues the backfill. A failure is only logged, because the secret was made already: the nightly refresh starts the backfill
/// too.
async fn queue_backfill(deps: &Deps, org_id: OrgId) -> bool {
    let task = RefreshTask::new(org_id, RefreshKind::Backfill, deps.clock.now());
    let queued = deps.refreshes.send(&task, Duration::ZERO).await;
    if let Err(error) = &queued {
        tracing::error!(org.id = %org_id, error = %Chain(error), "could not queue the backfill of org {org_id}");
    }
    queued.is_ok()
}

fn not_active(org_id: OrgId, state: OrgState) -> Reply {
    tracing::warn!(org.id = %org_id, org.state = ?state, "org {org_id} is not active and was not changed");
    let onboarded = Onboarded { org_id, state, webhook_url: None, outbound_messages: None };
    Reply { onboarded, backfill_queued: false }
}
