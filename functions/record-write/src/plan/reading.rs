//! Reads the existing records of a batch, with the fields that it sets.

use salesforce::soql::{self, Literal};
use salesforce::{Client, ExternalIdType, FieldName, ObjectDescribe, Record, RecordId, Soql};

use crate::Upsert;
use crate::batch::find_field;
use crate::check::{find, find_by_relationship};
use crate::create::CLIENT_KEY;
use crate::ownership::chunks_of;

/// Returns the existing records for each record of the batch: none if it would be created, several if its external id does not
/// identify it.
pub(super) async fn existing(
    upsert: &Upsert,
    client: &Client,
    describe: &ObjectDescribe,
    key_type: &ExternalIdType,
) -> Result<Vec<Vec<Record>>, salesforce::Error> {
    let found = match query(upsert, client, key_type, &selected(upsert, describe, true)).await {
        // A field of a parent is hidden: the parents are then compared by their ids only.
        Err(error) if error.has_code("INVALID_FIELD") => {
            query(upsert, client, key_type, &selected(upsert, describe, false)).await?
        }
        found => found?,
    };
    let key = upsert.batch.external_id_field.as_str();
    let of_record = |record| {
        let Some(requested) = find_field(record, key) else { return Vec::new() };
        let is_same = |row: &&Record| match key_type {
            ExternalIdType::Id => key_type.is_same(requested, &row.id.to_string().into()),
            _ => find_field(&row.fields, key).is_some_and(|value| key_type.is_same(requested, value)),
        };
        found.iter().filter(is_same).cloned().collect()
    };
    Ok(upsert.batch.records.iter().map(of_record).collect())
}

async fn query(
    upsert: &Upsert,
    client: &Client,
    key_type: &ExternalIdType,
    fields: &[FieldName],
) -> Result<Vec<Record>, salesforce::Error> {
    let key = &upsert.batch.external_id_field;
    let literals = |value| match key_type {
        ExternalIdType::Id => {
            let id = value_id(value);
            id.as_ref().map(Literal::from).into_iter().collect()
        }
        _ => key_type.literals(value),
    };
    let values: Vec<Literal> = upsert.batch.external_ids().flat_map(|(_, value)| literals(value)).collect();
    let mut found = Vec::new();
    for values in chunks_of(values) {
        let query = Soql::select(fields).from(&upsert.object).where_(soql::in_(key, values));
        found.extend(client.query_all(&query).await?.records);
    }
    Ok(found)
}

fn value_id(value: &serde_json::Value) -> Option<RecordId> {
    value.as_str()?.trim().parse().ok()
}

/// Returns the fields to read: the key, and those that the batch sets and the user sees. Of a parent that is named by its
/// external id, that field is read, unless the parent may be of several objects. One that the request creates has no such field.
fn selected(upsert: &Upsert, describe: &ObjectDescribe, with_parents: bool) -> Vec<FieldName> {
    const UNREADABLE: [&str; 3] = ["address", "base64", "location"];
    let mut fields = vec![FieldName::ID];
    let mut add = |name: FieldName| {
        if !fields.contains(&name) {
            fields.push(name);
        }
    };
    for name in [upsert.batch.external_id_field.as_str()].into_iter().chain(names(upsert)) {
        let field = find(describe, name).filter(|field| !UNREADABLE.contains(&field.field_type.as_str()));
        if let Some(field) = field {
            add(field.name.clone());
        }
    }
    for (name, value) in upsert.batch.records.iter().flatten().filter(|(_, value)| value.is_object()) {
        let Some(reference) = find_by_relationship(describe, name) else { continue };
        add(reference.name.clone());
        let key = value.as_object().and_then(|parent| parent.keys().find(|key| *key != "attributes"));
        let is_readable = |key: &&String| *key != CLIENT_KEY.as_str() && reference.reference_to.len() == 1;
        let path = key.filter(|key| with_parents && is_readable(key));
        if let Some(Ok(path)) = path.map(|key| format!("{name}.{key}").parse()) {
            add(path);
        }
    }
    fields
}

fn names(upsert: &Upsert) -> impl Iterator<Item = &str> {
    let set = upsert.batch.records.iter().flatten().filter(|(_, value)| !value.is_object());
    set.map(|(name, _)| name.as_str())
}
