//! Search by text in Salesforce, as the acting user or through the team.

use runtime::Schema;
use salesforce::search::{SearchText, SearchedFields};
use salesforce::{ObjectName, Record, Soql, Sosl};
use serde::{Deserialize, Serialize};
use store::{Org, PlatformUser};

use crate::live::LiveReader;
use crate::summary::{ACCOUNT, CONTACT, LEAD, OPPORTUNITY, RecordSummary, summary_fields};
use crate::views::Source;
use crate::{Deps, Error};

/// The objects that are searched if the request names none.
const DEFAULT_OBJECTS: [ObjectName; 4] = [ACCOUNT, CONTACT, LEAD, OPPORTUNITY];
/// The maximum number of objects of a search.
const MAX_OBJECTS: usize = 10;
/// The default number of records of each object.
const DEFAULT_LIMIT: u16 = 10;
/// The maximum number of records of each object.
const MAX_LIMIT: u16 = 50;

/// The query parameters of a search, not yet validated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchQuery {
    /// The acting user.
    #[serde(rename = "as")]
    pub(crate) user: Option<PlatformUser>,
    q: String,
    objects: Option<String>,
    limit: Option<u16>,
}

/// A validated search.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Search {
    text: SearchText,
    objects: Vec<ObjectName>,
    /// The request names the objects, so that each must exist.
    named: bool,
    limit: u16,
}

/// The records that were found.
#[derive(Debug, Serialize)]
pub(crate) struct SearchView {
    source: Source,
    results: Vec<RecordSummary>,
    unavailable: Vec<Unavailable>,
}

/// An object that was not searched.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unavailable {
    object: ObjectName,
    reason: UnavailableReason,
}

/// The reason why an object was not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum UnavailableReason {
    /// The object does not exist, or is hidden from the connection's user.
    Hidden,
    /// Salesforce does not search the object.
    NotSearchable,
}

impl TryFrom<SearchQuery> for Search {
    type Error = &'static str;

    fn try_from(query: SearchQuery) -> Result<Self, &'static str> {
        let text = SearchText::words(&query.q)
            .map_err(|_| "q must have 2 to 200 characters, of which at least 2 are letters or digits")?;
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err("limit must be a number from 1 to 50");
        }
        let named = query.objects.is_some();
        let mut objects = match query.objects {
            None => DEFAULT_OBJECTS.to_vec(),
            Some(list) => {
                let names: Result<Vec<ObjectName>, _> = list.split(',').map(str::parse).collect();
                names.map_err(|_| "objects must be API names of objects, separated by commas")?
            }
        };
        let mut seen = Vec::new();
        objects.retain(|object| {
            !seen.contains(object) && {
                seen.push(object.clone());
                true
            }
        });
        if objects.len() > MAX_OBJECTS {
            return Err("objects may name at most 10 objects");
        }
        Ok(Self { text, objects, named, limit })
    }
}

impl Search {
    /// Returns the search of the objects that can be searched; `None` if there is none.
    fn sosl(&self, schema: &Schema) -> Result<Option<Sosl>, Error> {
        let mut sosl = None;
        for object in &self.objects {
            match unavailable(schema, object) {
                None => {
                    let query = Soql::select(&summary_fields(schema, object)).from(object).limit(self.limit.into());
                    let search = sosl.unwrap_or_else(|| Sosl::find(self.text.clone(), SearchedFields::All));
                    sosl = Some(search.returning(query));
                }
                Some(UnavailableReason::Hidden) if self.named => return Err(Error::ObjectHidden(object.clone())),
                Some(_) => {}
            }
        }
        Ok(sosl)
    }
}

fn unavailable(schema: &Schema, object: &ObjectName) -> Option<UnavailableReason> {
    match schema.object(object) {
        None => Some(UnavailableReason::Hidden),
        Some(describe) => (!describe.searchable).then_some(UnavailableReason::NotSearchable),
    }
}

/// Searches. Costs one call, and the calls for what is not known of the objects.
pub(crate) async fn search(
    deps: &Deps,
    org: &Org,
    search: &Search,
    user: Option<&PlatformUser>,
) -> Result<SearchView, Error> {
    let reader = LiveReader::open(deps, org, user).await?;
    let (schema, records) = reader.search(&search.objects, |schema| search.sosl(schema)).await?;
    let instance = reader.instance_url().await?;
    let summary = |record: Record| RecordSummary::new(&schema, record, &instance);
    let unavailable = search
        .objects
        .iter()
        .filter_map(|object| unavailable(&schema, object).map(|reason| Unavailable { object: object.clone(), reason }));
    Ok(SearchView {
        source: Source::live(user),
        results: records.into_iter().map(summary).collect(),
        unavailable: unavailable.collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn search_of(parameters: Value) -> Result<Search, &'static str> {
        serde_json::from_value::<SearchQuery>(parameters).unwrap().try_into()
    }

    #[test]
    fn without_names_four_objects_are_searched() {
        let search = search_of(json!({"q": "acme"})).unwrap();
        assert_eq!((search.objects, search.named, search.limit), (DEFAULT_OBJECTS.to_vec(), false, 10));
    }

    #[test]
    fn an_object_is_searched_once() {
        let search = search_of(json!({"q": "acme", "objects": "account,Account,Invoice__c,ACCOUNT"})).unwrap();
        assert_eq!(search.objects, [ACCOUNT, ObjectName::from_static("Invoice__c")]);
    }

    #[test]
    fn an_invalid_parameter_is_named() {
        for (parameters, name) in [
            (json!({"q": "a"}), "q "),
            (json!({"q": "x".repeat(201)}), "q "),
            (json!({"q": "acme", "limit": 0}), "limit"),
            (json!({"q": "acme", "limit": 51}), "limit"),
            (json!({"q": "acme", "objects": "Account;Contact"}), "objects"),
            (json!({"q": "acme", "objects": ""}), "objects"),
            (json!({"q": "acme", "objects": "A,B,C,D,E,F,G,H,I,J,K"}), "objects"),
        ] {
            assert!(search_of(parameters.clone()).unwrap_err().starts_with(name), "{parameters}");
        }
    }
}
