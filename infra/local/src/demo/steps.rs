//! The steps of the story, each with its evidence.

pub(super) mod connect;
pub(super) mod rest;
pub(super) mod sync;
pub(super) mod write;

use anyhow::{Context as _, Result};
use org_simulator::{LoadReport, User};
use serde_json::{Map, json};

use super::mirror::Mirror;
use super::platform::Platform;
use super::run::Proven;
use crate::stack::Stack;

/// The platform's customer, and the rep's name on the platform.
const TENANT: &str = "acme";
const PLATFORM_USER: &str = "rep-1";
/// The external id field that the package adds to Salesforce's objects.
const EXTERNAL_ID: &str = "Ferry_External_Id__c";

/// Who and what the story is about.
pub(super) struct Story {
    stack: Stack,
    platform: Platform,
    mirror: Mirror,
    org_id: String,
    admin: User,
    rep: User,
}

impl Story {
    fn new(stack: Stack) -> Result<Self> {
        let org_id = stack.simulator().org_id();
        let users = stack.simulator().users();
        let admin = users.iter().find(|user| user.is_admin).context("the org has no admin")?.clone();
        let rep = users.iter().find(|user| user.is_active && !user.is_admin).context("the org has no rep")?.clone();
        Ok(Self {
            platform: Platform::new(stack.url())?,
            mirror: Mirror::of(&stack, &org_id)?,
            stack,
            org_id,
            admin,
            rep,
        })
    }

    /// A path of the HTTP API below the org.
    fn path(&self, rest: &str) -> String {
        format!("/v1/orgs/{}{rest}", self.org_id)
    }
}

/// The org as the story finds it: with its own small data, and with that of a folder.
pub(super) async fn load(stack: Stack) -> Result<Proven<Story>> {
    let mut evidence = Map::new();
    let data = stack.crm_data().clone();
    if data != LoadReport::default() {
        evidence.insert("loaded".to_owned(), json!(data.loaded));
        evidence.insert("refused".to_owned(), json!(data.refused));
        evidence.insert("adjusted".to_owned(), json!(data.adjusted));
    }
    let story = Story::new(stack)?;
    evidence.insert("org_id".to_owned(), json!(story.org_id));
    evidence.insert("users".to_owned(), json!(story.stack.simulator().users().len()));
    evidence.insert("records".to_owned(), json!(story.stack.simulator().record_counts()));
    Ok(Proven { evidence: evidence.into(), value: story })
}
