//! What may happen to an org: pure rules. A claim proves nothing; a team connection proves whose the org is.

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;

use super::{ActivationRequest, Announcement, DetectedCopy, Environment, InstallClaim, Org, OrgState, Quarantine};
use crate::Error;
use crate::webhook_secret::{MAX_LIVE, SecretHash};

/// Why an org does not become active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is another tenant's.
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

/// The org that a claim makes.
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

/// The org with what the package announces of it, or `None` when nothing changes. The announcement proves nothing: of an org
/// that has an owner, or is not merely claimed, it changes nothing but the note of itself.
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
    let said = claimed(claim);
    let same = (&org.package_version, &org.organization_type, &org.instance_name, &org.my_domain_url, org.environment)
        == (&said.package_version, &said.organization_type, &said.instance_name, &said.my_domain_url, said.environment);
    (!same).then(|| Org {
        announced: Some(announced),
        claimed_at: org.claimed_at,
        license: org.license.clone(),
        quarantine: org.quarantine.clone(),
        edition: org.edition.clone(),
        polling: org.polling,
        revision: org.revision,
        ..said
    })
}

/// How long an org's announcements are not looked at after one that changed something: whoever sends many must not keep
/// others from changing the org.
const ANNOUNCEMENT_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// The org that an activation makes of what is known, or `None` when it is active for this tenant already.
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
    let said = before.announced.clone();
    Ok(Some(Org {
        package_version: said.and_then(|said| said.package_version).or_else(|| before.package_version.clone()),
        state: OrgState::Active,
        tenant: Some(request.tenant.clone()),
        environment: request.environment,
        webhook_secrets: vec![request.webhook_secret.clone()],
        activated_at: Some(request.now),
        updated_at: request.now,
        ..before
    }))
}

/// The org with its lanes closed, or `None` when they are closed already. Only an active org becomes disconnected: what else
/// is known of it (removed, quarantined) is said by the state that it has.
#[must_use]
pub fn close(known: &Org, now: Timestamp) -> Option<Org> {
    let state = match known.state {
        OrgState::Active => OrgState::Disconnected,
        kept @ (OrgState::Claimed | OrgState::Uninstalled | OrgState::Disconnected | OrgState::Quarantined) => kept,
    };
    let changes = state != known.state || !known.webhook_secrets.is_empty();
    changes.then(|| Org { state, webhook_secrets: Vec::new(), updated_at: now, ..known.clone() })
}

/// The org in quarantine, or `None` where it is not. An org that has an owner proved itself by a consent: no copy can take it
/// from them. One that was claimed as production is no copy, for every copy is a sandbox.
#[must_use]
pub fn quarantine(known: Option<&Org>, seen: &DetectedCopy) -> Option<Org> {
    let reason = Quarantine { copy_of: seen.copy_of, since: seen.at, released_at: None };
    let Some(org) = known else {
        let copy = Org::claimed(seen.org_id, Environment::Sandbox, seen.at);
        return Some(Org { state: OrgState::Quarantined, quarantine: Some(reason), ..copy });
    };
    let released = org.quarantine.as_ref().is_some_and(|before| before.copy_of == seen.copy_of);
    let proven = org.tenant.is_some() || org.environment == Environment::Production;
    if org.state == OrgState::Quarantined || released || proven {
        return None;
    }
    Some(Org { state: OrgState::Quarantined, quarantine: Some(reason), updated_at: seen.at, ..org.clone() })
}

/// The org released from quarantine, or `None` when it is not in one. It is claimed then, or waits for its owner to connect.
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

/// The org with a fresh secret before the one that is in use, or before the newest where that is not known. `None` when it has
/// this secret already.
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
