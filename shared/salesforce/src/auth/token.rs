//! Answers of the token endpoint.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{InstanceUrl, OrgId, RecordId};

/// Whose token it is, from the `id` URL of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The org.
    pub org_id: OrgId,
    /// The user.
    pub user_id: RecordId,
}

/// A token answer whose signature was right.
#[derive(Clone, Debug)]
pub struct TokenAnswer {
    /// Good until Salesforce refuses it; its life is the customer's setting and not told.
    pub access_token: SecretString,
    /// The new refresh token; `None` means that the old one stays good.
    pub refresh_token: Option<SecretString>,
    /// Where to use the access token; `None` in some refresh answers means that it has not changed.
    pub instance_url: Option<InstanceUrl>,
    /// Whose it is.
    pub identity: Identity,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When.
    pub issued_at: Timestamp,
    /// OpenID Connect's statement about the user, where `openid` was granted.
    pub id_token: Option<SecretString>,
}
