//! Ids and keys as types. They are validated when they are parsed.

use std::fmt;
use std::str::FromStr;

use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A text that breaks the rule of its type: it is empty, too long, or has invalid characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}")]
pub struct InvalidText {
    kind: &'static str,
    rule: &'static str,
}

impl InvalidText {
    pub(crate) fn new(kind: &'static str, rule: &'static str) -> Self {
        Self { kind, rule }
    }
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(InvalidText { kind: $kind, rule: $rule }) }
            }
        }

        salesforce::text_traits!($name);
    };
}

checked_text!(
    /// A customer of the platform, by the platform's own id.
    Tenant, "a tenant", "1 to 128 characters without control characters", |text| is_bounded(text, 128)
);
checked_text!(
    /// A user of the platform, by the platform's own id.
    PlatformUser, "a platform user", "1 to 256 characters without control characters", |text| is_bounded(text, 256)
);
checked_text!(
    /// The version of a connection's secret: the `VersionId` of Secrets Manager.
    TokenVersion, "a token version", "32 to 64 letters, digits and hyphens", is_version
);
checked_text!(
    /// The platform's `Idempotency-Key`. The same key in the same org is the same write.
    IdempotencyKey, "an idempotency key", "1 to 255 visible ASCII characters", is_visible_ascii
);
checked_text!(
    /// The id of a delivery in its org, the same for every redelivery: the notification id of an outbound message, or
    /// the transaction, number and record of a change event.
    DeliveryId, "a delivery id", "1 to 255 visible ASCII characters", is_visible_ascii
);
checked_text!(
    /// The id of a connection in its org: `team`, or `personal-` and a digest of the platform user. A reconnect keeps
    /// it.
    ConnectionId, "a connection id", "`team`, or `personal-` and 32 hexadecimal digits", is_connection_id
);

impl From<RecordId> for DeliveryId {
    fn from(notification: RecordId) -> Self {
        Self(notification.to_string())
    }
}

impl ConnectionId {
    /// Returns the id of the org's team connection.
    #[must_use]
    pub fn team() -> Self {
        Self("team".to_owned())
    }

    /// Returns the id of the platform user's connection.
    #[must_use]
    pub fn personal(user: &PlatformUser) -> Self {
        let digest = sha256_hex(user.as_str().as_bytes());
        Self(format!("personal-{}", &digest[..32]))
    }

    /// Returns whether this is the org's team connection.
    #[must_use]
    pub fn is_team(&self) -> bool {
        self.0 == "team"
    }
}

/// The id of a write, derived from the org and the idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WriteId(Uuid);

impl WriteId {
    /// Derives the id.
    #[must_use]
    pub fn derive(org: OrgId, key: &IdempotencyKey) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("write/{org}/{key}").as_bytes()))
    }
}

impl FromStr for WriteId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        text.parse().map(Self).map_err(|_| InvalidText { kind: "a write id", rule: "a UUID" })
    }
}

impl TryFrom<String> for WriteId {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        text.parse()
    }
}

impl From<WriteId> for String {
    fn from(id: WriteId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of an erasure, derived from the org and the erased subject. It does not reveal a record's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ErasureId(Uuid);

impl ErasureId {
    /// Derives the id of the erasure of an org, or of one record of it.
    #[must_use]
    pub fn derive(org: OrgId, record: Option<RecordId>) -> Self {
        let subject = record.map_or_else(|| "org".to_owned(), |record| sha256_hex(record.as_str().as_bytes()));
        Self(Uuid::new_v5(&NAMESPACE, format!("erasure/{org}/{subject}").as_bytes()))
    }
}

impl FromStr for ErasureId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        text.parse().map(Self).map_err(|_| InvalidText { kind: "an erasure id", rule: "a UUID" })
    }
}

impl TryFrom<String> for ErasureId {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        text.parse()
    }
}

impl From<ErasureId> for String {
    fn from(id: ErasureId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ErasureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The namespace of Ferry's name-based UUIDs.
pub(crate) const NAMESPACE: Uuid = Uuid::from_u128(0x9c1d_6a52_7b0e_4d5f_8f3a_61e2_04c7_b9d3);

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_bounded(text: &str, max: usize) -> bool {
    let length = text.chars().count();
    (1..=max).contains(&length) && !text.chars().any(char::is_control)
}

fn is_visible_ascii(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_version(text: &str) -> bool {
    (32..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_connection_id(text: &str) -> bool {
    text == "team"
        || text.strip_prefix("personal-").is_some_and(|digest| {
            digest.len() == 32 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
}
