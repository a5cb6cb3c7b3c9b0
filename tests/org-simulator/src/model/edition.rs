//! The edition of an org.

use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

/// Editions without outbound messages (Salesforce Help, "Outbound Message Considerations").
const WITHOUT_MESSAGES: [&str; 5] =
    ["Professional Edition", "Team Edition", "Base Edition", "Contact Manager Edition", "Personal Edition"];

/// Changes the edition of the org, and with it whether the org has outbound messages.
pub(crate) fn set_edition(org: &mut Org, edition: &str) {
    org.features.outbound_messages = !WITHOUT_MESSAGES.contains(&edition);
    let Some(object) = org.schema.object("Organization").cloned() else { return };
    let row = org.store.get(&object.name, org.id).map(|row| Row::clone(row));
    if let (Some(mut row), Some(at)) = (row, object.position("OrganizationType")) {
        row.set(at, Value::text(edition));
        org.store.put(&object, org.id, row);
        org.store.commit();
    }
}
