//! State changes of an org. Pure rules. A claim proves nothing; a team connection proves the owner.

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;

use super::{
    ActivationRequest, BindingRight, Environment, InstallClaim, MAX_COPIES, Org, OrgState, Quarantine, SeenCopy,
};
use crate::Error;
use crate::ids::Tenant;
use crate::webhook_secret::{MAX_LIVE, SecretHash};

/// The reason why an org is not activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It belongs to another tenant.
    OwnedByAnotherTenant,
    /// It has to be bound to the tenant, and the user is not an administrator of the org.
    NotAnAdministrator,
}

impl Refusal {
    pub(super) fn error(self, org: OrgId) -> Error {
        match self {
            Self::OwnedByAnotherTenant => Error::OwnedByAnotherTenant { org },
            Self::NotAnAdministrator => Error::NotAnAdministrator { org },
        }
    }
}

/// Returns the org with the package's announcement, or `None` if nothing changes. An announcement proves nothing: of a
/// known org, only the announcement itself and the expiry of a claim change.
#[must_use]
pub fn announce(known: Option<&Org>, claim: &InstallClaim) -> Option<Org> {
    let at = claim.announcement.at;
    let last = known.and_then(|org| org.announced.as_ref()).map(|announced| announced.at);
    if last.is_some_and(|last| at.duration_since(last) < ANNOUNCEMENT_PAUSE) {
        return None;
    }
    let org = known.cloned().unwrap_or_else(|| Org::claimed(claim.org_id, claim.environment, at));
    let expires_at = at.saturating_add(CLAIM_LIFETIME).ok();
    Some(Org { announced: Some(claim.announcement.clone()), updated_at: at, expires_at, ..org })
}

/// The time for which further announcements are ignored after one was stored, so that a flood of them cannot block
/// other writers of the org.
const ANNOUNCEMENT_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// The time for which a claim is kept after the last announcement. An admin who connects later needs no claim: the team
/// connection creates the org.
pub const CLAIM_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Returns the org as it is stored: only a claim that nothing authenticated expires. A tenant is proven by a team
/// connection, a license by the License Management Org. Applied to every change, so that no rule can forget it.
#[must_use]
pub fn with_expiry(org: Org) -> Org {
    let is_proven = org.tenant.is_some() || org.license.is_some();
    Org { expires_at: org.expires_at.filter(|_| !is_proven), ..org }
}

/// Checks that a consent for a team connection may make the tenant the owner of the org, or finds it to be the owner
/// already.
///
/// # Errors
/// A [`Refusal`].
pub fn check_binding(known: Option<&Org>, tenant: &Tenant, right: BindingRight) -> Result<(), Refusal> {
    let owner = known.and_then(|org| org.tenant.as_ref().map(|owner| (owner, org.state)));
    let needed = match owner {
        None => BindingRight::Unowned,
        Some((owner, _)) if owner == tenant => BindingRight::None,
        Some((_, OrgState::Uninstalled | OrgState::Disconnected)) => BindingRight::Left,
        Some((_, OrgState::Claimed | OrgState::Active | OrgState::Quarantined)) => {
            return Err(Refusal::OwnedByAnotherTenant);
        }
    };
    match right {
        sufficient if sufficient >= needed => Ok(()),
        BindingRight::None if needed == BindingRight::Unowned => Err(Refusal::NotAnAdministrator),
        // A user without the right learns only that the org has another owner.
        _ => Err(Refusal::OwnedByAnotherTenant),
    }
}

/// Returns the activated org, or `None` if it is already active for this tenant. A quarantine does not prevent it: the
/// consent proves the org.
///
/// # Errors
/// A [`Refusal`].
pub fn activate(known: Option<&Org>, request: &ActivationRequest) -> Result<Option<Org>, Refusal> {
    check_binding(known, &request.tenant, request.right)?;
    let before = match known {
        None => Org::claimed(request.org_id, request.environment, request.now),
        Some(org) if org.state == OrgState::Active && org.tenant.is_some() => return Ok(None),
        Some(org) => org.clone(),
    };
    let licensed = before.license.as_ref().and_then(|license| license.newest.package_version.clone());
    let is_new_owner = before.tenant.as_ref() != Some(&request.tenant);
    let released = |reason: Quarantine| Quarantine { released_at: reason.released_at.or(Some(request.now)), ..reason };
    Ok(Some(Org {
        state: OrgState::Active,
        package_version: licensed.or_else(|| before.package_version.clone()),
        tenant: Some(request.tenant.clone()),
        bound_at: if is_new_owner { Some(request.now) } else { before.bound_at },
        environment: request.environment,
        my_domain_url: request.my_domain_url.clone(),
        quarantine: before.quarantine.clone().map(released),
        webhook_secrets: vec![request.webhook_secret.clone()],
        activated_at: Some(request.now),
        closed_at: None,
        erased_at: None,
        last_erased_at: before.erased_at.or(before.last_erased_at),
        updated_at: request.now,
        ..before
    }))
}

/// Returns the org with what it reported about itself at a later consent, or `None` if nothing changes.
#[must_use]
pub fn with_proof(known: &Org, environment: Environment, my_domain_url: Option<&str>, now: Timestamp) -> Option<Org> {
    let my_domain_url = my_domain_url.map(str::to_owned).or_else(|| known.my_domain_url.clone());
    let next = Org { environment, my_domain_url, ..known.clone() };
    (next != *known).then_some(Org { updated_at: now, ..next })
}

/// Returns the closed org with another owner, or `None` if that tenant is the owner already.
///
/// # Errors
/// The org has no owner, or is active: its connections have to end first.
pub fn transfer(known: &Org, to: &Tenant, now: Timestamp) -> Result<Option<Org>, TransferRefusal> {
    match (&known.tenant, known.state) {
        (None, _) => Err(TransferRefusal::NoOwner),
        (Some(owner), _) if owner == to => Ok(None),
        (Some(_), OrgState::Active) => Err(TransferRefusal::Active),
        (Some(_), OrgState::Claimed | OrgState::Uninstalled | OrgState::Disconnected | OrgState::Quarantined) => {
            let (tenant, bound_at) = (Some(to.clone()), Some(now));
            Ok(Some(Org { tenant, bound_at, webhook_secrets: Vec::new(), updated_at: now, ..known.clone() }))
        }
    }
}

/// The reason why an org is not transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferRefusal {
    /// It has no owner.
    NoOwner,
    /// It is active.
    Active,
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
    let closed_at = if state == known.state { known.closed_at } else { Some(now) };
    changes.then(|| Org { state, closed_at, webhook_secrets: Vec::new(), updated_at: now, ..known.clone() })
}

/// Returns the closed org with the time of its closing, which rows of earlier versions lack, or `None` if it is known or
/// the org is active.
#[must_use]
pub fn stamp_closing(known: &Org, now: Timestamp) -> Option<Org> {
    let lacks = known.state != OrgState::Active && known.closed_at.is_none();
    lacks.then(|| Org { closed_at: Some(now), ..known.clone() })
}

/// Returns the org whose data were erased: without what its package and the org itself reported. `None` for an active org.
/// The tenant stays, so that no other tenant can take the org over, and the license, which is the vendor's.
#[must_use]
pub fn erased(known: &Org, now: Timestamp) -> Option<Org> {
    (known.state != OrgState::Active).then(|| Org {
        my_domain_url: None,
        package_version: None,
        announced: None,
        edition: None,
        copies: Vec::new(),
        webhook_secrets: Vec::new(),
        erased_at: Some(now),
        updated_at: now,
        ..known.clone()
    })
}

/// Returns the org with a copy of it noted, or `None` if nothing changes. The holder of the secret can name any org, so
/// nothing happens to the org that was named, the list is short, and one copy is noted in a minute. Another copy is
/// noted later, because Salesforce sends a refused message again.
#[must_use]
pub fn note_copy(known: &Org, copy: &SeenCopy) -> Option<Org> {
    let last = known.copies.iter().map(|noted| noted.seen_at).max();
    if last.is_some_and(|last| copy.seen_at.duration_since(last) < COPY_PAUSE) {
        return None;
    }
    let others = known.copies.iter().filter(|noted| noted.org_id != copy.org_id);
    let copies = std::iter::once(copy).chain(others).take(MAX_COPIES).cloned().collect();
    Some(Org { copies, updated_at: copy.seen_at, ..known.clone() })
}

/// The time for which further copies are not noted.
const COPY_PAUSE: SignedDuration = SignedDuration::from_mins(1);

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
