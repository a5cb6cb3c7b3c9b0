//! What an org says about its objects and fields.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FieldName, ObjectName, RecordId};

/// An object in the list of all objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ObjectSummary {
    /// API name.
    pub name: ObjectName,
    /// Label in the user's language.
    pub label: String,
    /// The first three characters of its records' ids; some objects have none.
    pub key_prefix: Option<String>,
    /// Made by the customer or by a package.
    pub custom: bool,
    /// Whether the user may query it.
    pub queryable: bool,
    /// Whether the user may create records.
    pub createable: bool,
    /// Whether the user may change records.
    pub updateable: bool,
    /// Whether [`Client::fetch_updated`](crate::Client::fetch_updated) works for it.
    pub replicateable: bool,
}

/// An object with its fields and record types, as far as the calling user may see them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ObjectDescribe {
    /// API name.
    pub name: ObjectName,
    /// Label in the user's language.
    pub label: String,
    /// The first three characters of its records' ids; some objects have none.
    pub key_prefix: Option<String>,
    /// Made by the customer or by a package.
    pub custom: bool,
    /// Whether the user may query it.
    pub queryable: bool,
    /// Whether the user may create records.
    pub createable: bool,
    /// Whether the user may change records.
    pub updateable: bool,
    /// Whether [`Client::fetch_updated`](crate::Client::fetch_updated) works for it.
    pub replicateable: bool,
    /// The fields that the user may see.
    pub fields: Vec<FieldDescribe>,
    /// The record types, the master record type among them.
    #[serde(default)]
    pub record_type_infos: Vec<RecordTypeInfo>,
}

impl ObjectDescribe {
    /// The fields that hold values of their own: neither files, nor what other fields are put together to, nor what changes
    /// with every reader.
    #[must_use]
    pub fn readable_fields(&self) -> Vec<FieldName> {
        const COMPOUND: [&str; 3] = ["address", "base64", "location"];
        const OF_THE_READER: [&str; 2] = ["LastReferencedDate", "LastViewedDate"];
        let fields = self.fields.iter().filter(|field| !COMPOUND.contains(&field.field_type.as_str()));
        fields.map(|field| field.name.clone()).filter(|name| !OF_THE_READER.contains(&name.as_str())).collect()
    }
}

/// A field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct FieldDescribe {
    /// API name.
    pub name: FieldName,
    /// Label in the user's language.
    pub label: String,
    /// `string`, `picklist`, `reference`, `datetime`, ...
    #[serde(rename(deserialize = "type"))]
    pub field_type: String,
    /// Greatest number of characters; 0 where it does not apply.
    #[serde(default)]
    pub length: u32,
    /// Whether null is allowed.
    pub nillable: bool,
    /// Whether the user may set it in a new record.
    pub createable: bool,
    /// Whether the user may change it.
    pub updateable: bool,
    /// Whether a new record gets a value by itself.
    #[serde(default)]
    pub defaulted_on_create: bool,
    /// Whether it may stand in a WHERE.
    #[serde(default)]
    pub filterable: bool,
    /// Whether it may stand in an ORDER BY.
    #[serde(default)]
    pub sortable: bool,
    /// Whether records can be upserted by it.
    #[serde(default)]
    pub external_id: bool,
    /// Whether records can be looked up by it although it is no external id.
    #[serde(default)]
    pub id_lookup: bool,
    /// Whether two records cannot have the same value.
    #[serde(default)]
    pub unique: bool,
    /// A formula or roll-up.
    #[serde(default)]
    pub calculated: bool,
    /// Made by the customer or by a package.
    #[serde(default)]
    pub custom: bool,
    /// Whether only the listed picklist values are taken.
    #[serde(default)]
    pub restricted_picklist: bool,
    /// The objects that a reference may point to.
    #[serde(default)]
    pub reference_to: Vec<ObjectName>,
    /// The name of the relationship, for paths such as `Owner.Name`.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// The compound field that it is a part of: `BillingAddress` for `BillingCity`.
    #[serde(default)]
    pub compound_field_name: Option<String>,
    /// All values of a picklist, whatever the record type.
    #[serde(default)]
    pub picklist_values: Vec<PicklistEntry>,
    /// The default, where there is a constant one.
    #[serde(default)]
    pub default_value: Value,
}

impl FieldDescribe {
    /// Whether a new record needs a value from its creator.
    pub fn required_on_create(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }
}

/// A value of a picklist in a describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct PicklistEntry {
    /// Whether it may be chosen; old records may hold inactive ones.
    pub active: bool,
    /// Whether new records get it.
    #[serde(default)]
    pub default_value: bool,
    /// Label in the user's language; null is possible.
    pub label: Option<String>,
    /// What records hold.
    pub value: String,
}

/// A record type in a describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct RecordTypeInfo {
    /// Its id.
    pub record_type_id: RecordId,
    /// Label in the user's language.
    pub name: String,
    /// API name; old API versions leave it out.
    #[serde(default)]
    pub developer_name: Option<String>,
    /// Whether records can get it.
    #[serde(default)]
    pub active: bool,
    /// Whether the user's profile has it.
    pub available: bool,
    /// Whether it is the user's default.
    pub default_record_type_mapping: bool,
    /// Whether it is the master record type, which every object has.
    #[serde(default)]
    pub master: bool,
}
