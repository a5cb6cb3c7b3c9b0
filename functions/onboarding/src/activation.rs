//! `team_connected`: an admin of the org has connected, which is the proof that the org is the tenant's.

use std::time::Duration;

use runtime::onboarding::{Onboarded, TeamConnected};
use runtime::{Chain, Outcome, Report};
use salesforce::OrgId;
use secrecy::SecretString;
use serde::Serialize;
use store::{Activate, Activation, OrgState, RefreshKind, RefreshTask, WebhookSecret};

use crate::{Deps, Error};

/// What became of the org, with the numbers for the closing line.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Reply {
    /// What the caller gets.
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
            ("webhook_secrets.made", u64::from(self.onboarded.webhook_url.is_some())),
            ("backfills.queued", u64::from(self.backfill_queued)),
        ]
    }
}

/// Makes the org active and asks for its first copy. A repetition changes nothing but asks again, which is how an org catches
/// up after it was disconnected.
pub(crate) async fn team_connected(deps: &Deps, connected: TeamConnected) -> Result<Reply, Error> {
    let org_id = connected.org_id;
    let now = deps.clock.now();
    let secret = WebhookSecret::generate(&mut rand::rng());
    let activate = Activate {
        org_id,
        tenant: connected.tenant,
        environment: connected.environment,
        webhook_secret: secret.hash(now),
        now,
    };
    let webhook_url = match deps.orgs.activate(&activate).await {
        Ok(Activation::Activated(_)) => Some(webhook_url(&deps.public_url, org_id, &secret)),
        Ok(Activation::AlreadyActive(_)) => None,
        Err(store::Error::Quarantined { .. }) => return Ok(quarantined(org_id)),
        Err(source) => return Err(Error::Activate { source }),
    };
    let backfill_queued = queue_backfill(deps, org_id).await;
    tracing::info!(org.id = %org_id, "org {org_id} is active");
    Ok(Reply { onboarded: Onboarded { org_id, state: OrgState::Active, webhook_url }, backfill_queued })
}

/// Where the org's outbound messages go. The secret is in no other place than this answer.
fn webhook_url(public_url: &str, org_id: OrgId, secret: &WebhookSecret) -> SecretString {
    format!("{public_url}/webhooks/salesforce/{org_id}/{}", secret.reveal()).into()
}

/// A failure must not cost the secret that was just made: the nightly refresh makes the first copy too.
async fn queue_backfill(deps: &Deps, org_id: OrgId) -> bool {
    let task = RefreshTask { org_id, kind: RefreshKind::Backfill, object: None, requested_at: deps.clock.now() };
    let queued = deps.refreshes.send(&task, Duration::ZERO).await;
    if let Err(error) = &queued {
        tracing::error!(org.id = %org_id, error = %Chain(error), "the first copy of org {org_id} was not queued");
    }
    queued.is_ok()
}

fn quarantined(org_id: OrgId) -> Reply {
    tracing::warn!(org.id = %org_id, "org {org_id} is quarantined and stays so");
    let onboarded = Onboarded { org_id, state: OrgState::Quarantined, webhook_url: None };
    Reply { onboarded, backfill_queued: false }
}
