//! Conditions of a list: a field equals a value, in the mirror's rows and in SOQL alike.

use jiff::Timestamp;
use jiff::civil::Date;
use salesforce::soql::{self, Literal};
use salesforce::{Decimal, FieldDescribe, FieldName, RecordId, datetime};
use serde_json::{Map, Value};

use crate::Error;

/// The condition that a field has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) field: FieldName,
    /// The value as a text; an empty one stands for no value.
    value: String,
}

impl Condition {
    /// Creates the condition that `field` equals `value`.
    pub(super) fn new(field: &str, value: impl ToString) -> Result<Self, Error> {
        let field = plain_field(field)
            .ok_or_else(|| Error::Parameter(format!("{field} is not the API name of a field of the object")))?;
        Ok(Self { field, value: value.to_string() })
    }

    /// Returns whether the fields fulfill the condition, as Salesforce compares: ids in both forms, numbers by value, texts
    /// without case. A mirrored row does not tell the type of a field, so its value does.
    pub(super) fn holds_for(&self, fields: &Map<String, Value>) -> bool {
        match value_of(fields, &self.field).unwrap_or(&Value::Null) {
            Value::Null => self.value.is_empty(),
            Value::Bool(value) => self.value.parse() == Ok(*value),
            Value::Number(number) => same(&number.to_string(), &self.value, |text| text.parse::<Decimal>().ok()),
            // Salesforce returns ids in their form of 18 characters, whose last three check the others.
            Value::String(text) => match text.parse::<RecordId>().ok().filter(|_| text.len() == 18) {
                Some(id) => self.value.parse::<RecordId>().ok() == Some(id),
                None => {
                    same(text, &self.value, |text| datetime::parse(text).ok())
                        || text.to_lowercase() == self.value.to_lowercase()
                }
            },
            Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// Returns the condition as SOQL.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the field cannot be compared, or the value is not of its type.
    pub(super) fn soql(&self, field: &FieldDescribe) -> Result<soql::Condition, Error> {
        if !field.filterable {
            return Err(Error::Parameter(format!("Salesforce does not filter by the field {}", field.name)));
        }
        if self.value.is_empty() {
            return Ok(soql::eq(&field.name, Literal::Null));
        }
        Ok(soql::eq(&field.name, literal(field, &self.value)?))
    }
}

/// Returns the name if it is that of a field, and not a path such as `Owner.Name`.
pub(super) fn plain_field(name: &str) -> Option<FieldName> {
    name.parse().ok().filter(|_| !name.contains('.'))
}

/// Returns a field's value; `None` if the fields lack it. Names are compared without case.
pub(super) fn value_of<'a>(fields: &'a Map<String, Value>, field: &FieldName) -> Option<&'a Value> {
    let name = field.as_str();
    fields
        .get(name)
        .or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Returns whether both texts parse, and to the same value.
fn same<T: PartialEq>(one: &str, other: &str, parse: impl Fn(&str) -> Option<T>) -> bool {
    parse(one).is_some_and(|one| parse(other) == Some(one))
}

/// Returns a text as a value of the field's type.
///
/// # Errors
/// [`Error::Parameter`] names the type that the field has.
pub(super) fn literal(field: &FieldDescribe, text: &str) -> Result<Literal, Error> {
    let (literal, expected) = match field.field_type.as_str() {
        "boolean" => (text.parse().ok().map(Literal::Boolean), "true or false"),
        "int" | "long" | "double" | "currency" | "percent" => (text.parse().ok().map(Literal::Decimal), "a number"),
        "date" => (text.parse::<Date>().ok().map(Literal::Date), "a date such as 2026-11-22"),
        "datetime" => (text.parse::<Timestamp>().ok().map(Literal::DateTime), "a time such as 2026-11-22T10:00:00Z"),
        "id" | "reference" => (text.parse::<RecordId>().ok().map(Literal::from), "a record id"),
        "string" | "picklist" | "multipicklist" | "combobox" | "email" | "phone" | "url" | "textarea" => {
            (Some(Literal::from(text)), "a text")
        }
        other => {
            let (name, kind) = (&field.name, other);
            return Err(Error::Parameter(format!("lists do not compare the field {name}, whose type is {kind}")));
        }
    };
    literal.ok_or_else(|| Error::Parameter(format!("the value of {} must be {expected}", field.name)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(value: &str, stored: Value) -> bool {
        let fields = json!({ "Field__c": stored });
        Condition::new("field__C", value).unwrap().holds_for(fields.as_object().unwrap())
    }

    #[test]
    fn values_are_compared_as_salesforce_compares_them() {
        for (value, equal, other) in [
            ("001D000000IRFma", json!("001D000000IRFmaIAH"), json!("001D000000IRFmAIAX")),
            ("needs ANALYSIS", json!("Needs Analysis"), json!("Needs  Analysis")),
            ("5.50", json!(5.5), json!(5)),
            ("true", json!(true), json!(false)),
            ("2026-11-22T10:00:00Z", json!("2026-11-22T11:00:00.000+0100"), json!("2026-11-22T10:00:00.001Z")),
            ("", json!(null), json!("")),
            ("2026-11-22", json!("2026-11-22"), json!(null)),
        ] {
            assert!(holds(value, equal.clone()), "{value} and {equal}");
            assert!(value.is_empty() || !holds(value, other.clone()), "{value} and {other}");
        }
        assert!(!Condition::new("Field__c", "x").unwrap().holds_for(&Map::new()));
    }

    fn field(kind: &str) -> FieldDescribe {
        serde_json::from_value(json!({
            "name": "Field__c", "label": "Field", "type": kind, "nillable": true, "createable": true, "updateable": true,
            "filterable": kind != "textarea",
        }))
        .unwrap()
    }

    #[test]
    fn a_value_becomes_a_literal_of_the_field_s_type() {
        for (kind, value, literal) in [
            ("boolean", "true", "TRUE"),
            ("currency", "5.50", "5.5"),
            ("date", "2026-11-22", "2026-11-22"),
            ("datetime", "2026-11-22T10:00:00+01:00", "2026-11-22T09:00:00.000Z"),
            ("reference", "001D000000IRFma", "'001D000000IRFmaIAH'"),
            ("string", "O'Neil", r"'O\'Neil'"),
            ("picklist", "5", "'5'"),
            ("double", "", "NULL"),
        ] {
            let condition = Condition::new("field__c", value).unwrap().soql(&field(kind)).unwrap();
            let expected = format!("SELECT Id FROM Account WHERE Field__c = {literal}");
            let query =
                salesforce::Soql::select(&[FieldName::ID]).from(&salesforce::ObjectName::from_static("Account"));
            assert_eq!(query.where_(condition).to_string(), expected);
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (kind, value, detail) in [
            ("boolean", "yes", "the value of Field__c must be true or false"),
            ("int", "many", "must be a number"),
            ("date", "soon", "must be a date"),
            ("id", "me", "must be a record id"),
            ("location", "1", "whose type is location"),
            ("textarea", "text", "does not filter by the field Field__c"),
        ] {
            let problem = Condition::new("Field__c", value).unwrap().soql(&field(kind)).unwrap_err().to_string();
            assert!(problem.contains(detail), "{problem}");
        }
    }
}
