//! Views of accounts, contacts, leads and opportunities: the record with what a rep needs to know about it, in one request.
//!
//! [`plan`] turns the schema of the connection's user into at most five queries, and [`assemble`] turns their pages into the
//! view; both are pure. A part whose query is refused or runs out of time is `unavailable` in the view; only the record itself
//! fails it. `docs/reading.md` says what each part has.

mod assemble;
mod interactions;
mod kind;
mod mirrored;
mod plan;
mod request;
mod stage;

use salesforce::{FieldName, JsonObject, RecordId, Soql, soql};
use store::{Org, PlatformUser};

use crate::live::LiveReader;
use crate::views::{RecordView, Source};
use crate::{Deps, Error};
use assemble::{Context, Rows};
use plan::{Plan, Unavailable};

pub(crate) use assemble::View;
pub(crate) use kind::{ACCOUNT_VIEW, CONTACT_VIEW, Kind, LEAD_VIEW, OPPORTUNITY_VIEW, Part};
pub(crate) use mirrored::load_mirrored;
pub(crate) use request::{ViewQuery, ViewRequest};

/// Loads a view live: as the acting user, or through the team.
pub(crate) async fn load_live(
    deps: &Deps,
    org: &Org,
    (kind, id): (&Kind, RecordId),
    request: &ViewRequest,
    user: Option<&PlatformUser>,
) -> Result<View, Error> {
    let reader = LiveReader::open(deps, org, user).await?;
    let objects = plan::objects(kind, request);
    let plan = |schema: &_| Plan::new(schema, kind, id, request, |_| false);
    let queries = |schema: &_| plan(schema).queries;
    let pipelines = async {
        let pipelines = deps.pipelines.list(org.org_id);
        if request.wants(Part::Stage) { Ok(pipelines.await?) } else { Ok(Vec::new()) }
    };
    let fields = read_fields(kind, request);
    let read = reader.record((&kind.object, id), fields.as_deref(), &objects, queries);
    let ((schema, mut record, pages), pipelines) = tokio::try_join!(read, pipelines)?;
    let lists = plan(&schema).rows(&pages);
    let (head, unread) = head(&record, pages.first())?;
    if let Some(fields) = &request.fields {
        let is_asked = |name: &str| fields.iter().any(|field| field.as_str().eq_ignore_ascii_case(name));
        record.fields.retain(|name, _| is_asked(name) || !kind.head.contains(&name.as_str()));
    }
    let instance = reader.instance_url().await?;
    let context = Context { kind, request, schema: &schema, instance: Some(&instance), pipelines: &pipelines, unread };
    let source = Source::live(user);
    let rows = [Rows { source, freshness: None, lists }];
    Ok(context.assemble(RecordView::from(record).with_source(source), &head, &rows))
}

/// Loads a record of any object live: as the acting user, or through the team.
pub(crate) async fn load_record(
    deps: &Deps,
    org: &Org,
    record: (&salesforce::ObjectName, RecordId),
    user: Option<&PlatformUser>,
) -> Result<RecordView, Error> {
    let reader = LiveReader::open(deps, org, user).await?;
    Ok(read_record(&reader, record).await?.with_source(Source::live(user)))
}

/// Reads a record of any object.
pub(crate) async fn read_record(
    reader: &LiveReader<'_>,
    (object, id): (&salesforce::ObjectName, RecordId),
) -> Result<RecordView, Error> {
    let plan = |schema: &_| {
        let head = Soql::select(&plan::owner_columns(schema, object)).from(object);
        vec![head.where_(soql::eq(&salesforce::FieldName::ID, id))]
    };
    let (schema, record, pages) = reader.record((object, id), None, std::slice::from_ref(object), plan).await?;
    let instance = reader.instance_url().await?;
    let record = RecordView::from(record).with_page(Some(&instance));
    let record = record.with_owner(first_fields(&pages).and_then(crate::views::OwnerView::of));
    Ok(match schema.object(object) {
        Some(describe) => record.described(describe),
        None => record,
    })
}

/// Returns the fields to read of the record: the chosen ones and those that the view is computed from; `None` for all.
fn read_fields(kind: &Kind, request: &ViewRequest) -> Option<Vec<FieldName>> {
    let head = kind.head.iter().map(|field| FieldName::from_static(field));
    request.fields.as_ref().map(|fields| fields.iter().cloned().chain(head).collect())
}

/// Returns the record's own fields with the names of its references, which the first query reads, and the reason if that query
/// failed. Then the fields are those of the record's read. An object that Salesforce does not query by id has no names.
///
/// # Errors
/// [`Error::NotFound`] if the query says that the record does not exist.
fn head(
    record: &salesforce::Record,
    first: Option<&Result<salesforce::Page, salesforce::Error>>,
) -> Result<(JsonObject, Option<Unavailable>), Error> {
    let mut head = record.fields.clone();
    let unread = match first {
        Some(Ok(page)) => {
            let row = page.records.first().ok_or(Error::NotFound("record"))?;
            head.extend(row.fields.clone());
            None
        }
        Some(Err(error)) if error.has_code("MALFORMED_QUERY") => None,
        Some(Err(error)) => Some(Unavailable::from(error)),
        None => Some(Unavailable::NotAnswered),
    };
    Ok((head, unread))
}

/// Returns the fields of the record itself, which the first query reads; `None` if it did not.
fn first_fields(pages: &crate::live::Pages) -> Option<&JsonObject> {
    Some(&pages.first()?.as_ref().ok()?.records.first()?.fields)
}

#[cfg(test)]
mod tests;
