//! The filter of an opportunity list, for the mirror's rows and, as SOQL, for Salesforce.

use salesforce::{FieldName, ObjectName, RecordId, Soql, soql};
use serde::Deserialize;
use serde_json::{Map, Value};
use store::PlatformUser;

/// The object of the list.
pub(crate) const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
/// The default number of rows in a page.
const DEFAULT_LIMIT: u16 = 50;
/// The maximum number of rows in a page.
const MAX_LIMIT: u16 = 200;

const ACCOUNT: FieldName = FieldName::from_static("AccountId");
const OWNER: FieldName = FieldName::from_static("OwnerId");
const STAGE: FieldName = FieldName::from_static("StageName");
const CLOSED: FieldName = FieldName::from_static("IsClosed");

/// The query parameters of a list, not yet validated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// The acting user.
    #[serde(rename = "as")]
    pub(crate) user: Option<PlatformUser>,
    account: Option<String>,
    owner: Option<String>,
    stage: Option<String>,
    open: Option<bool>,
    limit: Option<u16>,
    after: Option<String>,
}

/// A validated list request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpportunityFilter {
    account: Option<RecordId>,
    owner: Option<RecordId>,
    stage: Option<String>,
    open: Option<bool>,
    /// The number of rows in a page, 1 to 200.
    pub(crate) limit: u16,
    /// Only rows with a greater id.
    pub(crate) after: Option<RecordId>,
}

impl TryFrom<ListQuery> for OpportunityFilter {
    type Error = &'static str;

    fn try_from(query: ListQuery) -> Result<Self, Self::Error> {
        let id = |text: Option<String>, detail| text.map(|text| text.parse().map_err(|_| detail)).transpose();
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err("limit must be a number from 1 to 200");
        }
        if query.stage.as_ref().is_some_and(|stage| stage.is_empty() || stage.chars().count() > 255) {
            return Err("stage must be the API name of a stage");
        }
        Ok(Self {
            account: id(query.account, "account must be a record id")?,
            owner: id(query.owner, "owner must be a record id")?,
            stage: query.stage,
            open: query.open,
            limit,
            after: id(query.after, "after must be the value of next in the previous page")?,
        })
    }
}

impl OpportunityFilter {
    /// Returns whether a row matches the filter.
    pub(crate) fn matches(&self, fields: &Map<String, Value>) -> bool {
        let text = |field: FieldName| fields.get(field.as_str()).and_then(Value::as_str);
        // Ids are compared as parsed values, because an id of 15 characters and its form of 18 are the same id.
        let has_id = |id: Option<RecordId>, field: FieldName| {
            id.is_none_or(|id| text(field).and_then(|text| text.parse().ok()) == Some(id))
        };
        let closed = fields.get(CLOSED.as_str()).and_then(Value::as_bool);
        has_id(self.account, ACCOUNT)
            && has_id(self.owner, OWNER)
            && self.stage.as_deref().is_none_or(|stage| text(STAGE) == Some(stage))
            && self.open.is_none_or(|open| closed == Some(!open))
    }

    /// Renders the filter as SOQL. The query asks for one row more than the page holds: that row shows that another page follows.
    pub(crate) fn soql(&self, fields: &[FieldName]) -> Soql {
        let conditions = [
            self.account.map(|id| soql::eq(&ACCOUNT, id)),
            self.owner.map(|id| soql::eq(&OWNER, id)),
            self.stage.as_deref().map(|stage| soql::eq(&STAGE, stage)),
            self.open.map(|open| soql::eq(&CLOSED, !open)),
            self.after.map(|id| soql::gt(&FieldName::ID, id)),
        ];
        let query = Soql::select(fields).from(&OPPORTUNITY);
        let filtered = conditions.into_iter().flatten().fold(query, Soql::where_);
        filtered.order_by(&FieldName::ID).limit(u32::from(self.limit) + 1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT_ID: &str = "001D000000IRFmaIAH";
    const OWNER_ID: &str = "005D0000001aaaaIAA";

    fn query(parameters: Value) -> ListQuery {
        serde_json::from_value(parameters).unwrap()
    }

    fn filter(parameters: Value) -> OpportunityFilter {
        query(parameters).try_into().unwrap()
    }

    fn row() -> Map<String, Value> {
        let row = json!({"AccountId": ACCOUNT_ID, "OwnerId": OWNER_ID, "StageName": "Prospecting", "IsClosed": false});
        row.as_object().unwrap().clone()
    }

    #[test]
    fn without_a_condition_every_row_matches() {
        assert!(filter(json!({})).matches(&row()));
        assert_eq!(filter(json!({})).limit, 50);
    }

    #[test]
    fn each_condition_excludes_the_rows_that_differ() {
        for (matching, other) in [
            (json!({"account": &ACCOUNT_ID[..15]}), json!({"account": "001D000000IRFmb"})),
            (json!({"owner": OWNER_ID}), json!({"owner": "005D0000001bbbb"})),
            (json!({"stage": "Prospecting"}), json!({"stage": "prospecting"})),
            (json!({"open": true}), json!({"open": false})),
        ] {
            assert!(filter(matching.clone()).matches(&row()), "{matching}");
            assert!(!filter(other.clone()).matches(&row()), "{other}");
        }
    }

    #[test]
    fn a_row_without_the_filtered_field_does_not_match() {
        assert!(!filter(json!({"open": true})).matches(&Map::new()));
        assert!(!filter(json!({"account": ACCOUNT_ID})).matches(&Map::new()));
    }

    #[test]
    fn the_soql_has_the_same_conditions_and_orders_by_id() {
        let parameters =
            json!({"account": ACCOUNT_ID, "stage": "Won's", "open": false, "after": "006D000000C7xAh", "limit": 10});
        insta::assert_snapshot!(
            filter(parameters).soql(&[FieldName::ID, STAGE]).to_string(),
            @r"SELECT Id, StageName FROM Opportunity WHERE (((AccountId = '001D000000IRFmaIAH' AND StageName = 'Won\'s') AND IsClosed = TRUE) AND Id > '006D000000C7xAhIAJ') ORDER BY Id LIMIT 11"
        );
    }

    #[test]
    fn an_invalid_value_is_named() {
        let reason = |parameters: Value| OpportunityFilter::try_from(query(parameters)).unwrap_err();
        assert_eq!(reason(json!({"limit": 0})), "limit must be a number from 1 to 200");
        assert_eq!(reason(json!({"limit": 201})), "limit must be a number from 1 to 200");
        assert_eq!(reason(json!({"owner": "me"})), "owner must be a record id");
        assert_eq!(reason(json!({"stage": ""})), "stage must be the API name of a stage");
    }

    #[test]
    fn an_unknown_condition_is_refused() {
        assert!(serde_json::from_value::<ListQuery>(json!({"colour": "red"})).is_err());
    }
}
