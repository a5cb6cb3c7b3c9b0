//! The query parameters of a view.

use salesforce::FieldName;
use serde::Deserialize;
use store::PlatformUser;

use super::interactions::Position;
use super::kind::{Kind, Part};

/// The default number of records in a part.
const DEFAULT_LIMIT: u8 = 20;
/// The maximum number of records in a part. The descriptions of 50 tasks and 50 events fit into a response.
const MAX_LIMIT: u8 = 50;
/// The maximum number of names in `fields`, and their length in total: they are sent in a URL.
const MAX_FIELDS: usize = 200;
const MAX_FIELDS_BYTES: usize = 4_096;

/// The query parameters, not yet validated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewQuery {
    /// The acting user.
    #[serde(rename = "as")]
    pub(crate) user: Option<PlatformUser>,
    expand: Option<String>,
    fields: Option<String>,
    limit: Option<u8>,
    interactions_after: Option<String>,
}

/// A validated request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ViewRequest {
    /// The parts to read, in the order of the view.
    pub(super) parts: Vec<Part>,
    /// The fields of the record to return; all if `None`.
    pub(super) fields: Option<Vec<FieldName>>,
    /// The maximum number of records in a part.
    pub(super) limit: u8,
    /// The place after which the interactions start.
    pub(super) after: Option<Position>,
}

impl ViewRequest {
    /// Validates the parameters.
    ///
    /// # Errors
    /// The rule that one of them breaks.
    pub(crate) fn new(kind: &Kind, query: ViewQuery) -> Result<Self, &'static str> {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err("limit must be a number from 1 to 50");
        }
        Ok(Self {
            parts: parts(kind, query.expand.as_deref())?,
            fields: query.fields.as_deref().map(fields).transpose()?,
            limit,
            after: query.interactions_after.as_deref().map(str::parse).transpose()?,
        })
    }

    pub(super) fn wants(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

fn parts(kind: &Kind, expand: Option<&str>) -> Result<Vec<Part>, &'static str> {
    let Some(expand) = expand else { return Ok(kind.parts.to_vec()) };
    if expand == "none" {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = expand.split(',').map(str::trim).collect();
    let is_part = |name: &&str| kind.parts.iter().any(|part| part.name() == *name);
    if !names.iter().all(is_part) {
        return Err(kind.expand_rule);
    }
    Ok(kind.parts.iter().copied().filter(|part| names.contains(&part.name())).collect())
}

fn fields(names: &str) -> Result<Vec<FieldName>, &'static str> {
    const RULE: &str = "fields must list up to 200 API names of fields, separated by commas";
    let parsed: Result<Vec<FieldName>, _> = names.split(',').map(|name| name.trim().parse()).collect();
    let fields = parsed.map_err(|_| RULE)?;
    let is_valid = fields.len() <= MAX_FIELDS
        && names.len() <= MAX_FIELDS_BYTES
        && fields.iter().all(|field| !field.as_str().contains('.'));
    is_valid.then_some(fields).ok_or(RULE)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record_view::kind::{ACCOUNT_VIEW, LEAD_VIEW};

    fn request(query: Value) -> Result<ViewRequest, &'static str> {
        ViewRequest::new(&ACCOUNT_VIEW, serde_json::from_value(query).unwrap())
    }

    #[test]
    fn all_parts_are_read_unless_some_are_named() {
        let parts = |query| request(query).unwrap().parts;
        assert_eq!(parts(json!({})), ACCOUNT_VIEW.parts);
        assert_eq!(parts(json!({"expand": "notes, contacts"})), [Part::Contacts, Part::Notes]);
        assert_eq!(parts(json!({"expand": "none"})), []);
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let reason = |query| request(query).unwrap_err();
        assert!(reason(json!({"expand": "stage"})).contains("parts of an account: parent, contacts"));
        assert!(reason(json!({"expand": ""})).contains("or be none"));
        assert!(reason(json!({"limit": 51})).contains("1 to 50"));
        assert!(reason(json!({"fields": "Name,Owner.Name"})).contains("API names"));
        assert!(reason(json!({"fields": vec!["Name"; 201].join(",")})).contains("up to 200"));
        assert!(reason(json!({"interactions_after": "2~~0~00T000000000001"})).contains("next in the previous page"));
        assert!(serde_json::from_value::<ViewQuery>(json!({"colour": "red"})).is_err());
    }

    #[test]
    fn a_rule_for_expand_names_every_part() {
        for kind in
            [&ACCOUNT_VIEW, &LEAD_VIEW, &super::super::kind::CONTACT_VIEW, &super::super::kind::OPPORTUNITY_VIEW]
        {
            let names: Vec<_> = kind.parts.iter().map(|part| part.name()).collect();
            assert!(kind.expand_rule.contains(&names.join(", ")), "{}", kind.expand_rule);
        }
    }
}
