//! The messages between the token broker and the other functions, as JSON. Nothing else serializes tokens.

use std::str::FromStr;
use std::time::Duration;

use salesforce::{Condition, Fingerprint, ObjectName, OrgId, RecordId, Retry};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{ConnectionId, ConnectionKind, ConnectionState, PublicApp, Tenant};

/// A request to the broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Request {
    /// Exchanges an authorization code for a connection.
    ExchangeCode(ExchangeCode),
    /// Returns an access token.
    AccessToken(AccessTokenRequest),
    /// Revokes the grant and deletes the tokens.
    Revoke(ConnectionRef),
    /// Uses the refresh token if it has been idle for long, so that Salesforce does not end it. If this is sent every hour,
    /// each token is used at least every 20 days. The response is that of [`Request::Status`].
    KeepAlive(ConnectionRef),
    /// Returns the status of the connection.
    Status(ConnectionRef),
    /// Returns the registered apps without their secrets.
    Apps,
}

impl Request {
    /// Returns the operation of the request.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::ExchangeCode(_) => Operation::ExchangeCode,
            Self::AccessToken(_) => Operation::AccessToken,
            Self::Revoke(_) => Operation::Revoke,
            Self::KeepAlive(_) => Operation::KeepAlive,
            Self::Status(_) => Operation::Status,
            Self::Apps => Operation::Apps,
        }
    }
}

/// An operation of the broker. A deployed function serves only those that its configuration lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Request::ExchangeCode`].
    ExchangeCode,
    /// [`Request::AccessToken`].
    AccessToken,
    /// [`Request::Revoke`].
    Revoke,
    /// [`Request::KeepAlive`].
    KeepAlive,
    /// [`Request::Status`].
    Status,
    /// [`Request::Apps`].
    Apps,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 6] =
        [Self::ExchangeCode, Self::AccessToken, Self::Revoke, Self::KeepAlive, Self::Status, Self::Apps];

    /// Returns the name, as in requests and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExchangeCode => "exchange_code",
            Self::AccessToken => "access_token",
            Self::Revoke => "revoke",
            Self::KeepAlive => "keep_alive",
            Self::Status => "status",
            Self::Apps => "apps",
        }
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|operation| operation.as_str() == name);
        known.ok_or_else(|| format!("the token broker has no operation `{name}`"))
    }
}

/// An authorization code and the consent that it comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExchangeCode {
    /// The kind of connection to create.
    #[serde(flatten)]
    pub kind: ConnectionKind,
    /// The tenant.
    pub tenant: Tenant,
    /// The org that the consent must come from. Always set for a personal connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_org_id: Option<OrgId>,
    /// The name of the app registration.
    pub app: String,
    /// The URL of the login host.
    pub login_url: String,
    /// The redirect URI, exactly as in the consent.
    pub redirect_uri: String,
    /// The authorization code.
    #[serde(with = "crate::exposed")]
    pub code: SecretString,
    /// The PKCE verifier.
    #[serde(with = "crate::exposed")]
    pub code_verifier: SecretString,
    /// The nonce of the consent.
    #[serde(default, with = "crate::exposed::option", skip_serializing_if = "Option::is_none")]
    pub nonce: Option<SecretString>,
}

/// A request for an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessTokenRequest {
    /// The org of the connection.
    pub org_id: OrgId,
    /// The connection.
    pub connection_id: ConnectionId,
    /// The fingerprint of a token that Salesforce refused. The response holds another token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_fingerprint: Option<Fingerprint>,
    /// The fingerprint of a token whose instance accepted no connection, or named another host: the org may have moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable_fingerprint: Option<Fingerprint>,
    /// The fingerprint of a token whose user may not call the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_permitted_fingerprint: Option<Fingerprint>,
    /// The fingerprint of a token that Salesforce accepted, where [`Token::report_acceptance`] asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_fingerprint: Option<Fingerprint>,
}

impl AccessTokenRequest {
    /// Creates the request for the stored token.
    #[must_use]
    pub fn new(org_id: OrgId, connection_id: ConnectionId) -> Self {
        Self {
            org_id,
            connection_id,
            refused_fingerprint: None,
            unreachable_fingerprint: None,
            not_permitted_fingerprint: None,
            accepted_fingerprint: None,
        }
    }
}

/// A reference to a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectionRef {
    /// The org.
    pub org_id: OrgId,
    /// The connection's id.
    pub connection_id: ConnectionId,
}

/// A response of the broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Response {
    /// The connection was created.
    Connected(Connected),
    /// An access token.
    Token(Token),
    /// The grant was revoked.
    Revoked(ConnectionRef),
    /// The status of the connection.
    Status(ConnectionStatus),
    /// The registered apps.
    Apps(Apps),
    /// The request was refused.
    Refused(Refusal),
}

/// A new connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// The org that the consent came from.
    pub org_id: OrgId,
    /// The connection.
    pub connection_id: ConnectionId,
    /// The Salesforce user who consented.
    pub user_id: RecordId,
    /// The base URL of its API calls.
    pub instance_url: String,
    /// The user's username, if Salesforce returned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The mirrored objects of which a team's user may not see every record. Empty if the user sees everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limited_objects: Vec<ObjectName>,
    /// The number of this user's grants to this app, the new one included. Salesforce keeps five: a further consent ends the
    /// oldest.
    #[serde(default)]
    pub grants: usize,
    /// The connections whose grants this one ended. Their users have to connect again.
    #[serde(default)]
    pub displaced: Vec<ConnectionId>,
}

/// An access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The access token.
    #[serde(with = "crate::exposed")]
    pub access_token: SecretString,
    /// The instance that accepts it.
    pub instance_url: String,
    /// `true` while earlier tokens of the connection were refused: the caller reports the first call that Salesforce accepts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub report_acceptance: bool,
}

/// The status of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// The org.
    pub org_id: OrgId,
    /// The connection's id.
    pub connection_id: ConnectionId,
    /// The connection's state.
    #[serde(flatten)]
    pub state: ConnectionState,
    /// The name of its app registration.
    pub app: String,
}

/// The registered apps, the newest last. Its type has no member for a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apps {
    /// The apps.
    pub apps: Vec<PublicApp>,
}

/// A refusal by the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: RefusalCode,
    /// A short reason. Never a secret.
    pub reason: String,
    /// The rule for repeating the request.
    pub retry: RetryHint,
    /// The condition of the connection, if that is the reason. The code is then one that earlier versions know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// The stable code of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The connection's user has to connect again.
    ReauthRequired,
    /// The connection does not exist.
    UnknownConnection,
    /// The connection was disconnected.
    Revoked,
    /// The consent came from another org than expected.
    WrongOrg,
    /// The org belongs to another tenant.
    OrgOwnedByAnotherTenant,
    /// Salesforce refused the authorization code: it was used, has expired, or belongs to another app.
    GrantRefused,
    /// The user lacks permissions that the connection needs. The reason lists them.
    MissingPermissions,
    /// The org has to be bound to the tenant first, which only a consent of one of its administrators does.
    AdministratorNeeded,
    /// Salesforce refused the app.
    AppRefused,
    /// The app registration does not exist.
    UnknownApp,
    /// Salesforce's response failed verification.
    Untrusted,
    /// Another broker is refreshing, for longer than this one waits.
    Busy,
    /// Salesforce or AWS is not available.
    Unavailable,
}

/// [`Retry`] as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RetryHint {
    /// A retry cannot help.
    Never,
    /// A person must act first.
    NeedsHuman,
    /// The request did not take effect.
    After {
        /// The pause before a retry, in milliseconds.
        pause_ms: u64,
    },
    /// The request may have taken effect.
    Unknown {
        /// The pause before a retry, in milliseconds.
        pause_ms: u64,
    },
}

impl From<Retry> for RetryHint {
    fn from(retry: Retry) -> Self {
        let millis = |pause: Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        match retry {
            Retry::Never => Self::Never,
            Retry::NeedsHuman => Self::NeedsHuman,
            Retry::After(pause) => Self::After { pause_ms: millis(pause) },
            Retry::Unknown(pause) => Self::Unknown { pause_ms: millis(pause) },
        }
    }
}

impl From<RetryHint> for Retry {
    fn from(hint: RetryHint) -> Self {
        match hint {
            RetryHint::Never => Self::Never,
            RetryHint::NeedsHuman => Self::NeedsHuman,
            RetryHint::After { pause_ms } => Self::After(Duration::from_millis(pause_ms)),
            RetryHint::Unknown { pause_ms } => Self::Unknown(Duration::from_millis(pause_ms)),
        }
    }
}
