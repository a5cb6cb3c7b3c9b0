//! Orgs that installed Ferry's package, from the claim to the uninstallation.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::OrgId;

use crate::Error;
use crate::ids::Tenant;
use crate::table::{Conditional, Expression, Table, from_item, from_items, key, number, to_item};
use crate::webhook_secret::SecretHash;

pub mod change_detection;
pub mod license;
pub mod license_management;
mod org;
pub mod rule;

pub use change_detection::{ChangeDetection, DetectionMethod, DetectionReason, Edition, PollingChoice};
pub use license::{License, LicenseNotice, LicenseState, LicenseStatus};
pub use license_management::LicenseManagement;
pub use org::{
    Activation, ActivationRequest, Announcement, ClaimOutcome, DetectedCopy, Environment, InstallClaim, Org, OrgState,
    Quarantine, verify_webhook_secret,
};

/// The `orgs` table.
#[derive(Clone, Debug)]
pub struct Orgs {
    table: Table,
}

/// A page of a tenant's orgs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgPage {
    /// The orgs.
    pub orgs: Vec<Org>,
    /// The org after which the next page starts; `None` at the end.
    pub next: Option<OrgId>,
}

impl Orgs {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Stores a new org as claimed, or records the announcement of a known one.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn claim(&self, claim: &InstallClaim) -> Result<ClaimOutcome, Error> {
        let org = rule::claimed(claim);
        let when = Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() };
        if let Conditional::Done(()) = self.table.put("claim the org", to_item("claim the org", &org)?, when).await? {
            return Ok(ClaimOutcome::New(org));
        }
        let step = |existing: Option<&Org>| Ok(rule::announce(existing, claim));
        Ok(match self.change("record the announcement", claim.org_id, step).await? {
            Changed::Stored(org) => ClaimOutcome::Updated(org),
            Changed::Unchanged(org) => ClaimOutcome::Unchanged(org),
        })
    }

    /// Applies a notice of the License Management Org. The order and number of notices do not matter.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn apply_license(&self, notice: &LicenseNotice, now: Timestamp) -> Result<Org, Error> {
        let step = |existing: Option<&Org>| Ok(license::with_notice(existing, notice, now));
        self.change("apply the license notice", notice.org_id, step).await.map(Changed::into_org)
    }

    /// Quarantines an org that used another org's webhook secret, unless it has an owner. Returns whether it was
    /// quarantined.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn quarantine(&self, copy: &DetectedCopy) -> Result<bool, Error> {
        let step = |existing: Option<&Org>| Ok(rule::quarantine(existing, copy));
        let changed = self.change("quarantine the org", copy.org_id, step).await?;
        Ok(matches!(changed, Changed::Stored(_)))
    }

    /// Releases the org from quarantine. It may then be connected.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn release(&self, org: OrgId, now: Timestamp) -> Result<Org, Error> {
        self.change_existing("release the org", org, |known| rule::release(known, now)).await
    }

    /// Makes the tenant the owner of the org, and the org active. The team connection is the proof, so the org need not
    /// have been claimed.
    ///
    /// # Errors
    /// [`Error::OwnedByAnotherTenant`]; [`Error::Quarantined`].
    pub async fn activate(&self, activate: &ActivationRequest) -> Result<Activation, Error> {
        let org = activate.org_id;
        let step = |existing: Option<&Org>| rule::activate(existing, activate).map_err(|refusal| refusal.error(org));
        match self.change("activate the org", org, step).await? {
            Changed::Stored(org) => Ok(Activation::Activated(org)),
            Changed::Unchanged(org) => Ok(Activation::AlreadyActive(org)),
        }
    }

    /// Returns the org, or `None` if it is unknown.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId) -> Result<Option<Org>, Error> {
        self.table.get("load the org", key([("org_id", org.as_str())])).await
    }

    /// Returns the orgs of a tenant, in the order of their ids. An org that was activated a moment ago may be missing.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_by_tenant(&self, tenant: &Tenant) -> Result<Vec<Org>, Error> {
        let partition = ("tenant", tenant.as_str());
        let mut orgs: Vec<Org> = self.table.query_index("list the tenant's orgs", "by_tenant", partition).await?;
        orgs.sort_by(|a, b| a.org_id.as_str().cmp(b.org_id.as_str()));
        Ok(orgs)
    }

    /// Returns a page of a tenant's orgs in any state, in the order of the index, from after the org `after`. An org that was
    /// activated a moment ago may be missing.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn page_of_tenant(&self, tenant: &Tenant, after: Option<OrgId>, limit: u16) -> Result<OrgPage, Error> {
        let operation = "list the tenant's orgs";
        let start = after.map(|org| key([("tenant", tenant.as_str()), ("org_id", org.as_str())]));
        let query = self.table.query_partition(("tenant", tenant.as_str())).index_name("by_tenant");
        let query = query.limit(i32::from(limit.max(1))).set_exclusive_start_key(start);
        let page = query.send().await.map_err(Error::aws(operation))?;
        let orgs: Vec<Org> = from_items(operation, page.items.unwrap_or_default())?;
        let next = page.last_evaluated_key.and_then(|_| orgs.last().map(|org| org.org_id));
        Ok(OrgPage { orgs, next })
    }

    /// Returns every org, in no order. Reads the whole table.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self) -> Result<Vec<Org>, Error> {
        self.table.scan_except("list the orgs", ("org_id", license_management::KEY)).await
    }

    /// Returns every active org, in no order. Reads the whole table.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_active(&self) -> Result<Vec<Org>, Error> {
        let orgs = self.list().await?;
        Ok(orgs.into_iter().filter(|org| org.state == OrgState::Active).collect())
    }

    /// Returns every active org that is polled, in no order. Reads the whole table.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_polled(&self) -> Result<Vec<Org>, Error> {
        let orgs = self.list().await?;
        Ok(orgs.into_iter().filter(Org::is_polled).collect())
    }

    /// Stores the edition that the org reported over its team connection.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn record_edition(&self, org: OrgId, edition: &Edition) -> Result<Org, Error> {
        let operation = "record the org's edition";
        self.change_existing(operation, org, |known| change_detection::with_edition(known, edition.clone())).await
    }

    /// Stores an operator's choice of polling; `None` leaves it to the edition.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_polling(&self, org: OrgId, on: Option<bool>, now: Timestamp) -> Result<Org, Error> {
        let operation = "set the polling of the org";
        self.change_existing(operation, org, |known| change_detection::with_polling(known, on, now)).await
    }

    /// Sets the state of a known org.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_state(&self, org: OrgId, state: OrgState, now: Timestamp) -> Result<Org, Error> {
        let step = |known: &Org| (known.state != state).then(|| Org { state, updated_at: now, ..known.clone() });
        self.change_existing("set the state of the org", org, step).await
    }

    /// Closes the org: nothing is scheduled, its webhook secrets are removed, and only the mirror is read. It stays the
    /// tenant's. An org that is not active keeps its state. The call is idempotent.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn close(&self, org: OrgId, now: Timestamp) -> Result<Org, Error> {
        self.change_existing("close the org", org, |known| rule::close(known, now)).await
    }

    /// Adds a webhook secret, and keeps one older secret: the one that the org uses (`in_use`, a hash) if known,
    /// otherwise the newest.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn rotate_webhook_secret(
        &self,
        org: OrgId,
        secret: SecretHash,
        in_use: Option<&str>,
    ) -> Result<Org, Error> {
        self.change_existing("rotate the webhook secret", org, |known| rule::rotate(known, &secret, in_use)).await
    }

    /// Changes an org that must exist.
    async fn change_existing(
        &self,
        operation: &'static str,
        org: OrgId,
        step: impl Fn(&Org) -> Option<Org>,
    ) -> Result<Org, Error> {
        let step = |existing: Option<&Org>| existing.map(&step).ok_or(Error::NotFound { operation, entity: "org" });
        self.change(operation, org, step).await.map(Changed::into_org)
    }

    /// Reads the org, decides, and writes the decision unless another writer was first; then decides again.
    async fn change(
        &self,
        operation: &'static str,
        org: OrgId,
        step: impl Fn(Option<&Org>) -> Result<Option<Org>, Error>,
    ) -> Result<Changed, Error> {
        let mut existing: Option<Org> = self.load(org).await?;
        for _ in 0..CHANGE_ATTEMPTS {
            let Some(mut next) = step(existing.as_ref())? else {
                return existing.map(Changed::Unchanged).ok_or(Error::NotFound { operation, entity: "org" });
            };
            let seen = existing.as_ref().map_or(0, |org| org.revision);
            next.revision = seen.saturating_add(1);
            let when = Expression {
                text: "attribute_not_exists(#org_id) OR #revision = :seen",
                values: vec![(":seen", number(seen))],
            };
            match self.table.put(operation, to_item(operation, &next)?, when).await? {
                Conditional::Done(()) => return Ok(Changed::Stored(next)),
                Conditional::Refused(item) => existing = item.map(|item| from_item(operation, item)).transpose()?,
            }
        }
        Err(Error::Conflict { operation })
    }
}

/// An org has few writers; more conflicts in a row than this are a bug.
const CHANGE_ATTEMPTS: usize = 5;

/// The outcome of a change.
enum Changed {
    Stored(Org),
    Unchanged(Org),
}

impl Changed {
    fn into_org(self) -> Org {
        match self {
            Self::Stored(org) | Self::Unchanged(org) => org,
        }
    }
}
