//! The look-up of one record by an external id.

use runtime::Schema;
use salesforce::{ExternalIdType, FieldName, ObjectName, RecordId, Soql, soql};
use serde::Deserialize;
use serde_json::Value;
use store::{Org, PlatformUser};

use crate::live::LiveReader;
use crate::record_view::read_record;
use crate::views::{RecordView, Source};
use crate::{Deps, Error};

/// The maximum number of records that a refusal names.
const MAX_NAMED: u32 = 10;

/// The query parameters of a look-up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookupQuery {
    /// The acting user.
    #[serde(rename = "as")]
    pub(crate) user: Option<PlatformUser>,
    /// The value of the external id. In the query and not in the path, because it may have slashes.
    pub(crate) value: String,
}

/// Finds the record whose external id has this value. Costs two calls, and those for what is not known of the object.
pub(crate) async fn find(
    deps: &Deps,
    org: &Org,
    (object, field): (&ObjectName, &FieldName),
    value: &str,
    user: Option<&PlatformUser>,
) -> Result<RecordView, Error> {
    let reader = LiveReader::open(deps, org, user).await?;
    let plan = |schema: &Schema| {
        schema.object(object).ok_or_else(|| Error::ObjectHidden(object.clone()))?;
        let hidden = || Error::FieldHidden { object: object.clone(), field: field.clone() };
        let field = schema.field(object, field.as_str()).ok_or_else(hidden)?;
        if !field.external_id && !field.id_lookup {
            return Err(Error::NoExternalId(field.name.clone()));
        }
        let literals = ExternalIdType::of(field).literals(&Value::from(value));
        if literals.is_empty() {
            return Err(Error::Invalid("value must be a value of the field"));
        }
        let same = soql::in_(&field.name, literals);
        Ok(vec![Soql::select(&[FieldName::ID]).from(object).where_(same).order_by(&FieldName::ID).limit(MAX_NAMED + 1)])
    };
    let (_, mut pages) = reader.query(std::slice::from_ref(object), plan).await?;
    let page = pages.pop().ok_or(Error::NotFound("record"))??;
    let ids: Vec<RecordId> = page.records.iter().map(|record| record.id).collect();
    match ids.as_slice() {
        [] => Err(Error::NotFound("record")),
        [id] => Ok(read_record(&reader, (object, *id)).await?.with_source(Source::live(user))),
        _ => Err(Error::SeveralRecords(ids)),
    }
}
