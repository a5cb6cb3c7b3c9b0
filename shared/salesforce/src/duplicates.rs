//! The existing records that a duplicate rule of the org found (`DuplicateResult`).

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::{ObjectName, RecordId};

/// The result of the duplicate rule that refused a record. Salesforce names it in the response about a single record, also in
/// a part of a composite request or of a graph; in a collection the error has only its code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateResult {
    /// The developer name of the duplicate rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// `true` if the rule alerts: the record can be saved in spite of it. `false` if it blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_save: Option<bool>,
    /// The records that it found.
    #[serde(default)]
    pub matches: Vec<DuplicateMatch>,
}

/// A record that a duplicate rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateMatch {
    /// The object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// The id.
    pub id: RecordId,
    /// The developer name of the matching rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching_rule: Option<String>,
    /// The confidence of the match, from 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Number>,
}

impl DuplicateResult {
    /// Reads Salesforce's form; `None` if it has another one.
    pub(crate) fn read(json: &Value) -> Option<Self> {
        let results = json.get("matchResults")?.as_array()?;
        let text = |json: &Value, name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let matches = results.iter().flat_map(|result| {
            let found = result.get("matchRecords").and_then(Value::as_array).into_iter().flatten();
            found.filter_map(move |found| {
                let record = found.get("record")?;
                let object = record.pointer("/attributes/type").or_else(|| result.get("entityType"));
                Some(DuplicateMatch {
                    object: object.and_then(Value::as_str).and_then(|name| name.parse().ok()),
                    id: record.get("Id")?.as_str()?.parse().ok()?,
                    matching_rule: text(result, "rule"),
                    confidence: found.get("matchConfidence").and_then(Value::as_number).cloned(),
                })
            })
        });
        let allow_save = json.get("allowSave").and_then(Value::as_bool);
        Some(Self { rule: text(json, "duplicateRule"), allow_save, matches: matches.collect() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_names_rule_matches_and_confidence() {
        let json = json!({
            "allowSave": true, "duplicateRule": "Standard_Account_Duplicate_Rule", "matchResults": [{
                "entityType": "Account", "rule": "Standard_Account_Match_Rule", "matchRecords": [
                    {"matchConfidence": 90.5, "record": {"attributes": {"type": "Account"}, "Id": "001D000000IRFmaIAH"}},
                    {"record": {"Id": "001D000000IRFmbIAH"}}, {"record": {"Id": "not an id"}},
                ],
            }],
        });
        let result = DuplicateResult::read(&json).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&result).unwrap(), @r#"
        {
          "rule": "Standard_Account_Duplicate_Rule",
          "allow_save": true,
          "matches": [
            {
              "object": "Account",
              "id": "001D000000IRFmaIAH",
              "matching_rule": "Standard_Account_Match_Rule",
              "confidence": 90.5
            },
            {
              "object": "Account",
              "id": "001D000000IRFmbIAH",
              "matching_rule": "Standard_Account_Match_Rule"
            }
          ]
        }
        "#);
        let stored = serde_json::to_value(&result).unwrap();
        assert_eq!(serde_json::from_value::<DuplicateResult>(stored).unwrap(), result);
        assert_eq!(DuplicateResult::read(&json!("?")), None);
    }
}
