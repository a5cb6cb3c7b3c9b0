//! Connect links: single-use URLs with which a person connects an org, or their own Salesforce user.

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use store::{
    Authorization, AuthorizationId, Authorizations, ConnectionKind, Environment, PlatformUser, Purpose, Tenant,
};

use crate::one_time;

/// The lifetime of a link that the platform requests.
pub const LINK_TTL: SignedDuration = SignedDuration::from_mins(15);
/// The lifetime of a link in an event. It lasts for the message that the platform sends because of the event; everyone who may
/// read the bus can use it. For a person who comes later, the platform requests a new link.
pub const EVENT_LINK_TTL: SignedDuration = SignedDuration::from_hours(24);

/// The stored content of a connect link: the connection that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The tenant of the org.
    pub tenant: Tenant,
    /// The kind of connection.
    #[serde(flatten)]
    pub kind: ConnectionKind,
    /// The environment, which determines the login host.
    pub environment: Environment,
    /// The org that has to be connected. A team link without it is for any org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// The org's My Domain, which replaces the login host of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_domain_url: Option<String>,
    /// The time at which the link expires.
    #[serde(with = "store::time::millis")]
    pub expires_at: Timestamp,
}

impl Ticket {
    /// Returns `true` if the link is for a team connection.
    #[must_use]
    pub fn is_team(&self) -> bool {
        self.kind == ConnectionKind::Team
    }

    /// Returns the platform user of a personal link.
    #[must_use]
    pub fn platform_user(&self) -> Option<&PlatformUser> {
        match &self.kind {
            ConnectionKind::Team => None,
            ConnectionKind::Personal { platform_user } => Some(platform_user),
        }
    }

    /// Returns the whole minutes until the link expires, at least 1.
    #[must_use]
    pub fn minutes_left(&self, now: Timestamp) -> i64 {
        self.expires_at.duration_since(now).as_mins().max(1)
    }
}

/// Returns the time at which something expires that is created at `now`, in whole milliseconds.
#[must_use]
pub fn expiry(now: Timestamp, ttl: SignedDuration) -> Timestamp {
    store::time::to_millis(now.checked_add(ttl).unwrap_or(now))
}

/// A new connect link.
#[derive(Clone, Debug)]
pub struct ConnectLink {
    /// The URL. A secret: its holder can connect in the person's place.
    pub url: SecretString,
    /// The time at which the link expires.
    pub expires_at: Timestamp,
}

/// Creates connect links.
#[derive(Clone, Debug)]
pub struct ConnectLinks {
    authorizations: Authorizations,
    public_url: String,
}

impl ConnectLinks {
    /// Creates a client. Links begin with `public_url`: the URL at which browsers reach the HTTP API, without a trailing slash.
    pub fn new(authorizations: Authorizations, public_url: impl Into<String>) -> Self {
        Self { authorizations, public_url: public_url.into() }
    }

    /// Creates a link. Stores only a digest of its secret.
    ///
    /// # Errors
    /// The table is unavailable.
    pub async fn create(&self, ticket: Ticket) -> Result<ConnectLink, store::Error> {
        let secret = one_time::generate();
        let expires_at = ticket.expires_at;
        let id = AuthorizationId::derive(Purpose::Ticket, secret.expose_secret());
        self.authorizations.store(&Authorization { id, payload: ticket, expires_at }).await?;
        let url = format!("{}/connect/{}", self.public_url, secret.expose_secret());
        Ok(ConnectLink { url: url.into(), expires_at })
    }
}
