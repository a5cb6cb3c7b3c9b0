//! `search` (SOSL) and `parameterizedSearch`: full-text search in the text fields of records (REST API guide,
//! "Search").

pub(crate) mod group;
mod sosl;
mod terms;

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Call, Response};
use crate::api::search::group::Group;
use crate::data::soql::{self, Paper};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;

use sosl::{Search, Wanted};
use terms::Terms;

/// The maximum number of records in a response.
const MAX_RECORDS: usize = 2_000;

/// Serves `search` and `parameterizedSearch`.
pub(crate) fn serve(org: &mut Org, actor: &Actor, call: &Call) -> Result<Response, ApiError> {
    let search = match call.path.first().map(String::as_str) {
        Some("search") => {
            let text = call.parameter("q").ok_or_else(|| malformed("A search string has to be specified"))?;
            sosl::parse(text)?
        }
        _ if call.body.is_some() => from_body(call.object()?)?,
        _ => from_url(call)?,
    };
    let records = found(org, actor, &search, &call.version)?;
    Ok(Response::json(json!({"searchRecords": records})))
}

fn malformed(message: &str) -> ApiError {
    ApiError::new("MALFORMED_SEARCH", message)
}

fn found(org: &mut Org, actor: &Actor, search: &Search, version: &str) -> Result<Vec<Json>, ApiError> {
    let terms = Terms::read(&search.text)
        .ok_or_else(|| malformed(&format!("search term must be longer than one character: {}", search.text)))?;
    let everything: Vec<Wanted> = match search.wanted.as_slice() {
        [] => searchable(org, actor).into_iter().map(Wanted::of).collect(),
        wanted => wanted.to_vec(),
    };
    let mut records = Vec::new();
    for wanted in &everything {
        let hit = |org: &Org, object: &Object, row: &Row| {
            let searched = object
                .fields
                .iter()
                .enumerate()
                .filter(|(_, field)| search.group.has(field) && org.may_read_field(actor, object, field));
            terms.found_in(searched.map(|(at, _)| row.get(at).as_text()))
        };
        let paper = Paper { version, page: MAX_RECORDS };
        records.extend(soql::searched(org, actor, (&wanted.query(), &hit), paper)?);
    }
    records.truncate(search.limit.unwrap_or(MAX_RECORDS).min(MAX_RECORDS));
    Ok(records)
}

fn searchable(org: &Org, actor: &Actor) -> Vec<String> {
    let objects = org.schema.objects().filter(|object| object.has_owner && org.may(actor, Permission::Read, object));
    objects.map(|object| object.name.clone()).collect()
}

/// Reads `?q=Acme&sobject=Account&Account.fields=Id,Name&in=NAME`; the search text is plain text.
fn from_url(call: &Call) -> Result<Search, ApiError> {
    let parameter =
        |name: &str| call.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
    let text = parameter("q").ok_or_else(|| malformed("A search string has to be specified"))?;
    let fields = parameter("fields").unwrap_or("Id");
    let default_limit = number(parameter("defaultLimit"));
    let names = call.query.iter().filter(|(key, _)| key.eq_ignore_ascii_case("sobject"));
    let wanted = names.map(|(_, object)| Wanted {
        object: object.clone(),
        fields: parameter(&format!("{object}.fields")).unwrap_or(fields).to_owned(),
        clauses: parameter(&format!("{object}.where")).map_or(String::new(), |text| format!("WHERE {text}")),
        limit: number(parameter(&format!("{object}.limit"))).or(default_limit),
    });
    let wanted = wanted.collect();
    let limit = number(parameter("overallLimit"));
    Ok(Search { text: sosl::escaped(text), group: group(parameter("in"))?, wanted, limit })
}

fn number(text: Option<&str>) -> Option<usize> {
    text.and_then(|text| text.parse().ok())
}

fn group(name: Option<&str>) -> Result<Group, ApiError> {
    let name = name.unwrap_or("ALL");
    Group::named(name).ok_or_else(|| malformed(&format!("Malformed search token: {name}")))
}

/// Reads the same search from JSON.
fn from_body(body: &Map<String, Json>) -> Result<Search, ApiError> {
    let list = |json: Option<&Json>| {
        let names = json.and_then(Json::as_array)?.iter().filter_map(Json::as_str);
        Some(names.collect::<Vec<_>>().join(",")).filter(|names| !names.is_empty())
    };
    let count = |json: Option<&Json>| json.and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok());
    let text = body.get("q").and_then(Json::as_str).ok_or_else(|| malformed("A search string has to be specified"))?;
    let fields = list(body.get("fields")).unwrap_or_else(|| "Id".to_owned());
    let default_limit = count(body.get("defaultLimit"));
    let mut wanted = Vec::new();
    for entry in body.get("sobjects").and_then(Json::as_array).into_iter().flatten() {
        let part = |name: &str| entry.get(name).and_then(Json::as_str);
        let object = part("name").ok_or_else(|| malformed("an sobject of a search has no name"))?;
        let condition = part("where").map(|text| format!("WHERE {text} "));
        let order = part("orderBy").map(|text| format!("ORDER BY {text}"));
        wanted.push(Wanted {
            object: object.to_owned(),
            fields: list(entry.get("fields")).unwrap_or_else(|| fields.clone()),
            clauses: condition.unwrap_or_default() + &order.unwrap_or_default(),
            limit: count(entry.get("limit")).or(default_limit),
        });
    }
    let group = group(body.get("in").and_then(Json::as_str))?;
    Ok(Search { text: sosl::escaped(text), group, wanted, limit: count(body.get("overallLimit")) })
}
