//! The org's edition: asked of the org itself with the team's connection, for what the package announces proves nothing.

use runtime::Chain;
use salesforce::{Client, FieldName, ObjectName, Soql};
use store::{ConnectionId, Edition, Org};

use crate::Deps;

const ORGANIZATION: ObjectName = ObjectName::from_static("Organization");
const ORGANIZATION_TYPE: FieldName = FieldName::from_static("OrganizationType");

/// Asks the org for its edition and notes it. The org goes on without: what was known of its edition stays.
pub(crate) async fn ask(deps: &Deps, known: Org) -> Org {
    let org_id = known.org_id;
    let client = deps.salesforce.client(org_id, &ConnectionId::team());
    // Half of the timeout: a person waits, and the outbound messages are set up after this.
    let asked = match tokio::time::timeout(deps.setup_timeout / 2, organization_type(&client)).await {
        Ok(Ok(Some(name))) => name,
        Ok(Ok(None)) => return not_known(known, "the org shows none"),
        Ok(Err(error)) => return not_known(known, &Chain(&error).to_string()),
        Err(_) => return not_known(known, "the org did not answer in time"),
    };
    let before = known.edition.as_ref().filter(|edition| edition.organization_type == asked);
    let outbound_messages_unsupported = before.is_some_and(|edition| edition.outbound_messages_unsupported);
    note(deps, known, Edition { organization_type: asked, outbound_messages_unsupported, proven_at: deps.clock.now() })
        .await
}

/// Notes whether the org said that it knows no outbound messages. Whether that counts is a rule of its edition.
pub(crate) async fn outbound_messages_unsupported(deps: &Deps, known: Org, knows_none: bool) -> Org {
    match known.edition.clone() {
        Some(edition) if edition.outbound_messages_unsupported != knows_none => {
            let edition = Edition { outbound_messages_unsupported: knows_none, proven_at: deps.clock.now(), ..edition };
            note(deps, known, edition).await
        }
        _ => known,
    }
}

async fn organization_type(client: &Client) -> Result<Option<String>, salesforce::Error> {
    let page = client.query(&Soql::select(&[ORGANIZATION_TYPE]).from(&ORGANIZATION)).await?;
    let named = page.records.first().and_then(|record| record.fields.get(ORGANIZATION_TYPE.as_str()));
    Ok(named.and_then(|named| named.as_str()).filter(|named| named.len() <= MAX_NAME).map(str::to_owned))
}

/// The picklist's own limit (Salesforce Field Reference Guide, Organization).
const MAX_NAME: usize = 40;

async fn note(deps: &Deps, known: Org, edition: Edition) -> Org {
    match deps.orgs.record_edition(known.org_id, &edition).await {
        Ok(org) => org,
        Err(error) => not_known(known, &Chain(&error).to_string()),
    }
}

fn not_known(known: Org, reason: &str) -> Org {
    tracing::warn!(org.id = %known.org_id, reason, "the edition of org {} was not noted", known.org_id);
    known
}
