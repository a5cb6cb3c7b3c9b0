//! Orgs.

use jiff::Timestamp;
use salesforce::OrgId;
use serde::Serialize;
use store::{Environment, License, LicenseState, Org, OrgState, SeenCopy, Tenant};

use super::{millis, millis_option};

/// An org.
#[derive(Debug, Serialize)]
pub(crate) struct OrgView {
    org_id: OrgId,
    state: OrgState,
    tenant: Option<Tenant>,
    environment: Environment,
    my_domain_url: Option<String>,
    package_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announced_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<LicenseView>,
    #[serde(serialize_with = "millis")]
    claimed_at: Timestamp,
    #[serde(serialize_with = "millis_option")]
    activated_at: Option<Timestamp>,
}

/// The package's license, as the License Management Org reports it.
#[derive(Debug, Serialize)]
pub(crate) struct LicenseView {
    status: String,
    package_version: Option<String>,
    expires_on: Option<String>,
    #[serde(serialize_with = "millis")]
    modified_at: Timestamp,
}

impl From<License> for LicenseView {
    fn from(license: License) -> Self {
        let LicenseState { modified_at, status, package_version, expires_on, .. } = license.newest;
        Self { status: status.into(), package_version, expires_on, modified_at }
    }
}

/// A copy of an org: another org that a message with this org's webhook secret named.
#[derive(Debug, Serialize)]
pub(crate) struct CopyView {
    org_id: OrgId,
    #[serde(serialize_with = "millis")]
    seen_at: Timestamp,
}

impl From<SeenCopy> for CopyView {
    fn from(SeenCopy { org_id, seen_at }: SeenCopy) -> Self {
        Self { org_id, seen_at }
    }
}

impl From<Org> for OrgView {
    fn from(org: Org) -> Self {
        Self {
            announced_version: org.announced.and_then(|announced| announced.package_version),
            license: org.license.map(LicenseView::from),
            org_id: org.org_id,
            state: org.state,
            tenant: org.tenant,
            environment: org.environment,
            my_domain_url: org.my_domain_url,
            package_version: org.package_version,
            claimed_at: org.claimed_at,
            activated_at: org.activated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_org_view_has_no_webhook_secrets() {
        let org = json!({
            "org_id": "00D000000000001", "state": "active", "tenant": "acme", "environment": "sandbox",
            "webhook_secrets": [], "claimed_at": "1970-01-01T00:00:00.000Z",
            "updated_at": "1970-01-01T00:00:00.000Z", "revision": 3,
        });
        let view = OrgView::from(serde_json::from_value::<Org>(org).unwrap());
        let shown = serde_json::to_value(view).unwrap();
        assert!(shown.get("webhook_secrets").is_none());
        assert_eq!(shown["claimed_at"], "1970-01-01T00:00:00.000Z");
    }
}
