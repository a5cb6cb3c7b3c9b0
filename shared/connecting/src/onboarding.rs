//! What `onboarding` is told directly, and what it answers.

use std::sync::Arc;

use runtime::Error;
use runtime::invoke::{Invoke, ask};
use salesforce::OrgId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{Environment, OrgState, Tenant};

/// An event that `onboarding` is called with directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An admin has connected the org; the tokens are in the vault.
    TeamConnected(TeamConnected),
    /// The operator wants another webhook secret for the org.
    RotateWebhookSecret(RotateWebhookSecret),
}

/// An org whose team connection was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamConnected {
    /// The org that answered.
    pub org_id: OrgId,
    /// For whom.
    pub tenant: Tenant,
    /// Production or sandbox.
    pub environment: Environment,
    /// The login host that was used.
    pub login_url: String,
}

/// An org that is to get another webhook secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateWebhookSecret {
    /// The org.
    pub org_id: OrgId,
}

/// What became of the org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Onboarded {
    /// The org.
    pub org_id: OrgId,
    /// How it stands now.
    pub state: OrgState,
    /// Where its outbound messages are to go, with its secret; only when somebody has to put it into the org by hand.
    #[serde(default, with = "runtime::exposed::option", skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<SecretString>,
    /// How far the org's outbound messages are set up; `None` for an org that is not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_messages: Option<OutboundMessages>,
}

/// How far an org's outbound messages are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum OutboundMessages {
    /// All of them send to the org's address: read back from the org.
    Configured {
        /// How many there are.
        messages: usize,
    },
    /// The org's edition has none, so that Ferry asks the org for changes.
    NotInEdition,
    /// The address has to be put in by hand.
    ByHand {
        /// Why.
        because: ByHand,
    },
}

/// Why an org's outbound messages have to be set up by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByHand {
    /// The org has none of Ferry's: the package is not installed, or an edition that Ferry does not know has none.
    NoMessages,
    /// The connection's user may not customize the application.
    NotPermitted,
    /// Salesforce took the address, and shows another one.
    NotConfirmed,
    /// Salesforce was not reached in time.
    Unavailable,
}

/// The `onboarding` function, as others call it.
#[derive(Clone)]
pub struct Onboarding {
    function: Arc<dyn Invoke>,
}

impl Onboarding {
    /// Through this function.
    pub fn new(function: impl Invoke) -> Self {
        Self { function: Arc::new(function) }
    }

    /// Tells that the org's team connection was made.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn team_connected(&self, connected: TeamConnected) -> Result<Onboarded, Error> {
        ask(&self.function, &Event::TeamConnected(connected)).await
    }

    /// Gives the org another webhook secret beside the one that it uses, and sets its outbound messages up with it.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn rotate_webhook_secret(&self, org_id: OrgId) -> Result<Onboarded, Error> {
        ask(&self.function, &Event::RotateWebhookSecret(RotateWebhookSecret { org_id })).await
    }
}
