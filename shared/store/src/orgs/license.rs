//! The package's licence in an org, as the vendor's License Management Org tells of it: a pure rule.
//!
//! Its messages come in any order, late and more than once. What they come to is a function of the set of them: the newest says
//! how the licence stands, and an uninstallation that is newer than the consent by which the org became active ended it,
//! whatever came later.

use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use super::{Environment, Org, OrgState};

/// How a licence stands (`sfLma__License_Status__c`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LicenseStatus {
    /// A trial.
    Trial,
    /// In force.
    Active,
    /// The vendor suspended it. Noted, and nothing is done about it.
    Suspended,
    /// A status that is not known here.
    Other(String),
    /// The package was removed.
    Uninstalled,
}

impl LicenseStatus {
    /// Salesforce's name for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Trial => "Trial",
            Self::Active => "Active",
            Self::Suspended => "Suspended",
            Self::Uninstalled => "Uninstalled",
            Self::Other(other) => other,
        }
    }
}

impl From<String> for LicenseStatus {
    fn from(text: String) -> Self {
        let known = [Self::Trial, Self::Active, Self::Suspended, Self::Uninstalled];
        known.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(&text)).unwrap_or(Self::Other(text))
    }
}

impl From<LicenseStatus> for String {
    fn from(status: LicenseStatus) -> Self {
        status.as_str().to_owned()
    }
}

/// The newest that is known of the licence. The order of the fields is that of the comparison: of two messages of the same
/// time it does not matter which came first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LicenseState {
    /// When the licence last changed.
    #[serde(with = "crate::time::millis")]
    pub modified_at: Timestamp,
    /// How it stands.
    pub status: LicenseStatus,
    /// The licence's record in the License Management Org.
    pub license_id: RecordId,
    /// The version of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// The last day, as Salesforce writes it; none for a licence that does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<String>,
    /// Whether the org is a sandbox.
    pub is_sandbox: bool,
}

/// What is known of the package's licence in an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// How it stands.
    #[serde(flatten)]
    pub newest: LicenseState,
    /// When the package was last seen to be removed.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub uninstalled_at: Option<Timestamp>,
}

/// A message about a licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenseNotice {
    /// The customer's org.
    pub org_id: OrgId,
    /// What it says.
    pub license: LicenseState,
}

/// The org with what a message says, or `None` when nothing changes.
#[must_use]
pub fn with_notice(known: Option<&Org>, notice: &LicenseNotice, now: Timestamp) -> Option<Org> {
    let environment = if notice.license.is_sandbox { Environment::Sandbox } else { Environment::Production };
    let before = known.cloned().unwrap_or_else(|| Org::claimed(notice.org_id, environment, now));
    let license = fold(before.license.as_ref(), &notice.license);
    let after = settle(Org { license: Some(license.clone()), ..before }, &license);
    (known != Some(&after)).then_some(Org { updated_at: now, ..after })
}

fn fold(before: Option<&License>, says: &LicenseState) -> License {
    let removed = (says.status == LicenseStatus::Uninstalled).then_some(says.modified_at);
    License {
        newest: before.map_or(says, |before| says.max(&before.newest)).clone(),
        uninstalled_at: before.and_then(|before| before.uninstalled_at).max(removed),
    }
}

/// What the licence means for the org. An installation only claims: no licence makes an org active.
fn settle(org: Org, license: &License) -> Org {
    if org.state == OrgState::Quarantined {
        return org;
    }
    if org.tenant.is_none() {
        let removed = license.newest.status == LicenseStatus::Uninstalled;
        let environment = if license.newest.is_sandbox { Environment::Sandbox } else { Environment::Production };
        let state = if removed { OrgState::Uninstalled } else { OrgState::Claimed };
        return Org { state, environment, ..org };
    }
    // Salesforce's times have whole seconds, and nobody connects an org within the second in which its package was removed.
    let before = |removed: Timestamp| org.activated_at.is_none_or(|active| active.as_second() <= removed.as_second());
    let ended = license.uninstalled_at.is_some_and(before);
    match ended {
        true => Org { state: OrgState::Uninstalled, webhook_secrets: Vec::new(), ..org },
        false => org,
    }
}

#[cfg(test)]
mod tests;
