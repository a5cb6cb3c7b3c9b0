//! Further settings of a definition, and the disturbances of delivery that a test can set.

use serde::{Deserialize, Serialize};

/// Settings of a definition beside those of [`crate::model::outbox::delivery::OutboundMessage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundSettings {
    /// Changes are sent.
    pub active: bool,
    /// Version in `EnterpriseUrl` and `PartnerUrl`, for example `66.0`.
    pub api_version: String,
    /// Username of the user as whom the message is sent; it contains only what this user may see, and everything when
    /// absent.
    pub integration_user: Option<String>,
    /// Sends a session of that user, or of the first admin, as messages could before 23 February 2026.
    pub include_session_id: bool,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self { active: true, api_version: "66.0".to_owned(), integration_user: None, include_session_id: false }
    }
}

/// Disturbances of the delivery of messages, set by a test. The default is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundDisturbance {
    /// The number of times each message is sent again although it was acknowledged.
    pub duplicates: u32,
    /// The seed by which notifications are shuffled within and between the messages that are due; in order when absent.
    pub shuffle: Option<u64>,
    /// The largest number of notifications in a message: 1 to 100.
    pub batch: usize,
    /// Leaves the `sObject` of a deleted record out instead of sending it with its id alone.
    pub omit_deleted: bool,
}

impl Default for OutboundDisturbance {
    fn default() -> Self {
        Self { duplicates: 0, shuffle: None, batch: crate::model::outbox::settings::BATCH, omit_deleted: false }
    }
}

/// The largest number of notifications in a message.
pub(crate) const BATCH: usize = 100;
