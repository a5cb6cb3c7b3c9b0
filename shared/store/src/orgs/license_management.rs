//! The vendor's License Management Org: one item of the `orgs` table, never listed with the customers' orgs.

use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use super::Orgs;
use crate::Error;
use crate::table::{Conditional, Expression, key, number, to_item};
use crate::webhook_secret::{MAX_LIVE, SecretHash, verify_among};

/// The key of the item. It is not an OrganizationId.
pub const KEY: &str = "license-management";

/// The registered License Management Org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseManagement {
    /// [`KEY`].
    #[serde(rename = "org_id")]
    item: String,
    /// The vendor's org, which sends the notices. Their content names the customer's org.
    pub license_management_org: OrgId,
    /// The vendor's package (the record of `sfLma__Package__c`) that notices must be about; `None` accepts any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<RecordId>,
    /// The live secrets of the webhook address, newest first, at most [`MAX_LIVE`].
    pub webhook_secrets: Vec<SecretHash>,
    /// The revision of the item. Every write is conditional on the revision that it read.
    revision: u64,
}

impl LicenseManagement {
    /// Returns the registration with a new secret. It keeps the newest secret of the same org.
    #[must_use]
    pub fn registered(before: Option<&Self>, org: OrgId, package: Option<RecordId>, secret: SecretHash) -> Self {
        let mut webhook_secrets = vec![secret];
        let same = before.filter(|before| before.license_management_org == org);
        webhook_secrets.extend(same.into_iter().flat_map(|before| before.webhook_secrets.iter().cloned()));
        webhook_secrets.truncate(MAX_LIVE);
        let revision = before.map_or(0, |before| before.revision).saturating_add(1);
        Self { item: KEY.to_owned(), license_management_org: org, package, webhook_secrets, revision }
    }
}

/// Returns whether `org` and `presented` are the License Management Org's id and one of its live secrets. The work is
/// the same without a registration and for another org.
#[must_use]
pub fn verify_sender(registered: Option<&LicenseManagement>, org: Option<OrgId>, presented: &str) -> bool {
    let right = registered.filter(|registered| org == Some(registered.license_management_org));
    verify_among(right.map_or(&[][..], |registered| &registered.webhook_secrets), presented)
}

impl Orgs {
    /// Returns the License Management Org, or `None` if none is registered.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load_license_management(&self) -> Result<Option<LicenseManagement>, Error> {
        self.table.get("load the License Management Org", key([("org_id", KEY)])).await
    }

    /// Registers the License Management Org with a new secret.
    ///
    /// # Errors
    /// [`Error::Conflict`] on a concurrent registration.
    pub async fn register_license_management(
        &self,
        org: OrgId,
        package: Option<RecordId>,
        secret: SecretHash,
    ) -> Result<LicenseManagement, Error> {
        let operation = "register the License Management Org";
        let before = self.load_license_management().await?;
        let next = LicenseManagement::registered(before.as_ref(), org, package, secret);
        let seen = before.map_or(0, |before| before.revision);
        let when = Expression {
            text: "attribute_not_exists(#org_id) OR #revision = :seen",
            values: vec![(":seen", number(seen))],
        };
        match self.table.put(operation, to_item(operation, &next)?, when).await? {
            Conditional::Done(()) => Ok(next),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::webhook_secret::WebhookSecret;

    fn vendor() -> OrgId {
        "00D5e000000KQ2eEAG".parse().unwrap()
    }

    fn secrets() -> [WebhookSecret; 3] {
        let mut rng = StdRng::seed_from_u64(1);
        std::array::from_fn(|_| WebhookSecret::generate(&mut rng))
    }

    fn registered(before: Option<&LicenseManagement>, secret: &WebhookSecret) -> LicenseManagement {
        LicenseManagement::registered(before, vendor(), None, secret.hash(Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn the_newest_two_secrets_are_accepted() {
        let [first, second, third] = secrets();
        let all = registered(Some(&registered(Some(&registered(None, &first)), &second)), &third);
        assert!(verify_sender(Some(&all), Some(vendor()), third.reveal()));
        assert!(verify_sender(Some(&all), Some(vendor()), second.reveal()));
        assert!(!verify_sender(Some(&all), Some(vendor()), first.reveal()));
    }

    #[test]
    fn other_orgs_and_secrets_are_rejected() {
        let [secret, other, _] = secrets();
        let known = registered(None, &secret);
        let customer = "00D79000000exLEEAY".parse().unwrap();
        for (registered, org, presented) in [
            (None, Some(vendor()), secret.reveal()),
            (Some(&known), None, secret.reveal()),
            (Some(&known), Some(customer), secret.reveal()),
            (Some(&known), Some(vendor()), other.reveal()),
            (Some(&known), Some(vendor()), ""),
        ] {
            assert!(!verify_sender(registered, org, presented));
        }
    }

    #[test]
    fn another_org_starts_with_one_secret() {
        let [first, second, _] = secrets();
        let customer = "00D79000000exLEEAY".parse().unwrap();
        let known = registered(None, &first);
        let moved = LicenseManagement::registered(Some(&known), customer, None, second.hash(Timestamp::UNIX_EPOCH));
        assert_eq!(moved.webhook_secrets.len(), 1);
    }
}
