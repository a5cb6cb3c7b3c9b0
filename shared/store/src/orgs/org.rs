//! An org, and what is said of it.

use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use super::change_detection::{Edition, PollingChoice};
use super::license::License;
use crate::ids::Tenant;
use crate::webhook_secret::{SecretHash, verify_among};

/// Where an org stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgState {
    /// The package says that it is installed. Nothing is believed yet.
    Claimed,
    /// An admin of this very org has connected.
    Active,
    /// The package was removed.
    Uninstalled,
    /// The tenant or the operator ended it. It stays the tenant's, and a new team connection makes it active again.
    Disconnected,
    /// Something is wrong with its identity, for example a sandbox made from another org's settings.
    Quarantined,
}

/// Which login host an org uses.
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
    /// Salesforce's OrganizationId.
    pub org_id: OrgId,
    /// Where it stands.
    pub state: OrgState,
    /// Whose it is; nobody's until it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// Production or sandbox, as claimed and then as connected.
    pub environment: Environment,
    /// The org's own host, as the package gave it. A hint, never a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_domain_url: Option<String>,
    /// Salesforce's name for where the org runs, as the package gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_name: Option<String>,
    /// Its edition, as the package gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_type: Option<String>,
    /// The installed package's version, as the package gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// Who installed it, as the package gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installer_id: Option<RecordId>,
    /// What the package announced since the org has an owner. Anyone can send an announcement, so it is kept beside what is
    /// known and never instead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announcement>,
    /// What the License Management Org says of the package in this org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<License>,
    /// Why it is or was quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// Its edition, as it said itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<Edition>,
    /// Whether an operator wants it polled or not; by its edition where nobody decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling: Option<PollingChoice>,
    /// The live webhook secrets, newest first, at most [`crate::webhook_secret::MAX_LIVE`].
    #[serde(default)]
    pub webhook_secrets: Vec<SecretHash>,
    /// When it was first heard of.
    #[serde(with = "crate::time::millis")]
    pub claimed_at: Timestamp,
    /// When it last became active.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// When anything here last changed.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
    /// Counts the changes; every write names the one that it read.
    pub revision: u64,
}

impl Org {
    /// A claimed org of which nothing is known.
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

/// Whether `presented` is a live webhook secret of `org`. An unknown org, an org without secrets and a wrong secret cost the
/// same work, and none stops early.
#[must_use]
pub fn verify_webhook_secret(org: Option<&Org>, presented: &str) -> bool {
    verify_among(org.map_or(&[][..], |org| &org.webhook_secrets), presented)
}

/// What the package's post-install callout says. Anyone can send one: it makes an unknown org known, and changes nothing of one
/// that has an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallClaim {
    /// Salesforce's OrganizationId.
    pub org_id: OrgId,
    /// Production or sandbox.
    pub environment: Environment,
    /// The org's own host.
    pub my_domain_url: Option<String>,
    /// Where the org runs.
    pub instance_name: Option<String>,
    /// Its edition.
    pub organization_type: Option<String>,
    /// The package's version.
    pub package_version: Option<String>,
    /// Who installed it.
    pub installer_id: Option<RecordId>,
    /// When the callout arrived.
    pub claimed_at: Timestamp,
}

/// What the package last announced of an org that has an owner: a hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The installed package's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// The org's edition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_type: Option<String>,
    /// Salesforce's name for where the org runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_name: Option<String>,
    /// When it was announced.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
}

/// Why an org is quarantined, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The org whose webhook secret this one has: it is a copy of it, a sandbox.
    pub copy_of: OrgId,
    /// When it was noticed.
    #[serde(with = "crate::time::millis")]
    pub since: Timestamp,
    /// When an operator released it. It is not quarantined for the same copy again.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
}

/// An org that used the webhook secret of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectedCopy {
    /// The org that the message names.
    pub org_id: OrgId,
    /// The org whose secret it used.
    pub copy_of: OrgId,
    /// When.
    pub at: Timestamp,
}

/// What a claim came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The org was not known; now it is claimed.
    New(Org),
    /// The org was known, and what is announced of it was noted.
    Updated(Org),
    /// The org was known, and is as it was.
    Unchanged(Org),
}

/// A team connection's proof that its org is the tenant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationRequest {
    /// The org that connected.
    pub org_id: OrgId,
    /// The tenant it connected for.
    pub tenant: Tenant,
    /// The login host that it used.
    pub environment: Environment,
    /// A fresh webhook secret's hash, taken if the org becomes active by this.
    pub webhook_secret: SecretHash,
    /// When.
    pub now: Timestamp,
}

/// What an activation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The org became active, and the given webhook secret is live.
    Activated(Org),
    /// The tenant's org was active already; the given webhook secret was not taken.
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
