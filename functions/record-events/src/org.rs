//! The event of an org's change, if it has one.

use serde::Serialize;
use store::{BusEvent, License, Org, OrgState};

/// The kind of an org's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The org's state changed.
    State(OrgState),
    /// The package's license changed.
    LicenseChanged,
}

impl Kind {
    /// The event's type, and the `DetailType` that rules on the bus match.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::State(OrgState::Claimed) => "org.claimed",
            Self::State(OrgState::Active) => "org.active",
            Self::State(OrgState::Uninstalled) => "org.uninstalled",
            Self::State(OrgState::Disconnected) => "org.disconnected",
            Self::State(OrgState::Quarantined) => "org.quarantined",
            Self::LicenseChanged => "org.license_changed",
        }
    }
}

/// Compares an org before and after; `None` without an event, as for a new webhook secret or an install notice.
#[must_use]
pub fn compare(old: Option<&Org>, new: &Org) -> Option<Kind> {
    if old.map(|old| old.state) != Some(new.state) {
        return Some(Kind::State(new.state));
    }
    let license = |org: &Org| org.license.as_ref().map(shown);
    (old.and_then(license) != license(new)).then_some(Kind::LicenseChanged)
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
    copy_of: Option<String>,
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
    let copied = org.quarantine.as_ref().filter(|_| org.state == OrgState::Quarantined);
    let data = Data {
        org_id: org.org_id.to_string(),
        tenant: org.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()),
        state: org.state,
        environment: org.environment,
        package_version: org.package_version.clone(),
        license: org.license.as_ref().map(shown),
        copy_of: copied.map(|quarantine| quarantine.copy_of.to_string()),
    };
    let mut event = BusEvent::new(org.org_id, kind.name(), format!("orgs/{}", org.org_id), change_id);
    event.time = org.updated_at;
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use store::{Environment, LicenseState, LicenseStatus, Quarantine, SecretHash};

    use super::*;

    fn org(state: OrgState) -> Org {
        let org = Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, Timestamp::UNIX_EPOCH);
        Org { state, ..org }
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
            (OrgState::Claimed, "org.claimed"),
            (OrgState::Active, "org.active"),
            (OrgState::Uninstalled, "org.uninstalled"),
            (OrgState::Disconnected, "org.disconnected"),
            (OrgState::Quarantined, "org.quarantined"),
        ] {
            assert_eq!(compare(None, &org(state)).unwrap().name(), name);
            assert_eq!(compare(Some(&org(state)), &org(state)), None);
        }
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

    #[test]
    fn a_quarantine_names_the_original() {
        let copy_of = "00D79000000exLEEAY".parse().unwrap();
        let quarantine = Some(Quarantine { copy_of, since: Timestamp::UNIX_EPOCH, released_at: None });
        let copy = Org { quarantine, ..org(OrgState::Quarantined) };
        let published = event(&copy, compare(None, &copy).unwrap(), "e");
        assert_eq!(
            (published.kind.as_str(), &published.data["copy_of"]),
            ("org.quarantined", &json!("00D79000000exLEEAY"))
        );
        let released = Org { state: OrgState::Claimed, ..copy };
        assert_eq!(event(&released, Kind::State(OrgState::Claimed), "e").data.get("copy_of"), None);
    }
}
