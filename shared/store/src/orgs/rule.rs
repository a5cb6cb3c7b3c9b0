//! What may happen to an org: pure rules. A claim proves nothing; a team connection proves whose the org is.

use jiff::Timestamp;
use salesforce::OrgId;

use super::{Activate, InstallClaim, Org, OrgState};
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
        ..Org::unannounced(claim.org_id, claim.environment, claim.claimed_at)
    }
}

/// The org that an activation makes of what is known, or `None` when it is active for this tenant already.
///
/// # Errors
/// A [`Refusal`].
pub fn activate(known: Option<&Org>, request: &Activate) -> Result<Option<Org>, Refusal> {
    let before = match known {
        None => Org::unannounced(request.org_id, request.environment, request.now),
        Some(org) if org.state == OrgState::Quarantined => return Err(Refusal::Quarantined),
        Some(org) if org.tenant.as_ref().is_some_and(|owner| *owner != request.tenant) => {
            return Err(Refusal::OwnedByAnotherTenant);
        }
        Some(org) if org.state == OrgState::Active => return Ok(None),
        Some(org) => org.clone(),
    };
    Ok(Some(Org {
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

/// The org with a fresh secret before the newest one, or `None` when it has this secret already.
#[must_use]
pub fn rotate(known: &Org, secret: &SecretHash) -> Option<Org> {
    if known.webhook_secrets.iter().any(|live| live.sha256 == secret.sha256) {
        return None;
    }
    let mut secrets = vec![secret.clone()];
    secrets.extend(known.webhook_secrets.iter().cloned());
    secrets.truncate(MAX_LIVE);
    Some(Org { webhook_secrets: secrets, updated_at: secret.created_at, ..known.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orgs::Environment;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn secret(text: &str) -> SecretHash {
        SecretHash { sha256: text.to_owned(), created_at: NOW }
    }

    fn request(tenant: &str) -> Activate {
        Activate {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            environment: Environment::Production,
            webhook_secret: secret("new"),
            now: NOW,
        }
    }

    fn known(state: OrgState, tenant: Option<&str>) -> Org {
        let org = Org::unannounced(request("unused").org_id, Environment::Production, NOW);
        Org { state, tenant: tenant.map(|tenant| tenant.parse().unwrap()), webhook_secrets: vec![secret("old")], ..org }
    }

    #[test]
    fn a_claimed_org_becomes_the_tenants_with_the_new_secret() {
        let org = activate(Some(&known(OrgState::Claimed, None)), &request("acme")).unwrap().unwrap();
        assert_eq!((org.state, org.tenant.unwrap().as_str()), (OrgState::Active, "acme"));
        assert_eq!(org.webhook_secrets, [secret("new")]);
    }

    #[test]
    fn an_org_that_nobody_claimed_becomes_active_too() {
        assert_eq!(activate(None, &request("acme")).unwrap().unwrap().state, OrgState::Active);
    }

    #[test]
    fn an_active_org_keeps_its_secret() {
        assert_eq!(activate(Some(&known(OrgState::Active, Some("acme"))), &request("acme")), Ok(None));
    }

    #[test]
    fn another_tenants_org_is_refused_in_every_state() {
        for state in [OrgState::Claimed, OrgState::Active, OrgState::Uninstalled, OrgState::Disconnected] {
            let refused = activate(Some(&known(state, Some("acme"))), &request("evil"));
            assert_eq!(refused, Err(Refusal::OwnedByAnotherTenant));
        }
    }

    #[test]
    fn a_quarantined_org_stays_so() {
        let refused = activate(Some(&known(OrgState::Quarantined, Some("acme"))), &request("acme"));
        assert_eq!(refused, Err(Refusal::Quarantined));
    }

    #[test]
    fn a_disconnected_org_becomes_its_tenants_again_with_another_secret() {
        let closed = close(&known(OrgState::Active, Some("acme")), NOW).unwrap();
        assert_eq!((closed.state, closed.tenant.as_ref().unwrap().as_str()), (OrgState::Disconnected, "acme"));
        assert_eq!(closed.webhook_secrets, []);
        assert_eq!(close(&closed, NOW), None);
        let again = activate(Some(&closed), &request("acme")).unwrap().unwrap();
        assert_eq!((again.state, again.webhook_secrets), (OrgState::Active, vec![secret("new")]));
    }

    #[test]
    fn closing_never_hides_why_an_org_is_not_active() {
        for state in [OrgState::Claimed, OrgState::Uninstalled, OrgState::Quarantined] {
            let closed = close(&known(state, Some("acme")), NOW).unwrap();
            assert_eq!((closed.state, closed.webhook_secrets), (state, vec![]));
        }
    }

    #[test]
    fn a_rotation_keeps_the_newest_two_secrets() {
        let org = rotate(&known(OrgState::Active, None), &secret("b")).unwrap();
        let org = rotate(&org, &secret("c")).unwrap();
        assert_eq!(org.webhook_secrets, [secret("c"), secret("b")]);
        assert_eq!(rotate(&org, &secret("c")), None);
    }
}
