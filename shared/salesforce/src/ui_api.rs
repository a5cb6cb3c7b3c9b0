//! Picklist values as a record type offers them, which only the UI API tells:
//! a describe lists the values of all record types together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::transport::Request;
use crate::{Client, Error, FieldName, ObjectName, RecordId};

/// The record type that every object of every org has.
pub const MASTER_RECORD_TYPE: RecordId = RecordId::from_static(b"012000000000000AAA");

/// A picklist field's values for one record type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Picklist {
    /// The values, in the order of the org's set-up.
    pub values: Vec<PicklistValue>,
    /// The values of the controlling field, by their index.
    #[serde(default)]
    pub controller_values: BTreeMap<String, u32>,
}

/// A picklist value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct PicklistValue {
    /// What records hold; the key.
    pub value: String,
    /// Label in the user's language.
    pub label: String,
    /// Indexes of the controlling values that allow it; empty when nothing controls it.
    #[serde(default)]
    pub valid_for: Vec<u32>,
    /// What is particular to some fields; see [`PicklistValue::stage`].
    #[serde(default)]
    pub attributes: Value,
}

/// What an opportunity stage says about itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageAttributes {
    /// Whether the opportunity is over.
    pub closed: bool,
    /// Whether it is won.
    pub won: bool,
    /// In percent.
    pub default_probability: Option<f64>,
    /// Such as `Pipeline` or `Best Case`.
    pub forecast_category_name: Option<String>,
}

impl PicklistValue {
    /// The attributes of an opportunity stage, where the value is one.
    pub fn stage(&self) -> Option<StageAttributes> {
        StageAttributes::deserialize(&self.attributes).ok()
    }
}

impl Client {
    /// The values of all picklists of an object for a record type, by field.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the record type is unknown or the object is not supported.
    pub async fn fetch_picklist_values(
        &self,
        object: &ObjectName,
        record_type: &RecordId,
    ) -> Result<BTreeMap<FieldName, Picklist>, Error> {
        let path = format!("ui-api/object-info/{object}/picklist-values/{record_type}");
        let request = Request::get("fetch picklist values", self.path(&path));
        let answer = self.send(&request).await?;
        let fields: Fields = answer.json()?;
        Ok(fields.picklist_field_values)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    picklist_field_values: BTreeMap<FieldName, Picklist>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stage_tells_what_it_means() {
        let value: PicklistValue = serde_json::from_value(json!({
            "attributes": {"closed": true, "defaultProbability": 100.0, "forecastCategoryName": "Closed",
                "picklistAtrributesValueType": "OpportunityStage", "won": true},
            "label": "Gewonnen", "validFor": [], "value": "Closed Won",
        }))
        .unwrap();
        let stage = value.stage().unwrap();
        assert!(stage.closed && stage.won);
        assert_eq!(stage.default_probability, Some(100.0));
        assert_eq!(value.value, "Closed Won");
    }

    #[test]
    fn a_value_that_is_no_stage_has_no_stage_attributes() {
        let value = json!({"attributes": null, "label": "Web", "validFor": [], "value": "Web"});
        let value: PicklistValue = serde_json::from_value(value).unwrap();
        assert_eq!(value.stage(), None);
    }

    #[test]
    fn the_master_record_type_is_an_id_like_any_other() {
        assert_eq!("012000000000000".parse::<RecordId>().unwrap(), MASTER_RECORD_TYPE);
    }
}
