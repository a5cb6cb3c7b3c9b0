//! The simulated org: its reps, and what the writes made in it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use org_simulator::{NewUser, Simulator, User};
use reqwest::Client;
use serde_json::{Value, json};

use super::plan::{KEY_FIELD, external_id};
use crate::{Connected, Method, TENANT};

/// The number of accounts that notes are linked to.
const NOTE_TARGETS: usize = 5;
/// The version of the API through which the rig reads. Faults are for Ferry's version only.
const API_VERSION: &str = "v65.0";

/// The org during a run.
pub(super) struct Org {
    pub(super) simulator: Simulator,
    pub(super) reps: Vec<User>,
    pub(super) note_targets: Vec<String>,
    admin: String,
    http: Client,
}

impl Org {
    /// Adds the reps to the org and connects each of them.
    pub(super) async fn prepare(connected: &Connected, reps: usize) -> Result<Self> {
        let simulator = connected.stack.simulator().orgs().into_iter().next().context("the stack has no org")?;
        let mut users = Vec::new();
        for rep in 0..reps {
            let user = simulator.add_user(&NewUser {
                username: format!("rep-{rep}@write-chaos.example"),
                first_name: "Rep".to_owned(),
                last_name: rep.to_string(),
                email: String::new(),
                is_admin: false,
                profile: String::new(),
            })?;
            connect(connected, rep, &user).await?;
            users.push(user);
        }
        let target = |number: usize| connected.create("Account", &json!({ "Name": format!("Note target {number}") }));
        let note_targets = (0..NOTE_TARGETS).map(target).collect::<Result<Vec<_>>>()?;
        let http = Client::builder().no_proxy().build()?;
        Ok(Self { simulator, reps: users, note_targets, admin: connected.admin.username.clone(), http })
    }

    /// Returns the accounts with this rig's external ids: the ids and the values by external id.
    pub(super) async fn accounts(&self) -> Result<BTreeMap<String, Vec<(String, u64)>>> {
        let prefix = external_id(0).trim_end_matches('0').to_owned();
        let soql = format!("SELECT Id, {KEY_FIELD}, NumberOfEmployees FROM Account WHERE {KEY_FIELD} LIKE '{prefix}%'");
        let mut accounts: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
        for row in self.query(&soql).await? {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            let value = row["NumberOfEmployees"].as_f64().unwrap_or_default() as u64;
            accounts.entry(text(KEY_FIELD)).or_default().push((text("Id"), value));
        }
        Ok(accounts)
    }

    /// Returns the ids of the rig's notes by title.
    pub(super) async fn notes(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.query("SELECT Id, Title FROM ContentNote WHERE Title LIKE 'Write chaos%'").await? {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            notes.entry(text("Title")).or_default().push(text("Id"));
        }
        Ok(notes)
    }

    async fn query(&self, soql: &str) -> Result<Vec<Value>> {
        let token = self.simulator.access_token(&self.admin)?;
        let mut rows = Vec::new();
        let mut path = format!("/services/data/{API_VERSION}/query");
        let mut query = vec![("q", soql)];
        loop {
            let request = self.http.get(format!("{}{path}", self.simulator.url())).query(&query).bearer_auth(&token);
            let page: Value = request.send().await?.error_for_status()?.json().await?;
            rows.extend(page["records"].as_array().cloned().unwrap_or_default());
            match page["nextRecordsUrl"].as_str() {
                Some(next) => (path, query) = (next.to_owned(), Vec::new()),
                None => return Ok(rows),
            }
        }
    }
}

/// Connects a rep through a link, for the first time or again.
pub(super) async fn connect(connected: &Connected, rep: usize, user: &User) -> Result<()> {
    let link = json!({
        "tenant": TENANT, "kind": "personal", "platform_user": format!("rep-{rep}"), "environment": "production",
        "org_id": connected.stack.simulator().org_id(),
    });
    let link = connected.platform(Method::POST, "/v1/connect-links", &link).await?;
    connected.consent(link["url"].as_str().context("the link has no URL")?, user).await
}
