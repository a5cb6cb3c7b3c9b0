//! The license of the package in an org, as reported by the vendor's License Management Org. A pure rule.
//!
//! Notices arrive late, repeatedly and in any order. The result depends only on the set of notices: the newest one
//! determines the license, and an uninstallation that is newer than the org's activation closes the org, whatever is
//! reported later.

use jiff::Timestamp;

use super::{Environment, License, LicenseNotice, LicenseState, LicenseStatus, Org, OrgState};

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
