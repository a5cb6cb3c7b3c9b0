//! Orgs that installed Ferry's package, from the claim to the uninstallation.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use salesforce::OrgId;

use crate::Error;
use crate::ids::Tenant;
use crate::table::{Expression, Item, Table, key, number, to_item};
use crate::webhook_secret::SecretHash;

pub mod attributes;
mod by_state;
pub mod change_detection;
pub mod license;
pub mod license_management;
mod org;
pub mod rule;

pub use by_state::ListedOrg;
pub use change_detection::{ChangeDetection, DetectionMethod, DetectionReason};
pub use license_management::LicenseManagement;
pub use org::{
    Activation, ActivationRequest, Announcement, BindingRight, Edition, Environment, InstallClaim, License,
    LicenseNotice, LicenseState, LicenseStatus, MAX_COPIES, Org, OrgState, PollingChoice, Quarantine, SeenCopy,
    verify_webhook_secret,
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
    pub async fn claim(&self, claim: &InstallClaim) -> Result<Org, Error> {
        let step = |existing: Option<&Org>| Ok(rule::announce(existing, claim));
        let at = claim.announcement.at;
        self.change("record the announcement", claim.org_id, at, step).await.map(Changed::into_org)
    }

    /// Applies a notice of the License Management Org. The order and number of notices do not matter.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn apply_license(&self, notice: &LicenseNotice, now: Timestamp) -> Result<Org, Error> {
        let step = |existing: Option<&Org>| Ok(license::with_notice(existing, notice, now));
        self.change("apply the license notice", notice.org_id, now, step).await.map(Changed::into_org)
    }

    /// Notes a copy on the item of the original, whose webhook secret it used. Returns whether that was stored.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the original is unknown.
    pub async fn note_copy(&self, original: OrgId, copy: &SeenCopy) -> Result<bool, Error> {
        let operation = "note the copy of the org";
        let step = |existing: Option<&Org>| match existing {
            Some(known) => Ok(rule::note_copy(known, copy)),
            None => Err(Error::NotFound { operation, entity: "org" }),
        };
        let changed = self.change(operation, original, copy.seen_at, step).await?;
        Ok(matches!(changed, Changed::Stored(_)))
    }

    /// Makes the tenant the owner of the org, and the org active. The team connection is the proof, so the org need not
    /// have been claimed, and may be quarantined.
    ///
    /// # Errors
    /// [`Error::OwnedByAnotherTenant`]; [`Error::NotAnAdministrator`].
    pub async fn activate(&self, activate: &ActivationRequest) -> Result<Activation, Error> {
        let org = activate.org_id;
        let step = |existing: Option<&Org>| rule::activate(existing, activate).map_err(|refusal| refusal.error(org));
        match self.change("activate the org", org, activate.now, step).await? {
            Changed::Stored(org) => Ok(Activation::Activated(org)),
            Changed::Unchanged(org) => Ok(Activation::AlreadyActive(org)),
        }
    }

    /// Returns the org, or `None` if it is unknown. A claim may have expired ([`Org::has_expired`]).
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
        let partition = ("by_tenant", "tenant", tenant.as_str());
        let start = after.map(|org| key([("tenant", tenant.as_str()), ("org_id", org.as_str())]));
        let limit = i32::from(limit.max(1));
        let (orgs, rest): (Vec<Org>, _) = self.table.query_index_page(operation, partition, limit, start).await?;
        let next = rest.and_then(|_| orgs.last().map(|org| org.org_id));
        Ok(OrgPage { orgs, next })
    }

    /// Stores the edition that the org reported over its team connection.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn record_edition(&self, org: OrgId, edition: &Edition) -> Result<Org, Error> {
        let operation = "record the org's edition";
        let step = |known: &Org| change_detection::with_edition(known, edition.clone());
        self.change_existing(operation, org, edition.proven_at, step).await
    }

    /// Stores what an active org reported about itself at a consent.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn record_proof(
        &self,
        org: OrgId,
        environment: Environment,
        my_domain_url: Option<&str>,
        now: Timestamp,
    ) -> Result<Org, Error> {
        let step = |known: &Org| rule::with_proof(known, environment, my_domain_url, now);
        self.change_existing("record what the org reported", org, now, step).await
    }

    /// Makes another tenant the owner of an org that is not active. The call is idempotent.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] if the org has no owner or is active.
    pub async fn transfer(&self, org: OrgId, to: &Tenant, now: Timestamp) -> Result<Org, Error> {
        let operation = "transfer the org";
        let step = |existing: Option<&Org>| {
            let known = existing.ok_or(Error::NotFound { operation, entity: "org" })?;
            rule::transfer(known, to, now).map_err(|_| Error::Conflict { operation })
        };
        self.change(operation, org, now, step).await.map(Changed::into_org)
    }

    /// Stores an operator's choice of polling; `None` leaves it to the edition.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_polling(&self, org: OrgId, on: Option<bool>, now: Timestamp) -> Result<Org, Error> {
        let operation = "set the polling of the org";
        self.change_existing(operation, org, now, |known| change_detection::with_polling(known, on, now)).await
    }

    /// Sets the state of a known org.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_state(&self, org: OrgId, state: OrgState, now: Timestamp) -> Result<Org, Error> {
        let step = |known: &Org| (known.state != state).then(|| Org { state, updated_at: now, ..known.clone() });
        self.change_existing("set the state of the org", org, now, step).await
    }

    /// Closes the org: nothing is scheduled, its webhook secrets are removed, and its mirror is erased after a while. It
    /// stays the tenant's. An org that is not active keeps its state. The call is idempotent.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn close(&self, org: OrgId, now: Timestamp) -> Result<Org, Error> {
        self.change_existing("close the org", org, now, |known| rule::close(known, now)).await
    }

    /// Stores the time of closing of a closed org that lacks it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn stamp_closing(&self, org: OrgId, now: Timestamp) -> Result<Org, Error> {
        self.change_existing("store the time of closing", org, now, |known| rule::stamp_closing(known, now)).await
    }

    /// Reduces the row of an org whose data were erased. An active org stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn mark_erased(&self, org: OrgId, now: Timestamp) -> Result<Org, Error> {
        self.change_existing("mark the org as erased", org, now, |known| rule::erased(known, now)).await
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
        let step = |known: &Org| rule::rotate(known, &secret, in_use);
        self.change_existing("rotate the webhook secret", org, secret.created_at, step).await
    }

    /// Changes an org that must exist.
    async fn change_existing(
        &self,
        operation: &'static str,
        org: OrgId,
        now: Timestamp,
        step: impl Fn(&Org) -> Option<Org>,
    ) -> Result<Org, Error> {
        let step = |existing: Option<&Org>| existing.map(&step).ok_or(Error::NotFound { operation, entity: "org" });
        self.change(operation, org, now, step).await.map(Changed::into_org)
    }

    /// Reads the org, decides, and writes the attributes that change, unless another writer was first; then decides again. A
    /// claim that has expired counts as absent, and is replaced.
    async fn change(
        &self,
        operation: &'static str,
        org: OrgId,
        now: Timestamp,
        step: impl Fn(Option<&Org>) -> Result<Option<Org>, Error>,
    ) -> Result<Changed, Error> {
        for _ in 0..CHANGE_ATTEMPTS {
            let stored = self.load(org).await?;
            let existing = stored.as_ref().filter(|org| !org.has_expired(now));
            let Some(next) = step(existing)? else {
                return existing.cloned().map(Changed::Unchanged).ok_or(Error::NotFound { operation, entity: "org" });
            };
            let seen = stored.as_ref().map_or(0, |org| org.revision);
            let next = Org { revision: seen.saturating_add(1), ..rule::with_expiry(next) };
            if self.write(operation, stored.as_ref(), &next).await? {
                return Ok(Changed::Stored(next));
            }
        }
        Err(Error::Conflict { operation })
    }

    /// Writes the attributes that change, if the stored item is still `before`. Returns whether it was.
    async fn write(&self, operation: &'static str, before: Option<&Org>, next: &Org) -> Result<bool, Error> {
        // An item that DynamoDB deletes meanwhile, as an expired claim, is written whole in the next attempt.
        let when = match before {
            None => Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() },
            Some(before) => Expression { text: "#revision = :seen", values: vec![(":seen", number(before.revision))] },
        };
        let mut stored = before.map_or_else(|| Ok(Item::new()), |before| to_item(operation, before))?;
        if next.erased_at.is_some() {
            // Removed if they are there.
            stored.extend(attributes::RETIRED.iter().map(|name| ((*name).to_owned(), AttributeValue::Null(true))));
        }
        let org = key([("org_id", next.org_id.as_str())]);
        self.table.write_difference(operation, org, (&stored, &to_item(operation, next)?), when).await
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
