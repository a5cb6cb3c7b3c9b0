//! The kind of an org, its features, and the login host that it belongs to.

use serde::{Deserialize, Serialize};

/// The kind of an org, which decides the Organization record, the login host and the daily API limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgKind {
    /// A customer's production org.
    #[default]
    Production,
    /// A sandbox; its users log in at `test.salesforce.com`.
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

/// The features that are enabled in an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Features {
    /// Person accounts.
    pub person_accounts: bool,
    /// Enhanced notes; without them the object `ContentNote` does not exist.
    pub enhanced_notes: bool,
    /// Workflow outbound messages, which some editions lack.
    pub outbound_messages: bool,
    /// More than one currency: `CurrencyIsoCode` on records.
    pub multi_currency: bool,
    /// State and country picklists: `BillingStateCode`, `MailingCountryCode` and the like beside the texts.
    pub state_and_country_picklists: bool,
    /// API access, which some editions lack.
    pub api: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            person_accounts: false,
            enhanced_notes: true,
            outbound_messages: true,
            multi_currency: false,
            state_and_country_picklists: false,
            api: true,
        }
    }
}

/// The login host that an org belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// `login.salesforce.com`: production and Developer Edition.
    Production,
    /// `test.salesforce.com`.
    Sandbox,
}

impl Environment {
    pub(crate) fn of(kind: OrgKind) -> Self {
        match kind {
            OrgKind::Sandbox => Self::Sandbox,
            OrgKind::Production | OrgKind::DeveloperEdition | OrgKind::LicenseManagement => Self::Production,
        }
    }

    /// Returns the host name in Salesforce's own cloud, which clients name as the audience of an assertion.
    pub(crate) fn public_name(self) -> &'static str {
        match self {
            Self::Production => "https://login.salesforce.com",
            Self::Sandbox => "https://test.salesforce.com",
        }
    }
}
