//! What `oauth-callback` tells `onboarding`, and what it is told.

use std::sync::Arc;

use salesforce::OrgId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{Environment, OrgState, Tenant};

use crate::Error;
use crate::invoke::{Invoke, ask};

/// An event that `onboarding` is called with directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An admin has connected the org; the tokens are in the vault.
    TeamConnected(TeamConnected),
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

/// What became of the org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Onboarded {
    /// The org.
    pub org_id: OrgId,
    /// How it stands now.
    pub state: OrgState,
    /// Where its outbound messages go, with its secret; only when the secret was made just now.
    #[serde(default, with = "crate::exposed::option", skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<SecretString>,
}

/// The `onboarding` function, as `oauth-callback` calls it.
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
}
