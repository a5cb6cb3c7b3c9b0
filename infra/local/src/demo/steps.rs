//! The steps of the demo.

pub(super) mod connect;
pub(super) mod final_checks;
pub(super) mod sync;
pub(super) mod write;

use anyhow::{Context as _, Result};
use org_simulator::{LoadReport, User};
use serde_json::{Map, json};

use super::mirror::Mirror;
use super::platform::Platform;
use super::runner::StepOutput;
use crate::issuer::TENANT_SCOPE;
use crate::stack::Stack;

/// The tenant id on the platform.
const TENANT: &str = "acme";
/// The rep's user id on the platform.
const PLATFORM_USER: &str = "rep-1";
/// The external id field that the package adds to Account, Contact, Lead and Opportunity.
const EXTERNAL_ID: &str = "Ferry_External_Id__c";

/// The stack, the org and the users that all steps share.
pub(super) struct Scenario {
    stack: Stack,
    platform: Platform,
    mirror: Mirror,
    org_id: String,
    admin: User,
    rep: User,
}

impl Scenario {
    fn new(stack: Stack) -> Result<Self> {
        let org_id = stack.simulator().org_id();
        let users = stack.simulator().users();
        let admin =
            users.iter().find(|user| user.is_admin).context("could not choose an admin: the org has none")?.clone();
        let rep = users
            .iter()
            .find(|user| user.is_active && !user.is_admin)
            .context("could not choose a rep: the org has no active user besides the admin")?
            .clone();
        Ok(Self {
            platform: Platform::new(stack.url(), stack.token(TENANT, TENANT_SCOPE)?)?,
            mirror: Mirror::new(&stack, &org_id)?,
            stack,
            org_id,
            admin,
            rep,
        })
    }

    /// Returns the base URL of the HTTP API.
    pub(super) fn url(&self) -> &str {
        self.stack.url()
    }

    /// Returns the path of a route of the org: `/v1/orgs/{org}{rest}`.
    fn path(&self, rest: &str) -> String {
        format!("/v1/orgs/{}{rest}", self.org_id)
    }
}

/// Describes the org: its users, its records, and the CRM data that was loaded.
pub(super) async fn load(stack: Stack) -> Result<StepOutput<Scenario>> {
    let mut evidence = Map::new();
    let data = stack.crm_data().clone();
    if data != LoadReport::default() {
        evidence.insert("loaded".to_owned(), json!(data.loaded));
        evidence.insert("refused".to_owned(), json!(data.refused));
        evidence.insert("adjusted".to_owned(), json!(data.adjusted));
    }
    let scenario = Scenario::new(stack)?;
    evidence.insert("org_id".to_owned(), json!(scenario.org_id));
    evidence.insert("users".to_owned(), json!(scenario.stack.simulator().users().len()));
    evidence.insert("records".to_owned(), json!(scenario.stack.simulator().record_counts()));
    Ok(StepOutput { evidence: evidence.into(), value: scenario })
}
