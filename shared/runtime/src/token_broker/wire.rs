//! The wire between the token broker and the other functions: JSON, and the only place where tokens are serialised.

use std::time::Duration;

use salesforce::{Fingerprint, OrgId, RecordId, Retry};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{ConnectionId, ConnectionKind, ConnectionState, Tenant};

pub use store::ConnectionKind as Kind;

/// What the broker is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Request {
    /// Make a connection of a consent.
    ExchangeCode(ExchangeCode),
    /// An access token to use now.
    AccessToken(TokenWanted),
    /// End the connection.
    Revoke(ConnectionRef),
    /// Use the refresh token if it has been idle for long, so that Salesforce does not end it. Asked every hour, every token
    /// is used at least every 20 days. Answered like [`Request::Status`].
    KeepAlive(ConnectionRef),
    /// How is the connection?
    Status(ConnectionRef),
}

/// A consent that came back with a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExchangeCode {
    /// Whose connection it is to be.
    #[serde(flatten)]
    pub kind: ConnectionKind,
    /// For whom.
    pub tenant: Tenant,
    /// The org that it must be, where that is known: always for a personal connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_org_id: Option<OrgId>,
    /// The app registration that was consented to.
    pub app: String,
    /// The login host that was used.
    pub login_url: String,
    /// The redirect URI, character for character that of the consent.
    pub redirect_uri: String,
    /// The code.
    #[serde(with = "crate::exposed")]
    pub code: SecretString,
    /// The PKCE verifier.
    #[serde(with = "crate::exposed")]
    pub code_verifier: SecretString,
    /// The nonce of the consent.
    #[serde(default, with = "crate::exposed::option", skip_serializing_if = "Option::is_none")]
    pub nonce: Option<SecretString>,
}

/// A wish for an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenWanted {
    /// In which org.
    pub org_id: OrgId,
    /// Of which connection.
    pub connection_id: ConnectionId,
    /// The token that Salesforce has refused; another one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_fingerprint: Option<Fingerprint>,
}

/// A connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectionRef {
    /// Its org.
    pub org_id: OrgId,
    /// Its id.
    pub connection_id: ConnectionId,
}

/// What the broker answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The connection was made.
    Connected(Connected),
    /// An access token.
    Token(Token),
    /// The connection was ended.
    Revoked(ConnectionRef),
    /// How the connection is.
    Status(ConnectionStatus),
    /// No.
    Refused(Refusal),
}

/// A connection that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// The org that answered.
    pub org_id: OrgId,
    /// The connection.
    pub connection_id: ConnectionId,
    /// The Salesforce user who consented.
    pub user_id: RecordId,
    /// Where its API calls go.
    pub instance_url: String,
    /// The user's name in the org, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// How many grants this user has given to this app, this one with them. Salesforce keeps five: where there are as many,
    /// the next consent ends the oldest.
    #[serde(default)]
    pub grants: usize,
    /// The connections whose grants this one ended: their people have to connect again.
    #[serde(default)]
    pub displaced: Vec<ConnectionId>,
}

/// An access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The token.
    #[serde(with = "crate::exposed")]
    pub access_token: SecretString,
    /// Where it is good.
    pub instance_url: String,
}

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// Its org.
    pub org_id: OrgId,
    /// Its id.
    pub connection_id: ConnectionId,
    /// Its state.
    #[serde(flatten)]
    pub state: ConnectionState,
    /// The app registration it belongs to.
    pub app: String,
}

/// Why the broker says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: RefusalCode,
    /// A short reason; never a secret.
    pub reason: String,
    /// What the caller may do.
    pub retry: RetryHint,
}

/// Which no it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The connection's person has to connect again.
    ReauthRequired,
    /// There is no such connection.
    UnknownConnection,
    /// The connection was ended on purpose.
    Revoked,
    /// The consent came from another org than it should.
    WrongOrg,
    /// The org belongs to another tenant.
    OrgOwnedByAnotherTenant,
    /// Salesforce refused the code: used, expired or foreign.
    GrantRefused,
    /// The user may not do what the connection needs; the reason names what.
    MissingPermissions,
    /// Salesforce refused the app itself.
    AppRefused,
    /// The app registration is not known.
    UnknownApp,
    /// The answer does not prove that it is Salesforce's.
    Untrusted,
    /// Someone else is refreshing, for longer than the broker waits.
    Busy,
    /// Salesforce or AWS is not available.
    Unavailable,
}

/// [`Retry`] on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RetryHint {
    /// Trying again cannot help.
    Never,
    /// A person must act first.
    NeedsHuman,
    /// It did not take effect.
    After {
        /// The pause.
        pause_ms: u64,
    },
    /// It may have taken effect.
    Unknown {
        /// The pause.
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
