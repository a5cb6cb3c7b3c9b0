//! The event of an object whose fields have changed.

use salesforce::{FieldName, ObjectName};
use serde::Serialize;
use store::cursors::fields::RetypedField;
use store::{BusEvent, EventKind, FieldChanges, SeenFields, Tenant};

/// Returns whether the fields have changed since the row before. The first row of an object is no change.
#[must_use]
pub fn is_told(old: Option<&SeenFields>, new: &SeenFields) -> bool {
    new.last_change.is_some() && old.is_none_or(|old| old.updated_at < new.updated_at)
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    tenant: &'a str,
    object: &'a ObjectName,
    added: &'a [FieldName],
    hidden: &'a [FieldName],
    shown: &'a [FieldName],
    retyped: &'a [RetypedField],
    /// `true` if all records of the object are read again.
    backfill: bool,
}

/// Builds the event. `change_id` identifies the change, so that the same change published twice is the same event.
#[must_use]
pub fn event(fields: &SeenFields, tenant: &Tenant, change_id: &str) -> BusEvent {
    let changes = fields.last_change.clone().unwrap_or_default();
    let FieldChanges { added, hidden, shown, retyped } = &changes;
    let data = Data {
        org_id: fields.org_id.as_str(),
        tenant: tenant.as_str(),
        object: &fields.object,
        added,
        hidden,
        shown,
        retyped,
        backfill: changes.need_backfill(),
    };
    let subject = format!("objects/{}", fields.object);
    let mut event = BusEvent::new(fields.org_id, EventKind::ObjectFieldsChanged, subject, change_id);
    event.time = fields.updated_at;
    event.sequence = Some(store::time::format(fields.updated_at));
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_change_is_told_once_and_the_first_describe_not_at_all() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let types = |fields: &[&str]| fields.iter().map(|name| (name.parse().unwrap(), "string".to_owned())).collect();
        let org = "00D5e000000KQ2eEAG".parse().unwrap();
        let first = SeenFields::first(org, &ObjectName::from_static("Account"), types(&["Id"]), at(0));
        let later = first.after(types(&["Id", "Phone"]), at(1)).unwrap();

        assert!(!is_told(None, &first));
        assert!(is_told(Some(&first), &later) && is_told(None, &later));
        assert!(!is_told(Some(&later), &later));
    }
}
