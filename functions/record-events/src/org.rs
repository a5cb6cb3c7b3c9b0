//! The event of an org's change, if it has one.

use serde::Serialize;
use store::{BusEvent, EventKind, License, Org, OrgState, SeenCopy};

/// The kind of an org's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The org's state changed.
    State(OrgState),
    /// The package's license changed.
    LicenseChanged,
    /// A message with the org's webhook secret named another org, which is not known as a copy yet.
    CopyDetected,
    /// The org's data were erased.
    Erased,
}

impl Kind {
    /// Returns the type of the event.
    #[must_use]
    pub fn event_kind(self) -> EventKind {
        match self {
            Self::State(OrgState::Claimed) => EventKind::OrgClaimed,
            Self::State(OrgState::Active) => EventKind::OrgActive,
            Self::State(OrgState::Uninstalled) => EventKind::OrgUninstalled,
            Self::State(OrgState::Disconnected | OrgState::Quarantined) => EventKind::OrgDisconnected,
            Self::LicenseChanged => EventKind::OrgLicenseChanged,
            Self::CopyDetected => EventKind::OrgCopyDetected,
            Self::Erased => EventKind::OrgErased,
        }
    }
}

/// Compares an org before and after; `None` without an event, as for a new webhook secret or an install notice.
///
/// An org is `claimed` for its events once a message of the License Management Org has named it: anyone can announce an
/// install, so a claim without a license makes no event.
#[must_use]
pub fn compare(old: Option<&Org>, new: &Org) -> Option<Kind> {
    let state = |org: &Org| match org.state {
        OrgState::Claimed if org.license.is_none() => None,
        // Earlier versions held orgs in this state; no org enters it.
        OrgState::Quarantined => None,
        state => Some(state),
    };
    if let Some(published) = state(new).filter(|published| old.and_then(state) != Some(*published)) {
        return Some(Kind::State(published));
    }
    if old.is_some_and(|old| old.erased_at.is_none()) && new.erased_at.is_some() {
        return Some(Kind::Erased);
    }
    let license = |org: &Org| org.license.as_ref().map(shown);
    if old.and_then(license) != license(new) {
        return Some(Kind::LicenseChanged);
    }
    let knows = |copy: &SeenCopy| old.is_some_and(|old| old.copies.iter().any(|known| known.org_id == copy.org_id));
    new.copies.iter().any(|copy| !knows(copy)).then_some(Kind::CopyDetected)
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data {
    org_id: String,
    tenant: Option<String>,
    state: OrgState,
    environment: store::Environment,
    package_version: Option<String>,
    license: Option<LicenseData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copies: Option<Vec<CopyData>>,
}

#[derive(Debug, Serialize)]
struct CopyData {
    org_id: String,
    seen_at: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct LicenseData {
    status: String,
    package_version: Option<String>,
    expires_on: Option<String>,
    is_sandbox: bool,
}

fn shown(license: &License) -> LicenseData {
    let newest = &license.newest;
    LicenseData {
        status: newest.status.as_str().to_owned(),
        package_version: newest.package_version.clone(),
        expires_on: newest.expires_on.clone(),
        is_sandbox: newest.is_sandbox,
    }
}

/// Builds the event of a change. It has neither a secret nor a hash.
///
/// `change_id` identifies the change, so that the same change published twice is the same event.
#[must_use]
pub fn event(org: &Org, kind: Kind, change_id: &str) -> BusEvent {
    let copies = org
        .copies
        .iter()
        .map(|copy| CopyData { org_id: copy.org_id.to_string(), seen_at: store::time::format(copy.seen_at) });
    let data = Data {
        org_id: org.org_id.to_string(),
        tenant: org.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()),
        state: org.state,
        environment: org.environment,
        package_version: org.package_version.clone(),
        license: org.license.as_ref().map(shown),
        copies: (kind == Kind::CopyDetected).then(|| copies.collect()),
    };
    let mut event = BusEvent::new(org.org_id, kind.event_kind(), format!("orgs/{}", org.org_id), change_id);
    event.time = org.updated_at;
    event.sequence = Some(store::time::format(org.updated_at));
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use store::{Environment, LicenseState, LicenseStatus, SecretHash};

    use super::*;

    fn org(state: OrgState) -> Org {
        let org = Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, Timestamp::UNIX_EPOCH);
        Org { state, ..org }
    }

    fn licensed_in(state: OrgState) -> Org {
        Org { state, ..licensed(LicenseStatus::Active) }
    }

    fn licensed(status: LicenseStatus) -> Org {
        let newest = LicenseState {
            modified_at: Timestamp::UNIX_EPOCH,
            status,
            license_id: "a0a5e00000AbCdEAAV".parse().unwrap(),
            package_version: None,
            expires_on: None,
            is_sandbox: false,
        };
        Org { license: Some(License { newest, uninstalled_at: None }), ..org(OrgState::Active) }
    }

    #[test]
    fn every_state_has_its_event() {
        for (state, name) in [
            (OrgState::Claimed, EventKind::OrgClaimed),
            (OrgState::Active, EventKind::OrgActive),
            (OrgState::Uninstalled, EventKind::OrgUninstalled),
            (OrgState::Disconnected, EventKind::OrgDisconnected),
        ] {
            assert_eq!(compare(None, &licensed_in(state)).unwrap().event_kind(), name);
            assert_eq!(compare(Some(&licensed_in(state)), &licensed_in(state)), None);
        }
    }

    #[test]
    fn an_anonymous_claim_makes_no_event() {
        let claim = Org { expires_at: Some(Timestamp::MAX), ..org(OrgState::Claimed) };
        assert_eq!(compare(None, &claim), None);
        let announced = Org { updated_at: Timestamp::MAX, revision: 2, ..claim.clone() };
        assert_eq!(compare(Some(&claim), &announced), None);
        assert_eq!(compare(Some(&org(OrgState::Quarantined)), &claim), None, "a release by an earlier version");
    }

    #[test]
    fn a_license_proves_the_claim() {
        let claim = org(OrgState::Claimed);
        let proven = licensed_in(OrgState::Claimed);
        assert_eq!(compare(Some(&claim), &proven), Some(Kind::State(OrgState::Claimed)));
        assert_eq!(compare(Some(&proven), &org(OrgState::Active)), Some(Kind::State(OrgState::Active)));
        assert_eq!(compare(Some(&claim), &org(OrgState::Active)), Some(Kind::State(OrgState::Active)));
    }

    #[test]
    fn each_new_copy_is_published_once() {
        let copy = |id: &str, second| SeenCopy {
            org_id: id.parse().unwrap(),
            seen_at: Timestamp::from_second(second).unwrap(),
        };
        let with = |copies: &[SeenCopy]| Org { copies: copies.to_vec(), ..org(OrgState::Active) };
        let (first, again, other) =
            (copy("00D79000000exLEEAY", 1), copy("00D79000000exLEEAY", 90), copy("00D79000000exLF", 200));
        let detected = Some(Kind::CopyDetected);
        assert_eq!(compare(Some(&with(&[])), &with(std::slice::from_ref(&first))), detected);
        assert_eq!(compare(Some(&with(std::slice::from_ref(&first))), &with(std::slice::from_ref(&again))), None);
        assert_eq!(
            compare(Some(&with(std::slice::from_ref(&again))), &with(&[other.clone(), again.clone()])),
            detected
        );
        assert_eq!(compare(Some(&with(&[other, again])), &with(std::slice::from_ref(&first))), None, "one was evicted");
        let published = event(&with(&[first]), Kind::CopyDetected, "e");
        assert_eq!(published.kind, EventKind::OrgCopyDetected);
        let copies = json!([{"org_id": "00D79000000exLEEAY", "seen_at": "1970-01-01T00:00:01.000Z"}]);
        assert_eq!(published.data["copies"], copies);
        assert_eq!(event(&org(OrgState::Active), Kind::State(OrgState::Active), "e").data.get("copies"), None);
    }

    #[test]
    fn an_erasure_is_published_once() {
        let before = org(OrgState::Disconnected);
        let after = Org { erased_at: Some(Timestamp::UNIX_EPOCH), ..before.clone() };
        assert_eq!(compare(Some(&before), &after).map(Kind::event_kind), Some(EventKind::OrgErased));
        assert_eq!(compare(Some(&after), &Org { revision: 2, ..after.clone() }), None);
    }

    #[test]
    fn a_suspended_license_is_published() {
        let (before, after) = (licensed(LicenseStatus::Active), licensed(LicenseStatus::Suspended));
        assert_eq!(compare(Some(&before), &after), Some(Kind::LicenseChanged));
        assert_eq!(compare(Some(&org(OrgState::Active)), &before), Some(Kind::LicenseChanged));
        assert_eq!(compare(Some(&after), &after), None);
        assert_eq!(event(&after, Kind::LicenseChanged, "e").data["license"]["status"], "Suspended");
    }

    #[test]
    fn a_new_webhook_secret_makes_no_event() {
        let secret = SecretHash { sha256: "a-hash".to_owned(), created_at: Timestamp::UNIX_EPOCH };
        let rotated = Org { webhook_secrets: vec![secret], revision: 2, ..org(OrgState::Active) };
        assert_eq!(compare(Some(&org(OrgState::Active)), &rotated), None);
        let published = event(&rotated, Kind::State(OrgState::Active), "e");
        assert!(!serde_json::to_string(&published).unwrap().contains("a-hash"));
    }
}
