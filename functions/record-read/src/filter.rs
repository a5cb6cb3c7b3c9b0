//! The filter of an opportunity list, for the mirror's rows and, as SOQL, for Salesforce.

use salesforce::{FieldName, ObjectName, RecordId, Soql, soql};
use serde::Deserialize;
use serde_json::{Map, Value};
use store::PlatformUser;

/// Opportunities.
pub(crate) const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
/// The default number of rows in a page.
const DEFAULT_LIMIT: u16 = 50;
/// The maximum number of rows in a page.
const MAX_LIMIT: u16 = 200;

const ACCOUNT: FieldName = FieldName::from_static("AccountId");
const OWNER: FieldName = FieldName::from_static("OwnerId");
const STAGE: FieldName = FieldName::from_static("StageName");
const CLOSED: FieldName = FieldName::from_static("IsClosed");

/// The unchecked query string of a list.
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

/// A checked list request.
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
        let id = |text: Option<String>, fault| text.map(|text| text.parse().map_err(|_| fault)).transpose();
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err("limit is a number from 1 to 200");
        }
        if query.stage.as_ref().is_some_and(|stage| stage.is_empty() || stage.chars().count() > 255) {
            return Err("stage is the API name of a stage");
        }
        Ok(Self {
            account: id(query.account, "account is a record id")?,
            owner: id(query.owner, "owner is a record id")?,
            stage: query.stage,
            open: query.open,
            limit,
            after: id(query.after, "after is the next of the page before")?,
        })
    }
}

impl OpportunityFilter {
    /// Returns whether a row matches the filter.
    pub(crate) fn shows(&self, fields: &Map<String, Value>) -> bool {
        let text = |field: FieldName| fields.get(field.as_str()).and_then(Value::as_str);
        let is = |wanted: Option<RecordId>, field: FieldName| {
            wanted.is_none_or(|wanted| text(field).and_then(|id| id.parse().ok()) == Some(wanted))
        };
        let closed = fields.get(CLOSED.as_str()).and_then(Value::as_bool);
        is(self.account, ACCOUNT)
            && is(self.owner, OWNER)
            && self.stage.as_deref().is_none_or(|stage| text(STAGE) == Some(stage))
            && self.open.is_none_or(|open| closed == Some(!open))
    }

    /// Renders the filter as SOQL, with one row more than the page holds, to find out whether there is another page.
    pub(crate) fn soql(&self, fields: &[FieldName]) -> Soql {
        let conditions = [
            self.account.map(|id| soql::eq(&ACCOUNT, id)),
            self.owner.map(|id| soql::eq(&OWNER, id)),
            self.stage.as_deref().map(|stage| soql::eq(&STAGE, stage)),
            self.open.map(|open| soql::eq(&CLOSED, !open)),
            self.after.map(|id| soql::gt(&FieldName::ID, id)),
        ];
        let all = Soql::select(fields).from(&OPPORTUNITY);
        let some = conditions.into_iter().flatten().fold(all, Soql::where_);
        some.order_by(&FieldName::ID).limit(u32::from(self.limit) + 1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT_ID: &str = "001D000000IRFmaIAH";
    const OWNER_ID: &str = "005D0000001aaaaIAA";

    fn query(query: Value) -> ListQuery {
        serde_json::from_value(query).unwrap()
    }

    fn filter(wanted: Value) -> OpportunityFilter {
        query(wanted).try_into().unwrap()
    }

    fn row() -> Map<String, Value> {
        let row = json!({"AccountId": ACCOUNT_ID, "OwnerId": OWNER_ID, "StageName": "Prospecting", "IsClosed": false});
        row.as_object().unwrap().clone()
    }

    #[test]
    fn without_a_condition_every_row_is_shown() {
        assert!(filter(json!({})).shows(&row()));
        assert_eq!(filter(json!({})).limit, 50);
    }

    #[test]
    fn each_condition_shows_what_it_names_and_hides_the_rest() {
        for (same, other) in [
            (json!({"account": &ACCOUNT_ID[..15]}), json!({"account": "001D000000IRFmb"})),
            (json!({"owner": OWNER_ID}), json!({"owner": "005D0000001bbbb"})),
            (json!({"stage": "Prospecting"}), json!({"stage": "prospecting"})),
            (json!({"open": true}), json!({"open": false})),
        ] {
            assert!(filter(same.clone()).shows(&row()), "{same}");
            assert!(!filter(other.clone()).shows(&row()), "{other}");
        }
    }

    #[test]
    fn a_row_without_the_asked_field_is_hidden() {
        assert!(!filter(json!({"open": true})).shows(&Map::new()));
        assert!(!filter(json!({"account": ACCOUNT_ID})).shows(&Map::new()));
    }

    #[test]
    fn the_same_conditions_are_put_into_soql_in_the_order_of_ids() {
        let wanted =
            json!({"account": ACCOUNT_ID, "stage": "Won's", "open": false, "after": "006D000000C7xAh", "limit": 10});
        insta::assert_snapshot!(
            filter(wanted).soql(&[FieldName::ID, STAGE]).to_string(),
            @r"SELECT Id, StageName FROM Opportunity WHERE (((AccountId = '001D000000IRFmaIAH' AND StageName = 'Won\'s') AND IsClosed = TRUE) AND Id > '006D000000C7xAhIAJ') ORDER BY Id LIMIT 11"
        );
    }

    #[test]
    fn a_wrong_value_is_named() {
        let fault = |wanted: Value| OpportunityFilter::try_from(query(wanted)).unwrap_err();
        assert_eq!(fault(json!({"limit": 0})), "limit is a number from 1 to 200");
        assert_eq!(fault(json!({"limit": 201})), "limit is a number from 1 to 200");
        assert_eq!(fault(json!({"owner": "me"})), "owner is a record id");
        assert_eq!(fault(json!({"stage": ""})), "stage is the API name of a stage");
    }

    #[test]
    fn an_unknown_condition_is_refused() {
        assert!(serde_json::from_value::<ListQuery>(json!({"colour": "red"})).is_err());
    }
}
