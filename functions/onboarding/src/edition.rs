//! Reads the org's edition through the team connection; the install notice's own claim is not used.

use runtime::Chain;
use salesforce::{Client, FieldName, ObjectName, Soql};
use store::{ConnectionId, Edition, Org};

use crate::Deps;

const ORGANIZATION: ObjectName = ObjectName::from_static("Organization");
const ORGANIZATION_TYPE: FieldName = FieldName::from_static("OrganizationType");

/// Reads the org's edition and stores it. Without a result the stored edition stays.
pub(crate) async fn refresh(deps: &Deps, org: Org) -> Org {
    let org_id = org.org_id;
    let client = deps.salesforce.client(org_id, &ConnectionId::team());
    // Half of the timeout: a person is waiting, and the outbound messages are set up after this.
    let organization_type = match tokio::time::timeout(deps.setup_timeout / 2, organization_type(&client)).await {
        Ok(Ok(Some(name))) => name,
        Ok(Ok(None)) => return unchanged(org, "the org has none"),
        Ok(Err(error)) => return unchanged(org, &Chain(&error).to_string()),
        Err(_) => return unchanged(org, "the org did not respond in time"),
    };
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

async fn organization_type(client: &Client) -> Result<Option<String>, salesforce::Error> {
    let page = client.query(&Soql::select(&[ORGANIZATION_TYPE]).from(&ORGANIZATION)).await?;
    let value = page.records.first().and_then(|record| record.fields.get(ORGANIZATION_TYPE.as_str()));
    Ok(value.and_then(|value| value.as_str()).filter(|name| name.len() <= MAX_NAME).map(str::to_owned))
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
