//! The types of an org.

use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::ids::Tenant;
use crate::webhook_secret::{SecretHash, verify_among};

/// The state of an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgState {
    /// The package announced its installation, or a license message reported it. No tenant is known.
    Claimed,
    /// An admin of this org has connected it.
    Active,
    /// The package was removed.
    Uninstalled,
    /// The tenant or the operator ended it. The tenant stays the owner; a new team connection makes it active again.
    Disconnected,
    /// Earlier versions held an org in this state that had sent messages with another org's webhook secret. No org
    /// enters it any more; a team connection leaves it.
    Quarantined,
}

impl OrgState {
    /// Returns the name, as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Active => "active",
            Self::Uninstalled => "uninstalled",
            Self::Disconnected => "disconnected",
            Self::Quarantined => "quarantined",
        }
    }
}

/// The login host of an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// `login.salesforce.com`.
    Production,
    /// `test.salesforce.com`.
    Sandbox,
}

/// An org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Org {
    /// The OrganizationId.
    pub org_id: OrgId,
    /// The state.
    pub state: OrgState,
    /// The owner; `None` until the org is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// The time at which the current owner became the owner; `None` for an org without an owner, and for a row of a
    /// version that did not store it. Rows of other tables that another tenant made before are not served.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub bound_at: Option<Timestamp>,
    /// Production or sandbox: as the claim had it until the org is active, then as the org itself reported it.
    pub environment: Environment,
    /// The org's My Domain URL, from the token response of its team connection. Announcements do not set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_domain_url: Option<String>,
    /// The version of the installed package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// The package's last announcement. Anyone can send one, so it never replaces another value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announcement>,
    /// The license of the package in this org, from the License Management Org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<License>,
    /// The reason of a quarantine by an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// The orgs whose messages arrived with this org's webhook secret, the last seen first, at most [`MAX_COPIES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<SeenCopy>,
    /// The edition, as reported by the org itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<Edition>,
    /// An operator's choice of polling; `None` leaves it to the edition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling: Option<PollingChoice>,
    /// The live webhook secrets, newest first, at most [`crate::webhook_secret::MAX_LIVE`].
    #[serde(default)]
    pub webhook_secrets: Vec<SecretHash>,
    /// The time of the first claim.
    #[serde(with = "crate::time::millis")]
    pub claimed_at: Timestamp,
    /// The time at which it last became active.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// The time at which it was closed: disconnected, or its package removed. `None` while it is active, and in rows of
    /// earlier versions.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The time at which its data were erased, unless it was connected again since.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// The time of the last erasure before the org was activated again; `None` if there was none, and for a row of a version that
    /// did not store it. What was read before is not published.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub last_erased_at: Option<Timestamp>,
    /// The time of the last change.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
    /// The time at which DynamoDB may delete the item, for claims that nothing authenticated. Stored in whole seconds
    /// since 1970, as DynamoDB requires.
    #[serde(default, with = "jiff::fmt::serde::timestamp::second::optional", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The revision of the item. Every write is conditional on the revision that it read.
    pub revision: u64,
}

impl Org {
    /// Returns a claimed org without any reported values, which does not expire.
    #[must_use]
    pub fn claimed(org_id: OrgId, environment: Environment, at: Timestamp) -> Self {
        Self {
            org_id,
            state: OrgState::Claimed,
            tenant: None,
            bound_at: None,
            environment,
            my_domain_url: None,
            package_version: None,
            announced: None,
            license: None,
            quarantine: None,
            copies: Vec::new(),
            edition: None,
            polling: None,
            webhook_secrets: Vec::new(),
            claimed_at: at,
            activated_at: None,
            closed_at: None,
            erased_at: None,
            last_erased_at: None,
            updated_at: at,
            expires_at: None,
            revision: 1,
        }
    }

    /// Returns whether the org is a claim that has expired. DynamoDB deletes such an item within days; until then it
    /// counts as absent.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// Returns whether `presented` is a live webhook secret of `org`. An unknown org, an org without secrets and a wrong
/// secret cost the same work.
#[must_use]
pub fn verify_webhook_secret(org: Option<&Org>, presented: &str) -> bool {
    verify_among(org.map_or(&[][..], |org| &org.webhook_secrets), presented)
}

/// The package's post-install callout. Anyone can send one: it creates an unknown org, and of a known one it changes
/// only what was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallClaim {
    /// The OrganizationId.
    pub org_id: OrgId,
    /// Production or sandbox, for an org that is unknown.
    pub environment: Environment,
    /// The announcement.
    pub announcement: Announcement,
}

/// An announcement of the package about the org in which it is installed: a hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The version of the installed package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// The edition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_type: Option<String>,
    /// The instance on which the org runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_name: Option<String>,
    /// The time of arrival.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
}

/// The reason of a quarantine by an earlier version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The org whose webhook secret this org used.
    pub copy_of: OrgId,
    /// The time at which the copy was detected.
    #[serde(with = "crate::time::millis")]
    pub since: Timestamp,
    /// The time at which an operator released the org.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
}

/// An org that a message named although it arrived with another org's webhook secret: most often a sandbox, which is
/// created with a copy of production's settings. Only the holder of the secret can have sent it; that the named org
/// sent it is not proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCopy {
    /// The org that the message named.
    pub org_id: OrgId,
    /// The time of the last message that was noted.
    #[serde(with = "crate::time::millis")]
    pub seen_at: Timestamp,
}

/// The edition of an org, as reported over its team connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// `Organization.OrganizationType`.
    pub organization_type: String,
    /// `true` if the org rejected a query for its outbound messages, because it has none.
    #[serde(default, rename = "knows_no_messages")]
    pub outbound_messages_unsupported: bool,
    /// The time of the report.
    #[serde(with = "crate::time::millis")]
    pub proven_at: Timestamp,
}

/// An operator's choice of polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollingChoice {
    /// `true` if the org is polled, whatever its edition.
    pub on: bool,
    /// The time of the choice.
    #[serde(with = "crate::time::millis")]
    pub since: Timestamp,
}

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

/// The number of copies that an org's item names.
pub const MAX_COPIES: usize = 10;

/// A request to activate an org, after a consent for its team connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationRequest {
    /// The org that connected.
    pub org_id: OrgId,
    /// The tenant that it connected for.
    pub tenant: Tenant,
    /// The right of the consent to give the org an owner.
    pub right: BindingRight,
    /// Production or sandbox, as the org reported it; if it did not, the login host that was used.
    pub environment: Environment,
    /// The base URL of the org's API, from the token response.
    pub my_domain_url: Option<String>,
    /// The hash of a new webhook secret, stored only if the org becomes active by this request.
    pub webhook_secret: SecretHash,
    /// The current time.
    pub now: Timestamp,
}

/// The right of a consent for a team connection to give an org an owner, from the least to the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BindingRight {
    /// None, because the user is not an administrator of the org. The org must belong to the tenant already.
    None,
    /// To an org without an owner.
    Unowned,
    /// Also to an org that another tenant has left: the user sees all that is mirrored, and that tenant has no live
    /// connection.
    Left,
}

/// The outcome of an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The org became active, with the given webhook secret.
    Activated(Org),
    /// The org was already active for this tenant. The given webhook secret was not stored.
    AlreadyActive(Org),
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::webhook_secret::WebhookSecret;

    #[test]
    fn only_an_org_with_the_secret_verifies_it() {
        let secret = WebhookSecret::generate(&mut StdRng::seed_from_u64(1));
        let now = Timestamp::UNIX_EPOCH;
        let without = Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, now);
        let with = Org { webhook_secrets: vec![secret.hash(now)], ..without.clone() };
        assert!(verify_webhook_secret(Some(&with), secret.reveal()));
        assert!(!verify_webhook_secret(Some(&with), ""));
        assert!(!verify_webhook_secret(Some(&without), secret.reveal()));
        assert!(!verify_webhook_secret(None, secret.reveal()));
    }

    #[test]
    fn orgs_stored_by_version_0_1_0_are_read() {
        let times =
            serde_json::json!({"claimed_at": "2026-11-22T10:00:00.000Z", "updated_at": "2026-11-22T10:00:00.000Z"});
        let read = |row: serde_json::Value| {
            let mut row = row;
            row.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            serde_json::from_value::<Org>(row).unwrap()
        };
        let claimed = read(serde_json::json!({
            "org_id": "00D5e000000KQ2eEAG", "state": "claimed", "environment": "production", "revision": 2,
            "my_domain_url": "https://acme.my.salesforce.com", "instance_name": "NA1",
            "organization_type": "Enterprise Edition", "package_version": "1.0", "installer_id": "0055e000001mKpCAAU",
            "announced": {"package_version": "1.1", "at": "2026-11-22T10:00:00.000Z"}, "webhook_secrets": [],
        }));
        assert_eq!((claimed.state, claimed.expires_at, claimed.copies.len()), (OrgState::Claimed, None, 0));
        assert!(!claimed.has_expired(Timestamp::MAX));
        let copy = read(serde_json::json!({
            "org_id": "00D79000000exLEEAY", "state": "quarantined", "environment": "sandbox", "revision": 1,
            "quarantine": {"copy_of": "00D5e000000KQ2eEAG", "since": "2026-11-22T10:00:00.000Z"},
        }));
        assert_eq!((copy.state, copy.quarantine.unwrap().copy_of), (OrgState::Quarantined, claimed.org_id));
    }

    #[test]
    fn the_expiry_is_stored_as_dynamodb_requires() {
        let org = Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, Timestamp::UNIX_EPOCH);
        let expires_at = Some(Timestamp::from_second(1_795_342_530).unwrap());
        let expiring = Org { expires_at, ..org.clone() };
        let stored: serde_dynamo::Item = serde_dynamo::to_item(&expiring).unwrap();
        assert_eq!(stored.get("expires_at"), Some(&serde_dynamo::AttributeValue::N("1795342530".to_owned())));
        assert_eq!(serde_dynamo::from_item::<_, Org>(stored).unwrap(), expiring);
        let kept: serde_dynamo::Item = serde_dynamo::to_item(&org).unwrap();
        assert!(!kept.contains_key("expires_at"));
    }
}
