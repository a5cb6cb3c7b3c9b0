//! The types of an org.

use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use super::change_detection::{Edition, PollingChoice};
use super::license::License;
use crate::ids::Tenant;
use crate::webhook_secret::{SecretHash, verify_among};

/// The state of an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgState {
    /// The package reported its installation. Nothing is verified.
    Claimed,
    /// An admin of this org has connected it.
    Active,
    /// The package was removed.
    Uninstalled,
    /// The tenant or the operator ended it. The tenant stays the owner; a new team connection makes it active again.
    Disconnected,
    /// It used another org's webhook secret, so it may be a sandbox copied from that org.
    Quarantined,
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
    /// Production or sandbox, as reported by the package and later by the connection.
    pub environment: Environment,
    /// The org's My Domain URL, as reported by the package. A hint, not a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_domain_url: Option<String>,
    /// The instance on which the org runs, as reported by the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_name: Option<String>,
    /// The edition, as reported by the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_type: Option<String>,
    /// The version of the installed package, as reported by the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// The user who installed the package, as reported by the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installer_id: Option<RecordId>,
    /// The package's last announcement since the org has an owner. Anyone can send one, so it never replaces verified
    /// values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announcement>,
    /// The license of the package in this org, from the License Management Org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<License>,
    /// The reason of the current or last quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
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
    /// The time of the last change.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
    /// The revision of the item. Every write is conditional on the revision that it read.
    pub revision: u64,
}

impl Org {
    /// Returns a claimed org without any reported values.
    #[must_use]
    pub fn claimed(org_id: OrgId, environment: Environment, at: Timestamp) -> Self {
        Self {
            org_id,
            state: OrgState::Claimed,
            tenant: None,
            environment,
            my_domain_url: None,
            instance_name: None,
            organization_type: None,
            package_version: None,
            installer_id: None,
            announced: None,
            license: None,
            quarantine: None,
            edition: None,
            polling: None,
            webhook_secrets: Vec::new(),
            claimed_at: at,
            activated_at: None,
            updated_at: at,
            revision: 1,
        }
    }
}

/// Returns whether `presented` is a live webhook secret of `org`. An unknown org, an org without secrets and a wrong
/// secret cost the same work.
#[must_use]
pub fn verify_webhook_secret(org: Option<&Org>, presented: &str) -> bool {
    verify_among(org.map_or(&[][..], |org| &org.webhook_secrets), presented)
}

/// The package's post-install callout. Anyone can send one: it creates an unknown org, and changes nothing of an org
/// that has an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallClaim {
    /// The OrganizationId.
    pub org_id: OrgId,
    /// Production or sandbox.
    pub environment: Environment,
    /// The org's My Domain URL.
    pub my_domain_url: Option<String>,
    /// The instance on which the org runs.
    pub instance_name: Option<String>,
    /// The edition.
    pub organization_type: Option<String>,
    /// The package's version.
    pub package_version: Option<String>,
    /// The user who installed the package.
    pub installer_id: Option<RecordId>,
    /// The time of arrival.
    pub claimed_at: Timestamp,
}

/// The package's last announcement about an org that has an owner: a hint.
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

/// The reason of a quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The org whose webhook secret this org used. This org is a sandbox copy of it.
    pub copy_of: OrgId,
    /// The time at which the copy was detected.
    #[serde(with = "crate::time::millis")]
    pub since: Timestamp,
    /// The time at which an operator released the org. The same copy is not quarantined again.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
}

/// An org that used the webhook secret of another org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectedCopy {
    /// The org that the message names.
    pub org_id: OrgId,
    /// The org that the secret belongs to.
    pub copy_of: OrgId,
    /// The time of the message.
    pub at: Timestamp,
}

/// The outcome of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The org was unknown, and is claimed now.
    New(Org),
    /// The org was known. The announcement was recorded.
    Updated(Org),
    /// The org was known. Nothing changed.
    Unchanged(Org),
}

/// A request to activate an org, after a consent for its team connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationRequest {
    /// The org that connected.
    pub org_id: OrgId,
    /// The tenant that it connected for.
    pub tenant: Tenant,
    /// The login host that was used.
    pub environment: Environment,
    /// The hash of a new webhook secret, stored only if the org becomes active by this request.
    pub webhook_secret: SecretHash,
    /// The current time.
    pub now: Timestamp,
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
}
