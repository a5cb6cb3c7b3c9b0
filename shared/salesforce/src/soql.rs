//! SOQL queries, built from checked names and escaped values, so that a value cannot become syntax.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::{Decimal, FieldName, ObjectName, RecordId, datetime};

mod filter;

pub use filter::{Filter, InvalidFilter};

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soql {
    select: String,
    object: ObjectName,
    condition: Option<Condition>,
    groups: Vec<String>,
    order: Vec<String>,
    limit: Option<u32>,
}

/// A SELECT clause that still needs its object.
#[derive(Clone, Debug)]
pub struct Selection(String);

/// The fields of a GROUP BY clause that still needs its object.
#[derive(Clone, Debug)]
pub struct GroupSelection(Vec<String>);

/// A condition of a WHERE clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition(String);

/// A value in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A text, which is quoted and escaped.
    Text(String),
    /// A date-time.
    DateTime(Timestamp),
    /// A day.
    Date(Date),
    /// A whole number.
    Number(i64),
    /// A decimal number.
    Decimal(Decimal),
    /// True or false.
    Boolean(bool),
    /// Null.
    Null,
}

impl Soql {
    /// Selects fields, or paths such as `Owner.Name`.
    pub fn select(fields: &[FieldName]) -> Selection {
        let names: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
        Selection(names.join(", "))
    }

    /// Counts rows, for [`Client::count`](crate::Client::count).
    pub fn count() -> Selection {
        Selection("COUNT()".to_owned())
    }

    /// Counts the rows of each group with equal values of the fields, for [`Client::count_groups`](crate::Client::count_groups).
    pub fn count_by(fields: &[FieldName]) -> GroupSelection {
        GroupSelection(fields.iter().map(|field| field.as_str().to_owned()).collect())
    }

    /// Returns the object of the FROM clause.
    #[must_use]
    pub fn object(&self) -> &ObjectName {
        &self.object
    }

    /// Adds a condition, combined by AND with the previous ones.
    #[must_use]
    pub fn where_(self, condition: Condition) -> Self {
        let condition = match self.condition {
            Some(earlier) => earlier.and(condition),
            None => condition,
        };
        Self { condition: Some(condition), ..self }
    }

    /// Sorts by a field, ascending, after the previous ones.
    #[must_use]
    pub fn order_by(mut self, field: &FieldName) -> Self {
        self.order.push(field.as_str().to_owned());
        self
    }

    /// Sorts by a field, descending, after the previous ones. Rows without a value come last.
    #[must_use]
    pub fn order_by_descending(mut self, field: &FieldName) -> Self {
        self.order.push(format!("{field} DESC NULLS LAST"));
        self
    }

    /// Limits the number of rows.
    #[must_use]
    pub fn limit(self, rows: u32) -> Self {
        Self { limit: Some(rows), ..self }
    }

    /// Renders the query as the part of a search that returns an object: `Account(Id, Name LIMIT 5)`.
    pub(crate) fn returned(&self) -> String {
        format!("{}({}{})", self.object, self.select, self.clauses())
    }

    /// Renders the clauses after FROM, each with a space before it.
    fn clauses(&self) -> String {
        let mut clauses = String::new();
        if let Some(condition) = &self.condition {
            clauses.push_str(&format!(" WHERE {}", condition.0));
        }
        if !self.groups.is_empty() {
            clauses.push_str(&format!(" GROUP BY {}", self.groups.join(", ")));
        }
        if !self.order.is_empty() {
            clauses.push_str(&format!(" ORDER BY {}", self.order.join(", ")));
        }
        if let Some(rows) = self.limit {
            clauses.push_str(&format!(" LIMIT {rows}"));
        }
        clauses
    }
}

impl Selection {
    /// Adds the rows of a child relationship: a query whose object is the relationship's name, such as `Contacts`.
    #[must_use]
    pub fn with_rows(self, rows: &Soql) -> Self {
        Self(format!("{}, ({rows})", self.0))
    }

    /// Adds the FROM clause.
    pub fn from(self, object: &ObjectName) -> Soql {
        Soql {
            select: self.0,
            object: object.clone(),
            condition: None,
            groups: Vec::new(),
            order: Vec::new(),
            limit: None,
        }
    }
}

impl GroupSelection {
    /// Adds the FROM clause.
    pub fn from(self, object: &ObjectName) -> Soql {
        let selection = Selection(format!("{}, COUNT(Id) {GROUP_SIZE}", self.0.join(", ")));
        Soql { groups: self.0, ..selection.from(object) }
    }
}

/// The name of the number of rows in each group.
pub(crate) const GROUP_SIZE: &str = "groupSize";

impl fmt::Display for Soql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SELECT {} FROM {}{}", self.select, self.object, self.clauses())
    }
}

impl Condition {
    /// Combines two conditions by AND.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(format!("({} AND {})", self.0, other.0))
    }

    /// Combines two conditions by OR.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(format!("({} OR {})", self.0, other.0))
    }
}

/// Creates the condition `field = value`; [`Literal::Null`] matches an empty field.
pub fn eq(field: &FieldName, value: impl Into<Literal>) -> Condition {
    compare(field, "=", value)
}

/// Creates the condition `field != value`; [`Literal::Null`] matches every value.
pub fn ne(field: &FieldName, value: impl Into<Literal>) -> Condition {
    compare(field, "!=", value)
}

/// Creates the condition `field < value`.
pub fn lt(field: &FieldName, value: impl Into<Literal>) -> Condition {
    compare(field, "<", value)
}

/// Creates the condition `field <= value`.
pub fn le(field: &FieldName, value: impl Into<Literal>) -> Condition {
    compare(field, "<=", value)
}

/// Creates the condition `field > value`.
pub fn gt(field: &FieldName, value: impl Into<Literal>) -> Condition {
    compare(field, ">", value)
}

/// Creates the condition `field >= value`.
pub fn ge(field: &FieldName, value: impl Into<Literal>) -> Condition {
    compare(field, ">=", value)
}

/// Creates the condition `field IN (values)`; without values, a condition that never holds.
pub fn in_<V: Into<Literal>>(field: &FieldName, values: impl IntoIterator<Item = V>) -> Condition {
    let values: Vec<String> = values.into_iter().map(|value| value.into().to_string()).collect();
    if values.is_empty() {
        Condition("Id = NULL".to_owned())
    } else {
        Condition(format!("{field} IN ({})", values.join(", ")))
    }
}

/// Creates the condition that a text begins with `prefix`, without regard to case.
pub fn starts_with(field: &FieldName, prefix: &str) -> Condition {
    // The wildcards of LIKE are escaped as the quote is.
    let prefix = quote(prefix).replace('%', "\\%").replace('_', "\\_");
    Condition(format!("{field} LIKE {}%'", prefix.strip_suffix('\'').unwrap_or(&prefix)))
}

/// Creates the condition `field IN (query)`: a semi-join, which Salesforce accepts beside other conditions only if AND combines
/// them.
pub fn in_rows(field: &FieldName, rows: &Soql) -> Condition {
    Condition(format!("{field} IN ({rows})"))
}

fn compare(field: &FieldName, operator: &str, value: impl Into<Literal>) -> Condition {
    Condition(format!("{field} {operator} {}", value.into()))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quote(text)),
            Self::DateTime(time) => f.write_str(&datetime::render(*time)),
            Self::Date(date) => write!(f, "{date}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Decimal(number) => write!(f, "{number}"),
            Self::Boolean(true) => f.write_str("TRUE"),
            Self::Boolean(false) => f.write_str("FALSE"),
            Self::Null => f.write_str("NULL"),
        }
    }
}

/// Quotes a text as a SOQL string (SOQL and SOSL Reference, "Quoted String Escape Sequences").
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<RecordId> for Literal {
    fn from(id: RecordId) -> Self {
        Self::Text(id.into())
    }
}

impl From<&RecordId> for Literal {
    fn from(id: &RecordId) -> Self {
        Self::from(*id)
    }
}

impl From<Timestamp> for Literal {
    fn from(time: Timestamp) -> Self {
        Self::DateTime(time)
    }
}

impl From<Date> for Literal {
    fn from(date: Date) -> Self {
        Self::Date(date)
    }
}

impl From<i64> for Literal {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Literal {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: FieldName = FieldName::from_static("Name");
    const OWNER: FieldName = FieldName::from_static("Owner.Name");
    const ID: FieldName = FieldName::ID;
    const MODSTAMP: FieldName = FieldName::SYSTEM_MODSTAMP;
    const ACCOUNT: ObjectName = ObjectName::from_static("Account");

    #[test]
    fn counts_by_group_are_rendered() {
        let soql = Soql::count_by(&[NAME, OWNER]).from(&ACCOUNT).where_(eq(&NAME, "a"));
        let rendered =
            "SELECT Name, Owner.Name, COUNT(Id) groupSize FROM Account WHERE Name = 'a' GROUP BY Name, Owner.Name";
        assert_eq!(soql.to_string(), rendered);
    }

    #[test]
    fn a_keyset_scan_is_rendered() {
        let from: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let last: RecordId = "001dM00003jU9Gx".parse().unwrap();
        let soql = Soql::select(&[ID, NAME, OWNER])
            .from(&ACCOUNT)
            .where_(gt(&MODSTAMP, from).or(eq(&MODSTAMP, from).and(gt(&ID, last))))
            .order_by(&MODSTAMP)
            .order_by(&ID)
            .limit(2000);
        assert_eq!(
            soql.to_string(),
            "SELECT Id, Name, Owner.Name FROM Account \
             WHERE (SystemModstamp > 2026-11-21T00:00:00.000Z OR (SystemModstamp = 2026-11-21T00:00:00.000Z AND Id > '001dM00003jU9GxQAK')) \
             ORDER BY SystemModstamp, Id LIMIT 2000"
        );
    }

    #[test]
    fn conditions_are_combined_by_and() {
        let soql = Soql::count()
            .from(&ACCOUNT)
            .where_(eq(&NAME, Literal::Null))
            .where_(lt(&NAME, "x"))
            .where_(in_(&NAME, ["a", "b"]))
            .where_(eq(&FieldName::from_static("IsDeleted"), true))
            .where_(gt(&FieldName::from_static("NumberOfEmployees"), 7));
        assert_eq!(
            soql.to_string(),
            "SELECT COUNT() FROM Account WHERE ((((Name = NULL AND Name < 'x') AND Name IN ('a', 'b')) \
             AND IsDeleted = TRUE) AND NumberOfEmployees > 7)"
        );
    }

    #[test]
    fn the_rows_of_a_child_relationship_are_a_subquery() {
        let contacts = Soql::select(&[ID, NAME]).from(&ObjectName::from_static("Contacts"));
        let contacts = contacts.order_by_descending(&MODSTAMP).limit(5);
        let soql = Soql::select(&[ID, OWNER]).with_rows(&contacts).from(&ACCOUNT).where_(eq(&NAME, "x"));
        assert_eq!(
            soql.to_string(),
            "SELECT Id, Owner.Name, (SELECT Id, Name FROM Contacts ORDER BY SystemModstamp DESC NULLS LAST LIMIT 5) \
             FROM Account WHERE Name = 'x'"
        );
    }

    #[test]
    fn a_prefix_is_escaped() {
        assert_eq!(starts_with(&NAME, "acme.com").0, "Name LIKE 'acme.com%'");
        assert_eq!(starts_with(&NAME, r"50%_o'\").0, r"Name LIKE '50\%\_o\'\\%'");
    }

    #[test]
    fn a_semi_join_and_a_day_are_rendered() {
        let relation = ObjectName::from_static("EmailMessageRelation");
        let rows = Soql::select(&[FieldName::from_static("EmailMessageId")]).from(&relation);
        let rows = rows.where_(eq(&FieldName::from_static("RelationId"), "x"));
        assert_eq!(
            in_rows(&ID, &rows).0,
            "Id IN (SELECT EmailMessageId FROM EmailMessageRelation WHERE RelationId = 'x')"
        );
        let day = jiff::civil::date(2026, 11, 9);
        assert_eq!(le(&FieldName::from_static("ActivityDate"), day).0, "ActivityDate <= 2026-11-09");
    }

    #[test]
    fn in_without_values_never_holds() {
        assert_eq!(in_(&NAME, Vec::<String>::new()), eq(&ID, Literal::Null));
    }

    #[test]
    fn a_quote_does_not_end_the_text() {
        assert_eq!(quote("Liz D'Cruz"), r"'Liz D\'Cruz'");
        assert_eq!(quote(r"\' OR Name != '"), r"'\\\' OR Name != \''");
        assert_eq!(quote("a\"b\n\r\t\u{8}\u{c}"), r#"'a\"b\n\r\t\b\f'"#);
    }

    /// Parses a quoted text as SOQL does; `None` if the quote does not end at the end.
    fn unquote(quoted: &str) -> Option<String> {
        let mut text = String::new();
        let mut characters = quoted.strip_prefix('\'')?.chars();
        loop {
            match characters.next()? {
                '\'' => return characters.next().is_none().then_some(text),
                '\\' => text.push(match characters.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    other => other,
                }),
                other => text.push(other),
            }
        }
    }

    proptest! {
        #[test]
        fn a_quoted_text_parses_back(text in "(.|['\\\\\"\n\r\t\u{8}\u{c}]){0,40}") {
            prop_assert_eq!(unquote(&quote(&text)), Some(text));
        }

        #[test]
        fn a_value_never_becomes_syntax(text in "[' \\\\a-zA-Z()=]{0,30}") {
            let soql = Soql::select(&[ID]).from(&ACCOUNT).where_(eq(&NAME, text.as_str())).to_string();
            let value = soql.strip_prefix("SELECT Id FROM Account WHERE Name = ").unwrap();
            prop_assert_eq!(unquote(value), Some(text));
        }
    }
}
