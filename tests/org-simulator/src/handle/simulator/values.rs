//! What goes into the handle and comes out of it; the admin API speaks the same values in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is in the org when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seed {
    /// The small built-in seed: an admin, two sales reps, a few accounts, contacts, leads and opportunities.
    #[default]
    Default,
    /// The sample data of a Developer Edition: 13 accounts, 20 contacts, 31 opportunities.
    DeveloperEdition,
    /// The users, schema and record types only.
    None,
}

/// What kind of org it is, which decides the Organization record, the login host and the daily API budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgKind {
    /// A customer's production org.
    #[default]
    Production,
    /// A sandbox: its users log in at the sandbox login host.
    Sandbox,
    /// A Developer Edition.
    DeveloperEdition,
    /// The vendor's org with the License Management App.
    LicenseManagement,
}

impl std::fmt::Display for OrgKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
            Self::DeveloperEdition => "Developer Edition",
            Self::LicenseManagement => "License Management Org",
        })
    }
}

/// What is switched on in an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Features {
    /// Person accounts.
    pub person_accounts: bool,
    /// Enhanced notes; without them there is no `ContentNote`.
    pub enhanced_notes: bool,
    /// Workflow outbound messages, which some editions lack.
    pub outbound_messages: bool,
    /// More than one currency: `CurrencyIsoCode` on records.
    pub multi_currency: bool,
    /// API access, which some editions lack.
    pub api: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { person_accounts: false, enhanced_notes: true, outbound_messages: true, multi_currency: false, api: true }
    }
}

/// A further org to add to a running simulator.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrgOptions {
    /// What kind of org it is.
    pub kind: OrgKind,
    /// Its name; one by its kind when empty. The usernames of its seed end in it, as usernames are unique in the world.
    pub name: String,
    /// What is switched on in it.
    pub features: Features,
    /// What it holds at the start.
    pub seed: Seed,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Seed for ids and tokens; without one they come from the system.
    pub random_seed: Option<u64>,
    /// Namespace prefix of the org, where it has one.
    pub namespace_prefix: Option<String>,
    /// When the trial ends, where it is one.
    pub trial_expires_at: Option<jiff::Timestamp>,
    /// Send outbound messages by itself as they fall due.
    pub send_outbound_messages: bool,
}

/// A user of the org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    /// 18-character id.
    pub id: String,
    /// Login name, unique.
    pub username: String,
    /// Display name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Sees and changes everything.
    pub is_admin: bool,
    /// May log in.
    pub is_active: bool,
}

/// A user to add.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewUser {
    /// Login name, unique.
    pub username: String,
    /// First name, may be empty.
    #[serde(default)]
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address; the username when empty.
    #[serde(default)]
    pub email: String,
    /// Sees and changes everything.
    #[serde(default)]
    pub is_admin: bool,
    /// Name of the profile, which is made when there is none; by `is_admin` when empty.
    #[serde(default)]
    pub profile: String,
}

/// A definition of an outbound message: which object's changes go where, with which fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboundMessage {
    /// Name of the definition.
    pub name: String,
    /// The object whose creates and updates are sent.
    pub object: String,
    /// Fields to send; `Id` is always sent.
    pub fields: Vec<String>,
    /// Where to post; must be a loopback address.
    pub endpoint_url: String,
}

/// Where a queued notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for its first or next attempt.
    Pending,
    /// The endpoint answered with a correct Ack.
    Delivered,
    /// Given up 24 hours after it was queued.
    Dropped,
}

/// One notification of the outbound queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Id of the notification (`04l`), the same in every attempt.
    pub notification_id: String,
    /// Id of the definition (`04k`).
    pub action_id: String,
    /// Object of the record.
    pub object: String,
    /// The record that changed.
    pub record_id: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts made so far.
    pub attempts: u32,
    /// What came of the last attempt, for example `acknowledged` or `status 503`.
    pub last_outcome: Option<String>,
    /// When the next attempt falls due.
    pub next_attempt_at: Option<jiff::Timestamp>,
    /// When the change was made.
    #[serde(default)]
    pub queued_at: Option<jiff::Timestamp>,
}

/// A package installation to announce.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageInstall {
    /// Where the package's post-install script calls; must be a loopback address.
    pub callout_url: String,
    /// Version that was installed.
    pub package_version: String,
    /// Version that was there before, for an upgrade.
    #[serde(default)]
    pub previous_version: Option<String>,
    /// Whether the vendor pushed the upgrade.
    #[serde(default)]
    pub is_push: bool,
}

/// What the callout of a package installation was answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstallAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body, as JSON where it is JSON and as a string otherwise.
    pub body: Value,
    /// The JSON that was sent.
    pub sent: Value,
}

/// What came of loading CRM data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Records created, by object.
    pub loaded: BTreeMap<String, usize>,
    /// Rows not loaded, by `object: reason`.
    pub refused: BTreeMap<String, usize>,
    /// Rows loaded with a value filled in or replaced, by `object: what was done`.
    pub adjusted: BTreeMap<String, usize>,
}
