//! Loads rows recorded from query responses, and the CSV files of bulk upserts.

use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::Error;
use crate::data::crm_data::load::{Load, read_csv, read_json, sorted_entries};
use crate::data::write::Upserted;
use crate::model::ids::RecordId;
use crate::model::schema::{Field, FieldKind};

/// Loads `*.json`, each an array of rows with ids and dates. The files are read in order of name, so accounts come
/// before their child records.
pub(super) fn load_folder(load: &mut Load<'_>, dir: &Path) -> Result<(), Error> {
    for path in sorted_entries(dir)?.iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
        let rows = match read_json(path)? {
            Json::Array(rows) => rows,
            mut answer => match answer.get_mut("records").map(Json::take) {
                Some(Json::Array(rows)) => rows,
                _ => {
                    return Err(Error::Layout {
                        path: path.display().to_string(),
                        reason: "an array of rows is expected".to_owned(),
                    });
                }
            },
        };
        rows.into_iter().for_each(|row| load_row(load, row));
    }
    Ok(())
}

fn load_row(load: &mut Load<'_>, row: Json) {
    let object = row.get("attributes").and_then(|a| a.get("type")).and_then(Json::as_str).unwrap_or("?").to_owned();
    let Json::Object(mut fields) = row else { return load.refused(&object, "not a row") };
    let id = fields.get("Id").and_then(Json::as_str).and_then(RecordId::parse);
    if id.is_some_and(|id| load.org.store.get(&object, id).is_some()) {
        return load.refused(&object, "a record with this id is already there");
    }
    let stamped = fields.shift_remove("SystemModstamp").is_some();
    let stranger = fields
        .get("OwnerId")
        .and_then(Json::as_str)
        .and_then(RecordId::parse)
        .is_some_and(|id| load.org.store.get("User", id).is_none());
    if stranger {
        fields.shift_remove("OwnerId");
    }
    if load.create(&object, &fields).is_none() {
        return;
    }
    if stamped {
        load.adjusted(&object, "SystemModstamp is the time of loading");
    }
    if stranger {
        load.adjusted(&object, "the owner is not in this org, the administrator owns it");
    }
}

/// Upserts opportunities by `external_id__c`, which is added as an external id.
pub(super) fn upsert_opportunities(load: &mut Load<'_>, path: &Path) -> Result<(), Error> {
    const KEY: &str = "external_id__c";
    external_id(load, KEY);
    for row in read_csv(path)? {
        let value = Json::from(row.get(KEY).cloned().unwrap_or_default());
        let fields: Map<String, Json> =
            row.into_iter().filter(|(name, _)| name != KEY).map(|(name, text)| (name, Json::from(text))).collect();
        let actor = load.actor;
        let start = load.org.savepoint();
        let mark = load.org.outbox.mark();
        let outcome = load.org.upsert(&actor, "Opportunity", (KEY, &value), &fields);
        load.org.outbox.rollback(mark);
        match outcome {
            Ok(Upserted::Created(_)) => load.loaded("Opportunity"),
            Ok(Upserted::Updated(_)) => load.adjusted("Opportunity", "updated by its external id"),
            Ok(Upserted::Ambiguous(_)) => load.refused("Opportunity", "the external id is not unique"),
            Err(error) => {
                load.org.rollback(&start);
                load.refused("Opportunity", &format!("{}: {}", error.code, error.message));
            }
        }
        load.org.store.commit();
    }
    Ok(())
}

/// Adds a unique external id to Opportunity, unless it exists.
pub(super) fn external_id(load: &mut Load<'_>, name: &str) {
    let known = load.org.schema.object("Opportunity").is_some_and(|object| object.field(name).is_some());
    if known {
        return;
    }
    let field = Field { external_id: true, id_lookup: true, unique: true, ..Field::new(name, FieldKind::String) };
    load.org.schema.add_field("Opportunity", field);
    if let Some(object) = load.org.schema.object("Opportunity").cloned() {
        load.org.store.reindex(&object);
    }
}
