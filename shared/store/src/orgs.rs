//! The orgs that installed Ferry's package, from the claim to the end.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::Tenant;
use crate::table::{Conditional, Expression, Table, from_item, key, number, to_item};
use crate::webhook_secret::SecretHash;

pub mod rule;

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
    pub fn unannounced(org_id: OrgId, environment: Environment, at: Timestamp) -> Self {
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
            webhook_secrets: Vec::new(),
            claimed_at: at,
            activated_at: None,
            updated_at: at,
            revision: 1,
        }
    }
}

/// What the package's post-install callout says. Anyone can send one, so it only ever makes an org that is not known yet.
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

/// What a claim came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The org was not known; now it is claimed.
    New(Org),
    /// The org was known, and is as it was.
    Known(Org),
}

/// A team connection's proof that its org is the tenant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activate {
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

/// The `orgs` table.
#[derive(Clone, Debug)]
pub struct Orgs {
    table: Table,
}

impl Orgs {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Makes the org known, if it is not.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn claim(&self, claim: &InstallClaim) -> Result<Claim, Error> {
        let org = rule::claimed(claim);
        let when = Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() };
        match self.table.put("claim the org", to_item("claim the org", &org)?, when).await? {
            Conditional::Done(()) => Ok(Claim::New(org)),
            Conditional::Refused(Some(item)) => Ok(Claim::Known(from_item("claim the org", item)?)),
            Conditional::Refused(None) => Err(Error::Conflict { operation: "claim the org" }),
        }
    }

    /// Makes the org the tenant's and active, also one that no claim announced: the team connection is the proof.
    ///
    /// # Errors
    /// [`Error::OwnedByAnotherTenant`]; [`Error::Quarantined`].
    pub async fn activate(&self, activate: &Activate) -> Result<Activation, Error> {
        let org = activate.org_id;
        let step = |existing: Option<&Org>| rule::activate(existing, activate).map_err(|refusal| refusal.error(org));
        match self.change("activate the org", org, step).await? {
            Changed::Stored(org) => Ok(Activation::Activated(org)),
            Changed::Kept(org) => Ok(Activation::AlreadyActive(org)),
        }
    }

    /// The org, or `None` when it was never heard of.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId) -> Result<Option<Org>, Error> {
        self.table.get("load the org", key([("org_id", org.as_str())])).await
    }

    /// Every org, in no order. Reads the whole table.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self) -> Result<Vec<Org>, Error> {
        self.table.scan("list the orgs").await
    }

    /// Every active org, in no order. Reads the whole table.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_active(&self) -> Result<Vec<Org>, Error> {
        let orgs = self.list().await?;
        Ok(orgs.into_iter().filter(|org| org.state == OrgState::Active).collect())
    }

    /// Puts a known org into `state`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn mark(&self, org: OrgId, state: OrgState, now: Timestamp) -> Result<Org, Error> {
        let operation = "mark the org";
        let step = |existing: Option<&Org>| {
            let known = existing.ok_or(Error::NotFound { operation })?;
            Ok((known.state != state).then(|| Org { state, updated_at: now, ..known.clone() }))
        };
        self.change(operation, org, step).await.map(Changed::into_org)
    }

    /// Closes the org's lanes: nothing is scheduled, its webhook addresses are forgotten, and only the mirror is read. It stays
    /// the tenant's. An org that is not active keeps its state. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn close(&self, org: OrgId, now: Timestamp) -> Result<Org, Error> {
        let operation = "close the org";
        let step = |existing: Option<&Org>| {
            let known = existing.ok_or(Error::NotFound { operation })?;
            Ok(rule::close(known, now))
        };
        self.change(operation, org, step).await.map(Changed::into_org)
    }

    /// Makes a fresh webhook secret live beside the newest one, and drops the older.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn rotate_webhook_secret(&self, org: OrgId, secret: SecretHash) -> Result<Org, Error> {
        let operation = "rotate the webhook secret";
        let step = |existing: Option<&Org>| {
            let known = existing.ok_or(Error::NotFound { operation })?;
            Ok(rule::rotate(known, &secret))
        };
        self.change(operation, org, step).await.map(Changed::into_org)
    }

    /// Reads the org, decides, and writes what was decided if nobody wrote meanwhile; else decides again.
    async fn change(
        &self,
        operation: &'static str,
        org: OrgId,
        step: impl Fn(Option<&Org>) -> Result<Option<Org>, Error>,
    ) -> Result<Changed, Error> {
        let mut existing: Option<Org> = self.load(org).await?;
        for _ in 0..CHANGE_ATTEMPTS {
            let Some(mut next) = step(existing.as_ref())? else {
                return existing.map(Changed::Kept).ok_or(Error::NotFound { operation });
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

/// An org has few writers; this many in a row means that something is wrong.
const CHANGE_ATTEMPTS: usize = 5;

enum Changed {
    Stored(Org),
    Kept(Org),
}

impl Changed {
    fn into_org(self) -> Org {
        match self {
            Self::Stored(org) | Self::Kept(org) => org,
        }
    }
}
