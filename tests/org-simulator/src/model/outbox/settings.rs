//! What else can be said about a definition, and how delivery is disturbed on purpose.

use serde::{Deserialize, Serialize};

/// Settings of a definition beside those of [`crate::model::outbox::delivery::OutboundMessage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundSettings {
    /// Whether changes are sent at all.
    pub active: bool,
    /// Version in `EnterpriseUrl` and `PartnerUrl`, for example `66.0`.
    pub api_version: String,
    /// Username of the user the message is sent as, who decides what is seen in it; everything when absent.
    pub integration_user: Option<String>,
    /// Send a session of that user, or of the first admin, as messages could before 23 February 2026.
    pub include_session_id: bool,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self { active: true, api_version: "66.0".to_owned(), integration_user: None, include_session_id: false }
    }
}

/// What may go wrong between an org and an endpoint, ordered by a test. The default is that nothing does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundDisturbance {
    /// Times every message is sent again although it was acknowledged.
    pub duplicates: u32,
    /// Shuffles notifications within and between the messages that are due, by this seed.
    pub shuffle: Option<u64>,
    /// Most notifications in a message: 1 to 100.
    pub batch: usize,
    /// Leave the `sObject` of a deleted record out instead of sending it with its id alone.
    pub omit_deleted: bool,
}

impl Default for OutboundDisturbance {
    fn default() -> Self {
        Self { duplicates: 0, shuffle: None, batch: crate::model::outbox::settings::BATCH, omit_deleted: false }
    }
}

/// Most notifications in a message.
pub(crate) const BATCH: usize = 100;
