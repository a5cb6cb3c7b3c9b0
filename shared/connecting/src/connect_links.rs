//! Connect links: what a person opens to connect an org or themselves. A link is good once, and for a limited time.

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use store::{
    Authorization, AuthorizationId, Authorizations, ConnectionKind, Environment, PlatformUser, Purpose, Tenant,
};

use crate::one_time;

/// How long a link lives that the platform asked for.
pub const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long a link lives that comes with an event: its person may read of it days later.
pub const LIFE_IN_EVENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a connect link stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Whose org it is.
    pub tenant: Tenant,
    /// Whose grant it will be.
    #[serde(flatten)]
    pub kind: ConnectionKind,
    /// Which login host it leads to.
    pub environment: Environment,
    /// The org that it must be; any org of a team's choice otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// The org's own login host, where the person signs in instead of at that of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_domain_url: Option<String>,
    /// From then on it is no longer good.
    #[serde(with = "store::time::millis")]
    pub expires_at: Timestamp,
}

impl Ticket {
    /// Whether it connects the org itself.
    #[must_use]
    pub fn is_team(&self) -> bool {
        self.kind == ConnectionKind::Team
    }

    /// For whom, where the link is personal.
    #[must_use]
    pub fn platform_user(&self) -> Option<&PlatformUser> {
        match &self.kind {
            ConnectionKind::Team => None,
            ConnectionKind::Personal { platform_user } => Some(platform_user),
        }
    }

    /// Whole minutes left at `now`, at least one.
    #[must_use]
    pub fn minutes_left(&self, now: Timestamp) -> i64 {
        self.expires_at.duration_since(now).as_mins().max(1)
    }
}

/// The end of a `life` that begins now, as it is stored.
#[must_use]
pub fn expiry(now: Timestamp, life: SignedDuration) -> Timestamp {
    store::time::to_millis(now.checked_add(life).unwrap_or(now))
}

/// A link that was made.
#[derive(Clone, Debug)]
pub struct ConnectLink {
    /// Where to send the person. Whoever has it can connect in the person's place.
    pub url: SecretString,
    /// From then on it is no longer good.
    pub expires_at: Timestamp,
}

/// Makes connect links.
#[derive(Clone, Debug)]
pub struct ConnectLinks {
    authorizations: Authorizations,
    public_url: String,
}

impl ConnectLinks {
    /// Below this URL, without a trailing slash, where browsers reach the HTTP API.
    pub fn new(authorizations: Authorizations, public_url: impl Into<String>) -> Self {
        Self { authorizations, public_url: public_url.into() }
    }

    /// Makes a link. Only a digest of its secret is kept.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn create(&self, ticket: Ticket) -> Result<ConnectLink, store::Error> {
        let secret = one_time::fresh();
        let expires_at = ticket.expires_at;
        let id = AuthorizationId::of(Purpose::Ticket, secret.expose_secret());
        self.authorizations.store(&Authorization { id, payload: ticket, expires_at }).await?;
        let url = format!("{}/connect/{}", self.public_url, secret.expose_secret());
        Ok(ConnectLink { url: url.into(), expires_at })
    }
}
