//! The save of several records all or none, in which records that are there are adopted (`duplicates: adopt`).
//!
//! A graph stops at the first record that it refuses. If a duplicate rule has refused it, and found exactly one record of the
//! object without another external id, the graph is sent again with an update of that record, which also sets the external id.
//! After a lost response the same graph is sent again from its beginning: an upsert then finds an adopted record by its
//! external id.

use std::collections::{BTreeMap, BTreeSet};

use salesforce::graph::{Node, Save, reference_to};
use salesforce::{Client, RecordId, SaveOutcome};
use serde_json::Value;

use crate::duplicates::{Duplicates, is_duplicate, not_adopted, only_match, require_free};

/// The maximum number of records of one graph that are adopted. Each of them costs two calls.
const MAX_ADOPTIONS: usize = 10;

/// Saves the records, and returns their outcomes. `gets_owner` has the positions of those whose owner was added by Ferry: an
/// adopted record keeps its own. Each record that an update was sent to is added to `adopted`, by its position.
///
/// # Errors
/// Those of the calls. After a lost response it is safe to call it again with the same upserts.
pub(crate) async fn save_all(
    client: &Client,
    mut nodes: Vec<Node>,
    gets_owner: &BTreeSet<usize>,
    duplicates: Duplicates,
    adopted: &mut BTreeMap<usize, RecordId>,
) -> Result<Vec<SaveOutcome>, salesforce::Error> {
    let mut count = 0;
    loop {
        let mut outcomes = client.save_graph(&nodes, duplicates.allows()).await?;
        let refused = outcomes.iter().position(|outcome| is_duplicate(&outcome.errors));
        let Some(at) = refused.filter(|_| duplicates == Duplicates::Adopt) else { return Ok(outcomes) };
        match target(client, &nodes, at, &outcomes[at], count).await? {
            Ok(id) => {
                adopt(&mut nodes, at, id, gets_owner.contains(&at));
                adopted.insert(at, id);
                count += 1;
            }
            Err(reason) => {
                let errors = std::mem::take(&mut outcomes[at].errors);
                outcomes[at].errors = not_adopted(errors, reason);
                return Ok(outcomes);
            }
        }
    }
}

/// Returns the record that is adopted in place of a node's, or the reason for which none is.
async fn target(
    client: &Client,
    nodes: &[Node],
    at: usize,
    outcome: &SaveOutcome,
    count: usize,
) -> Result<Result<RecordId, &'static str>, salesforce::Error> {
    let Save::Upsert(key, value) = &nodes[at].save else { return Ok(Err("a duplicate rule refuses the change")) };
    let id = match only_match(&nodes[at].object, &outcome.errors) {
        Ok(id) => id,
        Err(reason) => return Ok(Err(reason)),
    };
    if count == MAX_ADOPTIONS {
        return Ok(Err("a request adopts at most 10 records all or none"));
    }
    if nodes.iter().any(|node| node.save == Save::Update(id)) {
        return Ok(Err("another record of the request is the one that is there"));
    }
    let found = client.retrieve(&nodes[at].object, &[id], std::slice::from_ref(key)).await?;
    Ok(require_free(found.first().and_then(Option::as_ref), key, value).map(|()| id))
}

/// Turns an upsert into an update of the record that is there. Other nodes name it by its id, since the response to an update
/// has none.
fn adopt(nodes: &mut [Node], at: usize, id: RecordId, gets_owner: bool) {
    let reference = reference_to(&nodes[at].reference_id);
    if let Save::Upsert(key, value) = std::mem::replace(&mut nodes[at].save, Save::Update(id)) {
        nodes[at].fields.insert(key.to_string(), value);
    }
    if gets_owner {
        nodes[at].fields.remove("OwnerId");
    }
    for value in nodes.iter_mut().flat_map(|node| node.fields.values_mut()) {
        if value.as_str() == Some(&reference) {
            *value = Value::String(id.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_adopted_record_gets_the_external_id_and_keeps_its_owner() {
        let node = |name: &str, fields: Value| Node {
            reference_id: name.to_owned(),
            object: "Account".parse().unwrap(),
            save: Save::Upsert("Key__c".parse().unwrap(), json!(name)),
            fields: fields.as_object().unwrap().clone(),
        };
        let id: RecordId = "001D000000IRFmaIAH".parse().unwrap();
        let mut nodes =
            [node("r0", json!({"OwnerId": "005D0000001aaaaIAA"})), node("r1", json!({"ParentId": "@{r0.id}"}))];

        adopt(&mut nodes, 0, id, true);

        assert_eq!(
            (&nodes[0].save, &nodes[0].fields),
            (&Save::Update(id), json!({"Key__c": "r0"}).as_object().unwrap())
        );
        assert_eq!(nodes[1].fields["ParentId"], json!(id));
    }
}
