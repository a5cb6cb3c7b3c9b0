//! The data of a subscriber in the License Management Org.

use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::people;
use crate::model::value::Value;

/// The data of a subscriber's org that the License Management Org stores.
#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub(crate) org_id: RecordId,
    pub(crate) name: String,
    pub(crate) edition: String,
    pub(crate) instance: String,
    pub(crate) is_sandbox: bool,
    pub(crate) installer: (String, String, String),
}

impl Subscriber {
    pub(crate) fn of(org: &Org) -> Self {
        let user = people::admin(org).user;
        let row = org.store.get("User", user);
        let text = |field: &str| row.map(|row| org.value("User", row, field).as_text().to_owned()).unwrap_or_default();
        Self {
            org_id: org.id,
            name: about(org, "Name").as_text().to_owned(),
            edition: about(org, "OrganizationType").as_text().to_owned(),
            instance: about(org, "InstanceName").as_text().to_owned(),
            is_sandbox: about(org, "IsSandbox") == Value::Bool(true),
            installer: (text("FirstName"), text("LastName"), text("Email")),
        }
    }
}

pub(crate) fn about(org: &Org, field: &str) -> Value {
    let row = org.store.get("Organization", org.id);
    row.map_or(Value::Null, |row| org.value("Organization", row, field).clone())
}
