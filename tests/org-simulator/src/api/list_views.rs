//! List views: each object with owners has the three that Salesforce creates (REST API guide, "List Views").
//!
//! Users cannot create others here, and the object `ListView` cannot be queried.

mod rest;

use serde_json::{Value as Json, json};

use crate::api::call::{Body, Call};
use crate::api::query;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::{RecordId, number_of, numbered};
use crate::model::org::Org;
use crate::model::schema::{Field, Object};

pub(crate) use rest::serve;

/// Columns that Salesforce shows for well-known objects by default; other objects show name and owner.
const COLUMNS: [(&str, &[&str]); 4] = [
    ("Account", &["Name", "Site", "BillingState", "Phone", "Type", "Owner.Alias"]),
    ("Contact", &["Name", "Account.Name", "Phone", "Email", "Title", "Owner.Alias"]),
    ("Lead", &["Name", "Company", "Phone", "Email", "Status", "Owner.Alias"]),
    ("Opportunity", &["Name", "Account.Name", "Amount", "CloseDate", "StageName", "Owner.Alias"]),
];
/// Columns that every row contains and that are not displayed.
const HIDDEN: [&str; 4] = ["Id", "CreatedDate", "LastModifiedDate", "SystemModstamp"];
const PREFIX: &str = "00B";

/// The records in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    Mine,
    RecentlyViewed,
}

const SCOPES: [(Scope, &str); 3] =
    [(Scope::Everything, "All"), (Scope::Mine, "My"), (Scope::RecentlyViewed, "Recently Viewed")];

/// A list view of an object.
#[derive(Clone, Debug)]
pub(crate) struct ListView {
    pub(crate) id: RecordId,
    pub(crate) label: String,
    pub(crate) developer_name: String,
    scope: Scope,
}

/// A column: the path of its field, and the field.
pub(crate) struct Column<'a> {
    pub(crate) path: String,
    pub(crate) field: &'a Field,
    pub(crate) hidden: bool,
}

/// Returns the views of an object.
pub(crate) fn of(org: &Org, object: &Object) -> Vec<ListView> {
    let place = org.schema.objects().position(|known| known.name == object.name).filter(|_| object.has_owner);
    let first = place.and_then(|place| u64::try_from(place * SCOPES.len() + 1).ok());
    let view = |(number, (scope, word)): (u64, (Scope, &str))| {
        let label = format!("{word} {}", object.label_plural);
        let developer_name = label.replace(' ', "");
        ListView { id: numbered(PREFIX, number), label, developer_name, scope }
    };
    first.into_iter().flat_map(|first| (first..).zip(SCOPES)).map(view).collect()
}

/// Returns the object and the view with an id.
pub(crate) fn by_id(org: &Org, id: &str) -> Option<(std::sync::Arc<Object>, ListView)> {
    let id = RecordId::parse(id).filter(|id| id.key_prefix() == PREFIX)?;
    let place = usize::try_from(number_of(id).checked_sub(1)?).ok()? / SCOPES.len();
    let object = org.schema.objects().nth(place)?.clone();
    let view = of(org, &object).into_iter().find(|view| view.id == id)?;
    Some((object, view))
}

/// Returns the columns that the user may see.
pub(crate) fn columns<'a>(org: &'a Org, actor: &Actor, object: &'a Object) -> Vec<Column<'a>> {
    let name = object.name_field().map(|at| object.fields[at].name.as_str());
    let usual: Vec<&str> = name.into_iter().chain(["Owner.Alias"]).collect();
    let shown = COLUMNS.iter().find(|(known, _)| *known == object.name).map_or(usual.as_slice(), |(_, paths)| paths);
    let all = shown.iter().map(|path| (*path, false)).chain(HIDDEN.map(|path| (path, true)));
    all.filter_map(|(path, hidden)| {
        let field = match path.split_once('.') {
            None => object.field(path).filter(|field| org.may_read_field(actor, object, field))?,
            Some((relationship, rest)) => {
                let reference = &object.fields[object.relationship(relationship)?];
                let readable = org.may_read_field(actor, object, reference);
                let target = org.schema.object(reference.reference_to.first().filter(|_| readable)?)?;
                target.field(rest).filter(|field| org.may_read_field(actor, target, field))?
            }
        };
        Some(Column { path: path.to_owned(), field, hidden })
    })
    .collect()
}

/// Returns the query of a view's records; recently viewed records are selected by id.
pub(crate) fn soql(org: &Org, actor: &Actor, object: &Object, view: &ListView) -> String {
    let paths: Vec<String> = columns(org, actor, object).into_iter().map(|column| column.path).collect();
    let condition = match view.scope {
        Scope::Everything => String::new(),
        Scope::Mine => format!(" WHERE OwnerId = '{}'", actor.user),
        Scope::RecentlyViewed => {
            let mut ids: Vec<String> = org
                .recent
                .of(actor.user)
                .filter(|id| id.key_prefix() == object.key_prefix)
                .map(|id| format!("'{id}'"))
                .collect();
            if ids.is_empty() {
                ids.push(format!("'{}'", numbered(&object.key_prefix, 0)));
            }
            format!(" WHERE Id IN ({})", ids.join(", "))
        }
    };
    let name = object.name_field().map_or("Id", |at| object.fields[at].name.as_str());
    let order = if name == "Id" {
        "Id ASC NULLS FIRST".to_owned()
    } else {
        format!("{name} ASC NULLS FIRST, Id ASC NULLS FIRST")
    };
    format!("SELECT {} FROM {}{condition} ORDER BY {order}", paths.join(", "), object.name)
}

/// Returns a page of a view's records, and whether there are more.
pub(crate) fn records(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    (object, view): (&Object, &ListView),
    (from, most): (usize, usize),
) -> Result<(Vec<Json>, bool), ApiError> {
    let text = format!("{} LIMIT {} OFFSET {from}", soql(org, actor, object, view), most + 1);
    let asked = Call { query: vec![("q".to_owned(), text)], batch_size: None, ..call.clone() };
    let answer = query::first_page(org, actor, &asked, false)?;
    let mut rows = match answer.body {
        Body::Json(mut body) => body.get_mut("records").and_then(Json::as_array_mut).map(std::mem::take),
        _ => None,
    }
    .unwrap_or_default();
    let more = rows.len() > most;
    rows.truncate(most);
    Ok((rows, more))
}

/// Returns a numeric parameter of a request.
pub(crate) fn number(call: &Call, name: &str, usual: usize) -> Result<usize, ApiError> {
    let wrong =
        |text: &str| ApiError::new("INVALID_QUERY_PARAMETER", format!("The value {text} of {name} is no number"));
    call.parameter(name).map_or(Ok(usual), |text| text.parse().map_err(|_| wrong(text)))
}

/// Returns the reference to a view in UI API.
pub(crate) fn reference(object: &Object, view: &ListView) -> Json {
    json!({
        "id": view.id.as_str(), "listViewApiName": view.developer_name, "objectApiName": object.name, "type": "listView",
    })
}
