//! State changes of an org. Pure rules. A claim proves nothing; a team connection proves the owner.

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;

use super::{ActivationRequest, Announcement, DetectedCopy, Environment, InstallClaim, Org, OrgState, Quarantine};
use crate::Error;
use crate::webhook_secret::{MAX_LIVE, SecretHash};

/// The reason why an org is not activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It belongs to another tenant.
    OwnedByAnotherTenant,
    /// It is quarantined.
    Quarantined,
}

impl Refusal {
    pub(super) fn error(self, org: OrgId) -> Error {
        match self {
            Self::OwnedByAnotherTenant => Error::OwnedByAnotherTenant { org },
            Self::Quarantined => Error::Quarantined { org },
        }
    }
}

/// Returns the org that a claim creates.
#[must_use]
pub fn claimed(claim: &InstallClaim) -> Org {
    Org {
        my_domain_url: claim.my_domain_url.clone(),
        instance_name: claim.instance_name.clone(),
        organization_type: claim.organization_type.clone(),
        package_version: claim.package_version.clone(),
        installer_id: claim.installer_id,
        ..Org::claimed(claim.org_id, claim.environment, claim.claimed_at)
    }
}

/// Returns the org with the package's announcement, or `None` if nothing changes. An announcement proves nothing: for
/// an org that has an owner, or is no longer just claimed, only the announcement itself is stored.
#[must_use]
pub fn announce(known: Option<&Org>, claim: &InstallClaim) -> Option<Org> {
    let Some(org) = known else { return Some(claimed(claim)) };
    let last = org.announced.as_ref().map(|announced| announced.at);
    if last.is_some_and(|last| claim.claimed_at.duration_since(last) < ANNOUNCEMENT_PAUSE) {
        return None;
    }
    let announced = Announcement {
        package_version: claim.package_version.clone(),
        organization_type: claim.organization_type.clone(),
        instance_name: claim.instance_name.clone(),
        at: claim.claimed_at,
    };
    if org.state != OrgState::Claimed || org.tenant.is_some() {
        return Some(Org { announced: Some(announced), updated_at: claim.claimed_at, ..org.clone() });
    }
    let reported = claimed(claim);
    let same = (&org.package_version, &org.organization_type, &org.instance_name, &org.my_domain_url, org.environment)
        == (
            &reported.package_version,
            &reported.organization_type,
            &reported.instance_name,
            &reported.my_domain_url,
            reported.environment,
        );
    (!same).then(|| Org {
        announced: Some(announced),
        claimed_at: org.claimed_at,
        license: org.license.clone(),
        quarantine: org.quarantine.clone(),
        edition: org.edition.clone(),
        polling: org.polling,
        revision: org.revision,
        ..reported
    })
}

/// The time for which further announcements are ignored after a change, so that a flood of them cannot block other
/// writers of the org.
const ANNOUNCEMENT_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// Returns the activated org, or `None` if it is already active for this tenant.
///
/// # Errors
/// A [`Refusal`].
pub fn activate(known: Option<&Org>, request: &ActivationRequest) -> Result<Option<Org>, Refusal> {
    let before = match known {
        None => Org::claimed(request.org_id, request.environment, request.now),
        Some(org) if org.state == OrgState::Quarantined => return Err(Refusal::Quarantined),
        Some(org) if org.tenant.as_ref().is_some_and(|owner| *owner != request.tenant) => {
            return Err(Refusal::OwnedByAnotherTenant);
        }
        Some(org) if org.state == OrgState::Active => return Ok(None),
        Some(org) => org.clone(),
    };
    let reported = before.announced.clone();
    Ok(Some(Org {
        package_version: reported
            .and_then(|reported| reported.package_version)
            .or_else(|| before.package_version.clone()),
        state: OrgState::Active,
        tenant: Some(request.tenant.clone()),
        environment: request.environment,
        webhook_secrets: vec![request.webhook_secret.clone()],
        activated_at: Some(request.now),
        updated_at: request.now,
        ..before
    }))
}

/// Returns the closed org, or `None` if it is closed already. Only an active org becomes
/// disconnected; other states are kept, because they name the cause.
#[must_use]
pub fn close(known: &Org, now: Timestamp) -> Option<Org> {
    let state = match known.state {
        OrgState::Active => OrgState::Disconnected,
        unchanged @ (OrgState::Claimed | OrgState::Uninstalled | OrgState::Disconnected | OrgState::Quarantined) => {
            unchanged
        }
    };
    let changes = state != known.state || !known.webhook_secrets.is_empty();
    changes.then(|| Org { state, webhook_secrets: Vec::new(), updated_at: now, ..known.clone() })
}

/// Returns the org in quarantine, or `None` if it is not quarantined. An org with an owner proved its identity by a
/// consent, and an org claimed as production is not a copy, because every copy is a sandbox.
#[must_use]
pub fn quarantine(known: Option<&Org>, copy: &DetectedCopy) -> Option<Org> {
    let reason = Quarantine { copy_of: copy.copy_of, since: copy.at, released_at: None };
    let Some(org) = known else {
        let org = Org::claimed(copy.org_id, Environment::Sandbox, copy.at);
        return Some(Org { state: OrgState::Quarantined, quarantine: Some(reason), ..org });
    };
    let released = org.quarantine.as_ref().is_some_and(|before| before.copy_of == copy.copy_of);
    let proven = org.tenant.is_some() || org.environment == Environment::Production;
    if org.state == OrgState::Quarantined || released || proven {
        return None;
    }
    Some(Org { state: OrgState::Quarantined, quarantine: Some(reason), updated_at: copy.at, ..org.clone() })
}

/// Returns the org released from quarantine, or `None` if it is not quarantined. It is then claimed, or disconnected if
/// it has an owner.
#[must_use]
pub fn release(known: &Org, now: Timestamp) -> Option<Org> {
    let state = if known.tenant.is_some() { OrgState::Disconnected } else { OrgState::Claimed };
    let quarantine = known.quarantine.clone().map(|reason| Quarantine { released_at: Some(now), ..reason });
    (known.state == OrgState::Quarantined).then(|| Org {
        state,
        quarantine,
        webhook_secrets: Vec::new(),
        updated_at: now,
        ..known.clone()
    })
}

/// Returns the org with a new secret before the one that is in use, or before the newest if that is unknown. `None` if
/// it has the new secret already.
#[must_use]
pub fn rotate(known: &Org, secret: &SecretHash, in_use: Option<&str>) -> Option<Org> {
    if known.webhook_secrets.iter().any(|live| live.sha256 == secret.sha256) {
        return None;
    }
    let mut before = known.webhook_secrets.clone();
    before.sort_by_key(|live| Some(live.sha256.as_str()) != in_use);
    let mut secrets = vec![secret.clone()];
    secrets.extend(before);
    secrets.truncate(MAX_LIVE);
    Some(Org { webhook_secrets: secrets, updated_at: secret.created_at, ..known.clone() })
}

#[cfg(test)]
mod tests;
