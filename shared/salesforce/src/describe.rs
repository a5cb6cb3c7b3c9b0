//! Describes: the metadata of objects and fields.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::composite::{CompositeRequest, MAX_SUBREQUESTS, Subrequest};
use crate::transport::Request;
use crate::{Client, Error, FieldName, ObjectName, RecordId};

/// An object in the list of objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ObjectSummary {
    /// API name.
    pub name: ObjectName,
    /// Label in the user's language.
    pub label: String,
    /// The first three characters of its records' ids; some objects have none.
    pub key_prefix: Option<String>,
    /// `true` if a customer or a package defined it.
    pub custom: bool,
    /// `true` if the user may query it.
    pub queryable: bool,
    /// `true` if the user may create records.
    pub createable: bool,
    /// `true` if the user may update records.
    pub updateable: bool,
    /// `true` if the user may delete records.
    #[serde(default)]
    pub deletable: bool,
    /// `true` if the user may restore records from the recycle bin.
    #[serde(default)]
    pub undeletable: bool,
    /// `true` if records can be merged.
    #[serde(default)]
    pub mergeable: bool,
    /// `true` if the replication API (get updated, get deleted) supports it.
    pub replicateable: bool,
}

/// An object with the fields and record types that the calling user can access.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ObjectDescribe {
    /// The object itself.
    #[serde(flatten)]
    pub summary: ObjectSummary,
    /// `true` if a search by text finds its records.
    #[serde(default)]
    pub searchable: bool,
    /// The fields that the user can access.
    pub fields: Vec<FieldDescribe>,
    /// The record types, including the master record type.
    #[serde(default)]
    pub record_type_infos: Vec<RecordTypeInfo>,
}

impl ObjectDescribe {
    /// Returns the fields to read: without compound fields and files, and without fields that change when a user views the
    /// record.
    #[must_use]
    pub fn readable_fields(&self) -> Vec<FieldName> {
        const COMPOUND: [&str; 3] = ["address", "base64", "location"];
        const PER_USER: [&str; 2] = ["LastReferencedDate", "LastViewedDate"];
        let fields = self.fields.iter().filter(|field| !COMPOUND.contains(&field.field_type.as_str()));
        fields.map(|field| field.name.clone()).filter(|name| !PER_USER.contains(&name.as_str())).collect()
    }
}

/// A field in a describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct FieldDescribe {
    /// API name.
    pub name: FieldName,
    /// Label in the user's language.
    pub label: String,
    /// The data type: `string`, `picklist`, `reference`, `datetime`, ...
    #[serde(rename(deserialize = "type"))]
    pub field_type: String,
    /// The maximum number of characters; 0 for other types than text.
    #[serde(default)]
    pub length: u32,
    /// The number of digits after the decimal point; 0 for other types than numbers.
    #[serde(default)]
    pub scale: u32,
    /// The number of digits of a number with a scale, those after the decimal point included; otherwise 0.
    #[serde(default)]
    pub precision: u32,
    /// The number of digits of a whole number; otherwise 0.
    #[serde(default)]
    pub digits: u32,
    /// `true` if values that differ in case are different values.
    #[serde(default)]
    pub case_sensitive: bool,
    /// `true` if null is allowed.
    pub nillable: bool,
    /// `true` if the user may set it in a new record.
    pub createable: bool,
    /// `true` if the user may update it.
    pub updateable: bool,
    /// `true` if Salesforce sets a default in a new record.
    #[serde(default)]
    pub defaulted_on_create: bool,
    /// `true` for the field that names the object's records: `Name`, a task's `Subject`, ...
    #[serde(default)]
    pub name_field: bool,
    /// `true` if a WHERE clause can use it.
    #[serde(default)]
    pub filterable: bool,
    /// `true` if an ORDER BY clause can use it.
    #[serde(default)]
    pub sortable: bool,
    /// `true` if it is an external id, by which records can be upserted.
    #[serde(default)]
    pub external_id: bool,
    /// `true` if it identifies records in an upsert without being an external id, such as `Id` or a user's `Username`.
    #[serde(default)]
    pub id_lookup: bool,
    /// `true` if values are unique.
    #[serde(default)]
    pub unique: bool,
    /// `true` for a formula or a roll-up summary.
    #[serde(default)]
    pub calculated: bool,
    /// `true` if a customer or a package defined it.
    #[serde(default)]
    pub custom: bool,
    /// `true` if Salesforce accepts only the listed picklist values.
    #[serde(default)]
    pub restricted_picklist: bool,
    /// `true` if values contain HTML.
    #[serde(default, skip_serializing)]
    pub html_formatted: bool,
    /// The target objects of a reference.
    #[serde(default)]
    pub reference_to: Vec<ObjectName>,
    /// The relationship name of a reference, for paths such as `Owner.Name`.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// The place of a master-detail relationship among those of its object, from 0; `None` for another field.
    #[serde(default)]
    pub relationship_order: Option<u32>,
    /// The compound field that contains it: `BillingAddress` for `BillingCity`.
    #[serde(default)]
    pub compound_field_name: Option<String>,
    /// The picklist values of all record types together.
    #[serde(default)]
    pub picklist_values: Vec<PicklistEntry>,
    /// The field whose value decides which of the picklist values can be selected.
    #[serde(default)]
    pub controller_name: Option<FieldName>,
    /// The default value, if it is a constant.
    #[serde(default)]
    pub default_value: Value,
    /// The formula of the default value, if it has one.
    #[serde(default)]
    pub default_value_formula: Option<String>,
}

impl FieldDescribe {
    /// Returns whether Salesforce refuses a new record of the user without a value for this field. A check box has always a value.
    #[must_use]
    pub fn is_required_on_create(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create && self.field_type != "boolean"
    }
}

/// A value of a picklist in a describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct PicklistEntry {
    /// `true` if it can be selected; existing records may hold inactive values.
    pub active: bool,
    /// `true` for the default of new records.
    #[serde(default)]
    pub default_value: bool,
    /// Label in the user's language; it can be null.
    pub label: Option<String>,
    /// The value that records hold.
    pub value: String,
    /// The places of the controlling values that allow it, as a bitmap in base64; see [`PicklistEntry::is_valid_for`].
    #[serde(default, skip_serializing)]
    pub valid_for: Option<String>,
}

impl PicklistEntry {
    /// Returns whether the value of the controlling field at this place, from 0 in the order of its describe, allows this value.
    #[must_use]
    pub fn is_valid_for(&self, place: usize) -> bool {
        let bitmap = self.valid_for.as_deref().and_then(|text| BASE64_STANDARD.decode(text).ok()).unwrap_or_default();
        bitmap.get(place / 8).is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0)
    }
}

/// A record type in a describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct RecordTypeInfo {
    /// The id of the record type.
    pub record_type_id: RecordId,
    /// Label in the user's language.
    pub name: String,
    /// API name; absent in old API versions.
    #[serde(default)]
    pub developer_name: Option<String>,
    /// `true` if it can be assigned to records.
    #[serde(default)]
    pub active: bool,
    /// `true` if the user's profile has it.
    pub available: bool,
    /// `true` for the user's default.
    pub default_record_type_mapping: bool,
    /// `true` for the master record type, which every object has.
    #[serde(default)]
    pub master: bool,
}

impl Client {
    /// Returns the fields and record types of an object that the connected user can access.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` if the user has no access to the object, and sometimes in passing:
    /// [`Client::find_object`] tells the two apart.
    pub async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        let path = self.path(&format!("sobjects/{object}/describe"));
        self.send(&Request::get("describe the object", path)).await?.json()
    }

    /// Returns the fields and record types of an object; `None` if it does not exist or the user has no access to it, which the
    /// list of the objects confirms with a second request.
    ///
    /// # Errors
    ///
    /// Those of any call; an error that passes if the object is in the list.
    pub async fn find_object(&self, object: &ObjectName) -> Result<Option<ObjectDescribe>, Error> {
        let error = match self.describe(object).await {
            Ok(describe) => return Ok(Some(describe)),
            Err(error) if error.is_hidden() => error,
            Err(error) => return Err(error),
        };
        let listed = self.describe_global().await?;
        let is_listed = listed.iter().any(|listed| listed.name == *object);
        if is_listed { Err(error.contradicted()) } else { Ok(None) }
    }

    /// Returns the fields and record types of several objects, in the order of the names, each with its own error; `None` for an
    /// object that does not exist or that the user has no access to.
    ///
    /// Costs one call for every 25 objects, and one call for the list of the objects if one of them was not found, to confirm
    /// it.
    ///
    /// # Errors
    ///
    /// Those of the whole request; of an object, an error that passes if it was not found although it is in the list.
    pub async fn find_objects(
        &self,
        objects: &[ObjectName],
    ) -> Result<Vec<Result<Option<ObjectDescribe>, Error>>, Error> {
        let mut found: Vec<Result<ObjectDescribe, Error>> = Vec::with_capacity(objects.len());
        for objects in objects.chunks(MAX_SUBREQUESTS) {
            let describe = |(position, object): (usize, &ObjectName)| Subrequest {
                method: "GET",
                url: format!("sobjects/{object}/describe"),
                reference_id: format!("object{position}"),
                body: None,
            };
            let requests = objects.iter().enumerate().map(describe).collect();
            for response in self.send_composite(&CompositeRequest { all_or_none: false, requests }).await? {
                found.push(response.json("describe the object"));
            }
        }
        if found.iter().any(|result| result.as_ref().is_err_and(Error::is_hidden)) {
            let listed = self.describe_global().await?;
            let is_listed = |object: &ObjectName| listed.iter().any(|listed| listed.name == *object);
            let confirm = |(object, result): (&ObjectName, Result<_, Error>)| match result {
                Ok(describe) => Ok(Some(describe)),
                Err(error) if error.is_hidden() && !is_listed(object) => Ok(None),
                Err(error) if error.is_hidden() => Err(error.contradicted()),
                Err(error) => Err(error),
            };
            return Ok(objects.iter().zip(found).map(confirm).collect());
        }
        Ok(found.into_iter().map(|result| result.map(Some)).collect())
    }

    /// Returns all objects that the connected user can access.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn describe_global(&self) -> Result<Vec<ObjectSummary>, Error> {
        let request = Request::get("list the objects", self.path("sobjects"));
        let response = self.send(&request).await?;
        response.json::<Objects>().map(|objects| objects.sobjects)
    }
}

#[derive(Deserialize)]
struct Objects {
    sobjects: Vec<ObjectSummary>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(json: Value) -> FieldDescribe {
        let mut field = json!({
            "name": "Industry", "label": "Industry", "type": "picklist", "nillable": false, "createable": true, "updateable": true,
        });
        field.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(field).unwrap()
    }

    #[test]
    fn a_field_is_required_if_nothing_else_gives_it_a_value() {
        assert!(field(json!({})).is_required_on_create());
        for change in [
            json!({"nillable": true}),
            json!({"createable": false}),
            json!({"defaultedOnCreate": true}),
            json!({"type": "boolean"}),
        ] {
            assert!(!field(change.clone()).is_required_on_create(), "{change}");
        }
    }

    #[test]
    fn the_bitmap_of_a_dependent_value_begins_with_the_highest_bit() {
        let entry = |bits: &str| PicklistEntry {
            active: true,
            default_value: false,
            label: None,
            value: "Small".to_owned(),
            valid_for: Some(bits.to_owned()),
        };
        // 0b1010_0000, 0b0000_0001
        let places = |bits: &str| (0..24).filter(|place| entry(bits).is_valid_for(*place)).collect::<Vec<_>>();
        assert_eq!(places("oAE="), [0, 2, 15]);
        assert!(places("no base64").is_empty());
    }
}
