//! The client of the `onboarding` function, and its messages.

use std::sync::Arc;

use runtime::Error;
use runtime::invoke::{Invoke, call};
use salesforce::OrgId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{Environment, OrgState, Tenant};

/// An event that `onboarding` is invoked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An admin connected the org. Its tokens are in the vault.
    TeamConnected(TeamConnected),
    /// The operator requests another webhook secret for the org.
    RotateWebhookSecret(RotateWebhookSecret),
}

/// A new team connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamConnected {
    /// The org that the consent came from.
    pub org_id: OrgId,
    /// The tenant.
    pub tenant: Tenant,
    /// The environment of the consent.
    pub environment: Environment,
    /// The URL of the login host.
    pub login_url: String,
}

/// A request for another webhook secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateWebhookSecret {
    /// The org.
    pub org_id: OrgId,
}

/// The response of `onboarding`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Onboarded {
    /// The org.
    pub org_id: OrgId,
    /// The state of the org now.
    pub state: OrgState,
    /// The URL for the org's outbound messages, with its secret. Present only if a person has to enter it in the org by hand.
    #[serde(default, with = "runtime::exposed::option", skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<SecretString>,
    /// The set-up of the org's outbound messages. `None` for an org that is not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_messages: Option<OutboundMessages>,
}

/// The set-up of an org's outbound messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum OutboundMessages {
    /// All messages send to the org's address, as read back from the org.
    Configured {
        /// The number of messages.
        messages: usize,
    },
    /// The org's edition has no outbound messages, so that Ferry polls the org.
    NotInEdition,
    /// The address has to be entered by hand.
    #[serde(rename = "by_hand")]
    Manual {
        /// The reason.
        #[serde(rename = "because")]
        reason: ManualSetup,
    },
}

/// A reason for setting up an org's outbound messages by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManualSetup {
    /// The org has none of Ferry's outbound messages: the package is not installed, or the org's edition is unknown to Ferry and
    /// has no outbound messages.
    NoMessages,
    /// The connection's user lacks the permission Customize Application.
    NotPermitted,
    /// Salesforce accepted the address, but returns another one.
    NotConfirmed,
    /// Salesforce did not respond in time.
    Unavailable,
}

/// A client of the `onboarding` function.
#[derive(Clone)]
pub struct Onboarding {
    function: Arc<dyn Invoke>,
}

impl Onboarding {
    /// Creates a client that calls `function`.
    pub fn new(function: impl Invoke) -> Self {
        Self { function: Arc::new(function) }
    }

    /// Reports a new team connection.
    ///
    /// # Errors
    /// The call fails.
    pub async fn team_connected(&self, connected: TeamConnected) -> Result<Onboarded, Error> {
        call(&self.function, &Event::TeamConnected(connected)).await
    }

    /// Adds a webhook secret beside the org's current one, and sets the endpoint of the org's outbound messages to it.
    ///
    /// # Errors
    /// The call fails.
    pub async fn rotate_webhook_secret(&self, org_id: OrgId) -> Result<Onboarded, Error> {
        call(&self.function, &Event::RotateWebhookSecret(RotateWebhookSecret { org_id })).await
    }
}
