//! Writes a row of an upload by the rules of single writes, and formats errors as the text of `sf__Error`.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Value as Json};

use crate::api::describe::soap_type;
use crate::data::write::Upserted;
use crate::model::bulk::columns::{Column, Columns, NULL};
use crate::model::bulk::ingest::{Ingest, Operation, Outcome};
use crate::model::bulk::job::Head;
use crate::model::change_events::Origin;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::value::Value;

pub(crate) fn column(org: &Org, job: &Head, object: &Object, name: &str) -> Option<Column> {
    if let Some(field) = object.field(name) {
        return org.may_read_field(&job.actor, object, field).then(|| Column::Field(field.name.clone()));
    }
    let (kind, path) = name.split_once(':').map_or((None, name), |(kind, path)| (Some(kind), path));
    let (relationship, key) = path.split_once('.')?;
    let reference = &object.fields[object.relationship(relationship)?];
    let may_be = |to: &&String| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(to));
    let targets = reference.reference_to.iter().filter(may_be).filter_map(|to| org.schema.object(to));
    let is_key = |target: &Object| {
        target.field(key).is_some_and(|field| field.is_key() && org.may_read_field(&job.actor, target, field))
    };
    let target = targets.into_iter().find(|target| is_key(target))?;
    org.may_read_field(&job.actor, object, reference).then(|| Column::Parent {
        relationship: reference.relationship.clone().unwrap_or_default(),
        reference: reference.name.clone(),
        key: target.field(key).map_or_else(String::new, |field| field.name.clone()),
        kind: kind.map(|_| target.name.clone()),
    })
}

/// Processes the rows of one chunk, each in a transaction of its own.
pub(super) fn work(org: &mut Org, job: &Head, columns: &Columns, ingest: &Ingest, chunk: Range<usize>) -> Vec<Outcome> {
    let rows: Vec<Vec<String>> = chunk.map(|at| ingest.table.values_of(at, job.format)).collect();
    let key_of = |row: &[String]| columns.key.and_then(|at| row.get(at)).map(|key| key.to_lowercase());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for key in rows.iter().filter_map(|row| key_of(row)).filter(|key| !key.is_empty()) {
        *seen.entry(key).or_default() += 1;
    }
    let writer = Writer { job, columns, ingest };
    let one = |row: &Vec<String>| {
        let twice = key_of(row).and_then(|key| seen.get(&key)).is_some_and(|count| *count > 1);
        let start = org.savepoint();
        let outcome = if twice { Err(writer.repeated_external_id(row)) } else { writer.write(org, row) };
        if outcome.is_err() {
            org.rollback(&start);
        }
        org.commit(Origin { api: Some(("bulkapi", &job.version)), client: None, user: Some(job.actor.user) });
        outcome.unwrap_or_else(|error| {
            let id = columns.id.and_then(|at| RecordId::parse(row.get(at)?));
            Outcome::Failed { id, error: error_text(&error) }
        })
    };
    rows.iter().map(one).collect()
}

#[derive(Clone, Copy)]
struct Writer<'a> {
    job: &'a Head,
    columns: &'a Columns,
    ingest: &'a Ingest,
}

impl Writer<'_> {
    fn write(self, org: &mut Org, row: &[String]) -> Result<Outcome, ApiError> {
        let (actor, object) = (&self.job.actor, self.job.object.as_str());
        let done = |id, created| Ok(Outcome::Done { id, created });
        match self.ingest.operation {
            Operation::Insert => {
                if self.id_text(row).is_some_and(|id| !id.is_empty()) {
                    let message = "cannot specify Id in an insert call";
                    return Err(ApiError::new("INVALID_FIELD_FOR_INSERT_UPDATE", message).fields(["Id"]));
                }
                let body = self.columns.body(row, None);
                let id = org.create(actor, object, &body).map_err(|error| self.reword_type_error(org, error, &body))?;
                done(id, true)
            }
            Operation::Update => {
                let (id, body) = (self.id(row, "an update")?, self.columns.body(row, self.columns.id));
                org.update(actor, object, id, &body).map_err(|error| self.reword_type_error(org, error, &body))?;
                done(id, false)
            }
            Operation::Upsert => self.upsert(org, row),
            Operation::Delete => {
                let id = self.id(row, "a delete")?;
                org.delete(actor, object, id)?;
                done(id, false)
            }
            Operation::HardDelete => {
                let id = self.id(row, "a delete")?;
                org.delete(actor, object, id)?;
                let object = org.object(object)?;
                org.store.purge(&object, id);
                done(id, false)
            }
        }
    }

    fn upsert(self, org: &mut Org, row: &[String]) -> Result<Outcome, ApiError> {
        let name = self.ingest.external_id.as_deref().unwrap_or("Id");
        let value = self.columns.key.and_then(|at| row.get(at)).map_or("", String::as_str);
        let value = if value == NULL { "" } else { value };
        let body = self.columns.body(row, self.columns.key);
        let written = org
            .upsert(&self.job.actor, &self.job.object, (name, &Json::from(value)), &body)
            .map_err(|error| self.reword_type_error(org, error, &body))?;
        match written {
            Upserted::Created(id) => Ok(Outcome::Done { id, created: true }),
            Upserted::Updated(id) => Ok(Outcome::Done { id, created: false }),
            Upserted::Ambiguous(ids) => {
                let ids: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
                let ids = ids.join(", ");
                let message = format!("{name}: more than one record found for external id field: [{ids}]");
                Err(ApiError::new("DUPLICATE_EXTERNAL_ID", message).fields([name]))
            }
        }
    }

    /// Returns the error for two rows of one chunk with the same external id; neither is written.
    fn repeated_external_id(self, row: &[String]) -> ApiError {
        let name = self.ingest.external_id.as_deref().unwrap_or("Id");
        let value = self.columns.key.and_then(|at| row.get(at)).map_or("", String::as_str);
        ApiError::new("DUPLICATE_VALUE", format!("Duplicate external id specified: {value}")).fields([name])
    }

    fn id_text(self, row: &[String]) -> Option<&str> {
        self.columns.id.and_then(|at| row.get(at)).map(|text| text.trim())
    }

    fn id(self, row: &[String], call: &str) -> Result<RecordId, ApiError> {
        let text = self.id_text(row).unwrap_or_default();
        if text.is_empty() {
            return Err(ApiError::no_id(call));
        }
        let malformed = || {
            let message = format!("{} ID: id value of incorrect type: {text}", self.job.object);
            ApiError::new("MALFORMED_ID", message).fields(["Id"])
        };
        RecordId::parse(text).ok_or_else(malformed)
    }

    /// Rewords an error about a value's type as the Bulk API does, not as a JSON parser does. Columns are counted from 0.
    fn reword_type_error(self, org: &Org, error: ApiError, body: &Map<String, Json>) -> ApiError {
        if error.code != "JSON_PARSER_ERROR" {
            return error;
        }
        let Ok(object) = org.object(&self.job.object) else { return error };
        let wrong = body.iter().find_map(|(name, value)| {
            let field = object.field(name)?;
            Value::read(field, value).is_err_and(|of_field| of_field == error).then_some((field, value))
        });
        let Some((field, value)) = wrong else { return error };
        let text = value.as_str().unwrap_or_default();
        let is_column = |column: &Column| matches!(column, Column::Field(name) if *name == field.name);
        let at = self.columns.all.iter().position(is_column).unwrap_or_default();
        let kind = soap_type(field.kind);
        let message = format!(
            "Failed to deserialize field at col {at}. Due to, '{text}' is not a valid value for the type {kind}"
        );
        ApiError::new("INVALID_FIELD", message).fields([&field.name])
    }
}

/// Formats `CODE:message:fields --` for each error, the text of `sf__Error` (recorded for one error).
fn error_text(error: &ApiError) -> String {
    let text = |error: &ApiError| {
        let fields = error.fields.as_deref().unwrap_or_default().join(", ");
        let gap = if fields.is_empty() { "" } else { " " };
        format!("{}:{}:{fields}{gap}--", error.code, error.message)
    };
    error.all().map(text).collect()
}

impl Columns {
    /// Resolves a header. A field that the user may not see does not exist for the job either.
    pub(crate) fn new(org: &Org, job: &Head, ingest: &Ingest) -> Result<Self, String> {
        let object = org.object(&job.object).map_err(|error| error.message)?;
        let names = &ingest.table.columns;
        let unknown = |name: &str| format!("InvalidBatch : Field name not found : {name}");
        let of = |name: &String| column(org, job, &object, name.trim()).ok_or_else(|| unknown(name));
        let all: Vec<Column> = names.iter().map(of).collect::<Result<_, _>>()?;
        for (at, name) in names.iter().enumerate() {
            if names[..at].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
                return Err(format!("InvalidBatch : Duplicate field name found : {name}"));
            }
        }
        let find = |requested: &str| {
            all.iter().position(|column| matches!(column, Column::Field(name) if name.eq_ignore_ascii_case(requested)))
        };
        let id = find("Id");
        let key = ingest.external_id.as_deref().and_then(find);
        match ingest.operation {
            Operation::Insert => {}
            Operation::Update if id.is_none() => return Err(unknown("Id")),
            Operation::Update => {}
            Operation::Upsert if key.is_none() => {
                return Err(unknown(ingest.external_id.as_deref().unwrap_or_default()));
            }
            Operation::Upsert => {}
            Operation::Delete | Operation::HardDelete => {
                if id.is_none() || all.len() > 1 {
                    let name = ingest.operation.name();
                    return Err(format!("InvalidBatch : The '{name}' batch must contain only ids"));
                }
            }
        }
        Ok(Self { all, id, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_fields_before_the_dashes() {
        let missing = ApiError::new("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]").fields(["Name"]);
        assert_eq!(error_text(&missing), "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --");
        let plain = ApiError::new("DUPLICATE_VALUE", "duplicate value found").no_fields();
        assert_eq!(error_text(&plain), "DUPLICATE_VALUE:duplicate value found:--");
    }
}
