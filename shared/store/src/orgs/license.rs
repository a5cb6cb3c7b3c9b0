//! The license of the package in an org, as reported by the vendor's License Management Org. A pure rule.
//!
//! Notices arrive late, repeatedly and in any order. The result depends only on the set of notices: the newest one
//! determines the license, and an uninstallation that is newer than the org's activation closes the org, whatever is
//! reported later.

use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use super::{Environment, Org, OrgState};

/// The status of a license (`sfLma__License_Status__c`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LicenseStatus {
    /// A trial.
    Trial,
    /// A paid license in force.
    Active,
    /// The vendor suspended it. It is recorded and has no effect.
    Suspended,
    /// An unknown status.
    Other(String),
    /// The package was uninstalled.
    Uninstalled,
}

impl LicenseStatus {
    /// Returns Salesforce's name for the status.
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

/// The newest known values of a license. The order of the fields is the order of comparison, so that two notices of the
/// same time give the same result in either order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LicenseState {
    /// The time at which the license last changed.
    #[serde(with = "crate::time::millis")]
    pub modified_at: Timestamp,
    /// The status.
    pub status: LicenseStatus,
    /// The license record in the License Management Org.
    pub license_id: RecordId,
    /// The version of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// The last day, in Salesforce's format; `None` for a license that does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<String>,
    /// `true` if the org is a sandbox.
    pub is_sandbox: bool,
}

/// The license of the package in an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// The newest values.
    #[serde(flatten)]
    pub newest: LicenseState,
    /// The time of the last known uninstallation.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub uninstalled_at: Option<Timestamp>,
}

/// A notice about a license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenseNotice {
    /// The customer's org.
    pub org_id: OrgId,
    /// The license.
    pub license: LicenseState,
}

/// Returns the org with the notice applied, or `None` if nothing changes.
#[must_use]
pub fn with_notice(known: Option<&Org>, notice: &LicenseNotice, now: Timestamp) -> Option<Org> {
    let environment = if notice.license.is_sandbox { Environment::Sandbox } else { Environment::Production };
    let before = known.cloned().unwrap_or_else(|| Org::claimed(notice.org_id, environment, now));
    let license = merge(before.license.as_ref(), &notice.license);
    let after = apply(Org { license: Some(license.clone()), ..before }, &license, now);
    (known != Some(&after)).then_some(Org { updated_at: now, ..after })
}

fn merge(before: Option<&License>, reported: &LicenseState) -> License {
    let uninstalled = (reported.status == LicenseStatus::Uninstalled).then_some(reported.modified_at);
    License {
        newest: before.map_or(reported, |before| reported.max(&before.newest)).clone(),
        uninstalled_at: before.and_then(|before| before.uninstalled_at).max(uninstalled),
    }
}

/// Applies the license to the org. An installation only claims the org: a license never activates one. The retention of
/// a closed org counts from the notice, because the uninstallation may be long past.
fn apply(org: Org, license: &License, now: Timestamp) -> Org {
    if org.state == OrgState::Quarantined {
        return org;
    }
    // Without an owner, only the license says whether the package is installed.
    if org.tenant.is_none() {
        let uninstalled = license.newest.status == LicenseStatus::Uninstalled;
        let environment = if license.newest.is_sandbox { Environment::Sandbox } else { Environment::Production };
        let state = if uninstalled { OrgState::Uninstalled } else { OrgState::Claimed };
        return Org { state, environment, ..org };
    }
    // Salesforce returns whole seconds, and an org is not connected within the second of its uninstallation.
    let before =
        |uninstalled: Timestamp| org.activated_at.is_none_or(|active| active.as_second() <= uninstalled.as_second());
    let ended = license.uninstalled_at.is_some_and(before);
    match ended {
        true => {
            let closed_at = org.closed_at.or(Some(now));
            Org { state: OrgState::Uninstalled, closed_at, webhook_secrets: Vec::new(), ..org }
        }
        false => org,
    }
}

#[cfg(test)]
mod tests;
