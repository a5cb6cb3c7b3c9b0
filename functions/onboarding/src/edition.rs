//! Reads what the org is through the team connection: its edition, and whether it is a sandbox. The install notice's own claim
//! is not used.

use runtime::Chain;
use salesforce::{Client, FieldName, ObjectName, OrgId, Soql};
use store::{ConnectionId, Edition, Environment, Org};

use crate::Deps;

const ORGANIZATION: ObjectName = ObjectName::from_static("Organization");
const ORGANIZATION_TYPE: FieldName = FieldName::from_static("OrganizationType");
const IS_SANDBOX: FieldName = FieldName::from_static("IsSandbox");

/// The facts that the org reports about itself.
pub(crate) struct Organization {
    organization_type: String,
    is_sandbox: bool,
}

impl Organization {
    pub(crate) fn environment(&self) -> Environment {
        if self.is_sandbox { Environment::Sandbox } else { Environment::Production }
    }
}

/// Reads what the org is; `None` if it did not return it in time.
pub(crate) async fn read(deps: &Deps, org: OrgId) -> Option<Organization> {
    let client = deps.salesforce.client(org, &ConnectionId::team());
    // Half of the timeout: a person is waiting, and the outbound messages are set up after this.
    let reason = match tokio::time::timeout(deps.setup_timeout / 2, organization(&client)).await {
        Ok(Ok(Some(organization))) => return Some(organization),
        Ok(Ok(None)) => "the org did not return it".to_owned(),
        Ok(Err(error)) => Chain(&error).to_string(),
        Err(_) => "the org did not respond in time".to_owned(),
    };
    tracing::warn!(org.id = %org, reason, "could not read the edition of org {org}");
    None
}

/// Stores the org's edition. Without a result the stored edition stays.
pub(crate) async fn store(deps: &Deps, org: Org, organization: Option<Organization>) -> Org {
    let Some(Organization { organization_type, .. }) = organization else { return org };
    let before = org.edition.as_ref().filter(|edition| edition.organization_type == organization_type);
    let outbound_messages_unsupported = before.is_some_and(|edition| edition.outbound_messages_unsupported);
    let edition = Edition { organization_type, outbound_messages_unsupported, proven_at: deps.clock.now() };
    store_edition(deps, org, edition).await
}

/// Stores whether the org reported that it has no outbound messages. The edition's rule decides what follows from it.
pub(crate) async fn set_outbound_messages_unsupported(deps: &Deps, org: Org, unsupported: bool) -> Org {
    match org.edition.clone() {
        Some(edition) if edition.outbound_messages_unsupported != unsupported => {
            let edition =
                Edition { outbound_messages_unsupported: unsupported, proven_at: deps.clock.now(), ..edition };
            store_edition(deps, org, edition).await
        }
        _ => org,
    }
}

async fn organization(client: &Client) -> Result<Option<Organization>, salesforce::Error> {
    let page = client.query(&Soql::select(&[ORGANIZATION_TYPE, IS_SANDBOX]).from(&ORGANIZATION)).await?;
    let Some(record) = page.records.into_iter().next() else { return Ok(None) };
    let name = record.fields.get(ORGANIZATION_TYPE.as_str()).and_then(|value| value.as_str());
    let is_sandbox = record.fields.get(IS_SANDBOX.as_str()).and_then(|value| value.as_bool());
    Ok(name
        .filter(|name| name.len() <= MAX_NAME)
        .zip(is_sandbox)
        .map(|(name, is_sandbox)| Organization { organization_type: name.to_owned(), is_sandbox }))
}

/// The length of the picklist's values (Salesforce Field Reference Guide, Organization).
const MAX_NAME: usize = 40;

async fn store_edition(deps: &Deps, org: Org, edition: Edition) -> Org {
    match deps.orgs.record_edition(org.org_id, &edition).await {
        Ok(org) => org,
        Err(error) => unchanged(org, &Chain(&error).to_string()),
    }
}

fn unchanged(org: Org, reason: &str) -> Org {
    tracing::warn!(org.id = %org.org_id, reason, "could not update the edition of org {}", org.org_id);
    org
}
