//! Picklist values by record type, which only the UI API returns: a describe lists the values of all record types together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::transport::Request;
use crate::{Client, Error, FieldName, ObjectName, RecordId};

/// The master record type, which every object of every org has.
pub const MASTER_RECORD_TYPE: RecordId = RecordId::from_static(b"012000000000000AAA");

/// The values of a picklist field for one record type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Picklist {
    /// The values, in the order of Setup.
    pub values: Vec<PicklistValue>,
    /// The values of the controlling field, with their indexes.
    #[serde(default)]
    pub controller_values: BTreeMap<String, u32>,
    /// The value that a new record gets.
    #[serde(default)]
    pub default_value: Option<PicklistValue>,
}

/// A picklist value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct PicklistValue {
    /// The value that records hold.
    pub value: String,
    /// Label in the user's language.
    pub label: String,
    /// The indexes of the controlling values that allow it; empty without a controlling field.
    #[serde(default)]
    pub valid_for: Vec<u32>,
    /// Attributes of special fields; see [`PicklistValue::stage`].
    #[serde(default)]
    pub attributes: Value,
}

/// The attributes of an opportunity stage.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageAttributes {
    /// `true` if the opportunity is closed.
    pub closed: bool,
    /// `true` if the opportunity is won.
    pub won: bool,
    /// The default probability, in percent.
    pub default_probability: Option<f64>,
    /// The forecast category, such as `Pipeline` or `Best Case`.
    pub forecast_category_name: Option<String>,
}

impl PicklistValue {
    /// Returns the attributes of an opportunity stage; `None` for other fields.
    pub fn stage(&self) -> Option<StageAttributes> {
        StageAttributes::deserialize(&self.attributes).ok()
    }
}

impl Client {
    /// Fetches the values of all picklists of an object for a record type, by field.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the record type is unknown or the UI API does not support the object.
    pub async fn fetch_picklist_values(
        &self,
        object: &ObjectName,
        record_type: &RecordId,
    ) -> Result<BTreeMap<FieldName, Picklist>, Error> {
        let path = format!("ui-api/object-info/{object}/picklist-values/{record_type}");
        let request = Request::get("fetch the picklist values", self.path(&path));
        let response = self.send(&request).await?;
        let fields: Fields = response.json()?;
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
    fn a_stage_has_its_attributes() {
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
    fn other_values_have_no_stage_attributes() {
        let value = json!({"attributes": null, "label": "Web", "validFor": [], "value": "Web"});
        let value: PicklistValue = serde_json::from_value(value).unwrap();
        assert_eq!(value.stage(), None);
    }

    #[test]
    fn the_master_record_type_is_a_valid_id() {
        assert_eq!("012000000000000".parse::<RecordId>().unwrap(), MASTER_RECORD_TYPE);
    }
}
