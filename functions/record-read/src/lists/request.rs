//! The query parameters of a list.

use jiff::Timestamp;
use salesforce::{FieldName, RecordId};
use store::PlatformUser;

use super::condition::Condition;
use crate::Error;
use crate::summary::IS_PERSON;

/// The default number of rows in a page.
const DEFAULT_LIMIT: u16 = 50;
/// The maximum number of rows in a page.
const MAX_LIMIT: u16 = 200;
/// The maximum number of `field.` conditions.
const MAX_FIELD_CONDITIONS: usize = 5;
/// The maximum number of characters of a value, as of a text field in Salesforce.
const MAX_VALUE: usize = 255;
/// The maximum number of selected fields.
const MAX_FIELDS: usize = 200;

/// A validated request for a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListRequest {
    /// The acting user.
    pub(crate) user: Option<PlatformUser>,
    pub(super) filter: Filter,
    /// The fields to return; `None` for all.
    pub(super) fields: Option<Vec<FieldName>>,
    /// The number of rows in a page, 1 to 200.
    pub(super) limit: u16,
    /// The cursor of the page.
    pub(super) after: Option<String>,
}

/// The conditions and the order of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) conditions: Vec<Condition>,
    /// The account of the records. It is among `conditions` too.
    pub(super) account: Option<RecordId>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) sort: Option<Sort>,
}

impl Filter {
    /// Returns whether a condition is about the contacts of person accounts, which are left out otherwise.
    pub(super) fn asks_for_persons(&self) -> bool {
        self.conditions.iter().any(|condition| condition.field.as_str().eq_ignore_ascii_case(IS_PERSON.as_str()))
    }
}

/// The order of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) by: SortBy,
    pub(super) descending: bool,
}

/// The first key of the order. The second is the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SortBy {
    /// The id alone.
    Id,
    /// The last change.
    Modified,
    /// A field.
    Field(FieldName),
}

impl ListRequest {
    /// Reads the query parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first parameter that is unknown, repeated or invalid.
    pub(crate) fn parse(parameters: Vec<(String, String)>) -> Result<Self, Error> {
        let mut request = Self { limit: DEFAULT_LIMIT, ..Self::default() };
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in parameters {
            if seen.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                return Err(Error::Parameter(format!("the query parameter `{name}` must be sent once")));
            }
            request.read(&name, value)?;
            seen.push(name);
        }
        if seen.iter().filter(|name| name.starts_with(FIELD)).count() > MAX_FIELD_CONDITIONS {
            return Err(Error::Parameter(format!("at most {MAX_FIELD_CONDITIONS} conditions of fields are supported")));
        }
        Ok(request)
    }

    /// Creates a request for the records that have these values.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a path in place of a field.
    pub(super) fn with_values(values: &[(FieldName, String)], limit: u16) -> Result<Self, Error> {
        let conditions =
            values.iter().map(|(field, value)| Condition::new(field.as_str(), value)).collect::<Result<_, _>>()?;
        Ok(Self { limit, filter: Filter { conditions, ..Filter::default() }, ..Self::default() })
    }

    fn read(&mut self, name: &str, value: String) -> Result<(), Error> {
        let invalid = |expected: &str| Error::Parameter(format!("{name} must be {expected}"));
        let id = |value: &str| value.parse::<RecordId>().map_err(|_| invalid("a record id"));
        let conditions = &mut self.filter.conditions;
        match name {
            "as" => self.user = Some(value.parse().map_err(|_| invalid("a platform user"))?),
            "owner" => conditions.push(Condition::new("OwnerId", id(&value)?)?),
            "account" => {
                self.filter.account = Some(id(&value)?);
                conditions.push(Condition::new("AccountId", id(&value)?)?);
            }
            "pipeline" => conditions.push(Condition::new("RecordTypeId", id(&value)?)?),
            "stage" => {
                let stage = checked(value).filter(|stage| !stage.is_empty());
                conditions.push(Condition::new("StageName", stage.ok_or_else(|| invalid("the API name of a stage"))?)?);
            }
            "open" => {
                let open: bool = value.parse().map_err(|_| invalid("true or false"))?;
                conditions.push(Condition::new("IsClosed", !open)?);
            }
            "modified_since" => {
                let expected = || invalid("a time such as 2026-11-22T10:00:00Z");
                self.filter.modified_since = Some(value.parse().map_err(|_| expected())?);
            }
            "sort" => {
                self.filter.sort = Some(sort(&value).ok_or_else(|| invalid("id, modified or a field's API name"))?)
            }
            "fields" => self.fields = Some(fields(&value).ok_or_else(|| invalid("1 to 200 fields' API names"))?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = limit.ok_or_else(|| invalid("a number from 1 to 200"))?;
            }
            "after" => self.after = Some(value),
            _ => match name.strip_prefix(FIELD) {
                Some(field) => {
                    let value = checked(value).ok_or_else(|| invalid("at most 255 characters"))?;
                    conditions.push(Condition::new(field, value)?);
                }
                None => return Err(Error::Parameter(unknown(name))),
            },
        }
        Ok(())
    }
}

const FIELD: &str = "field.";
/// The maximum length of an unknown name in a text.
const MAX_NAME: usize = 64;

fn unknown(name: &str) -> String {
    let name: String = name.chars().filter(|character| !character.is_control()).take(MAX_NAME).collect();
    format!("there is no query parameter `{name}`; allowed: {PARAMETERS}")
}

const PARAMETERS: &str = "`as`, `owner`, `account`, `pipeline`, `stage`, `open`, `modified_since`, `field.{name}`, `sort`, \
     `fields`, `limit`, `after`";

fn checked(value: String) -> Option<String> {
    Some(value).filter(|value| value.chars().count() <= MAX_VALUE)
}

fn sort(text: &str) -> Option<Sort> {
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let by = match name {
        "id" | "Id" => SortBy::Id,
        "modified" => SortBy::Modified,
        field => SortBy::Field(super::condition::plain_field(field)?),
    };
    Some(Sort { by, descending })
}

fn fields(text: &str) -> Option<Vec<FieldName>> {
    let fields: Vec<FieldName> = text.split(',').map(super::condition::plain_field).collect::<Option<_>>()?;
    Some(fields).filter(|fields| fields.len() <= MAX_FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<ListRequest, Error> {
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ListRequest::parse(pairs.collect())
    }

    #[test]
    fn an_invalid_parameter_is_named() {
        for (name, value, detail) in [
            ("limit", "0", "limit must be a number from 1 to 200"),
            ("limit", "201", "limit must be a number from 1 to 200"),
            ("owner", "me", "owner must be a record id"),
            ("stage", "", "stage must be the API name of a stage"),
            ("open", "maybe", "open must be true or false"),
            ("modified_since", "yesterday", "modified_since must be a time such as 2026-11-22T10:00:00Z"),
            ("sort", "Account.Name", "sort must be id, modified or a field's API name"),
            ("fields", "Id,", "fields must be 1 to 200 fields' API names"),
            ("field.Owner.Name", "x", "Owner.Name is not the API name of a field"),
            ("colour", "red", "there is no query parameter `colour`; allowed: `as`, `owner`"),
        ] {
            let problem = parse(&[(name, value)]).unwrap_err().to_string();
            assert!(problem.contains(detail), "{problem}");
        }
    }

    #[test]
    fn a_parameter_is_given_once_and_conditions_are_few() {
        assert!(
            parse(&[("field.Name", "a"), ("field.name", "b")]).unwrap_err().to_string().contains("must be sent once")
        );
        let names: Vec<String> = (0..6).map(|n| format!("field.Field{n}__c")).collect();
        let query: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        assert!(parse(&query).unwrap_err().to_string().contains("at most 5"));
        assert!(parse(&query[1..]).is_ok());
    }

    #[test]
    fn a_minus_sorts_descending() {
        let sort = |text| parse(&[("sort", text)]).unwrap().filter.sort.unwrap();
        assert_eq!(sort("-modified"), Sort { by: SortBy::Modified, descending: true });
        assert_eq!(sort("CloseDate"), Sort { by: SortBy::Field("CloseDate".parse().unwrap()), descending: false });
        assert_eq!(sort("id").by, SortBy::Id);
    }
}
