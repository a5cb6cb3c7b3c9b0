//! Views from the mirror. What is not mirrored, or not in the order of a part, is read live through the team's connection.

use mirroring::OrgMirror;
use runtime::Schema;
use salesforce::{JsonObject, OrgId, RecordId};
use serde_json::Value;
use store::{MirrorRecord, Org};

use super::assemble::{Context, Rows, View, relationship};
use super::kind::{Behind, Index, Kind, List, Only, Part};
use super::plan::{ListRows, Plan, Unavailable, objects, wanted};
use super::request::ViewRequest;
use crate::live::LiveReader;
use crate::summary::is_contact_of_person;
use crate::views::{Freshness, RecordView, Source};
use crate::{Deps, Error, mirror};

/// The number of rows in one read of an index.
const CHUNK: u16 = 100;
/// The maximum number of reads for one list. If few of the rows match, the list ends early and says that more follow.
const MAX_CHUNKS: usize = 5;

/// Loads a view: the record from the mirror, and the parts from the mirror or through the team's connection.
pub(crate) async fn load_mirrored(
    deps: &Deps,
    (org, org_mirror): (&Org, &OrgMirror),
    (kind, id): (&Kind, RecordId),
    request: &ViewRequest,
) -> Result<View, Error> {
    let row = mirror::load(deps, (org.org_id, org_mirror), &kind.object, id).await?;
    let cursors = deps.cursors.list(org.org_id).await?;
    let mut head = row.fields.clone();
    let mut sources = Vec::new();
    for list in wanted(kind, request).filter(|list| is_mirrored(org_mirror, list)) {
        let (rows, more) = rows(deps, (org.org_id, org_mirror), list, id, request).await?;
        let freshness = Some(Freshness::of(&list.object, &cursors));
        sources.push(Rows { source: Source::Mirror, freshness, lists: vec![ListRows { list, rows: Ok(rows), more }] });
    }
    let (mut schema, mut instance) = (Schema::default(), None);
    if wanted(kind, request).any(|list| !is_mirrored(org_mirror, list)) {
        let lists = match read_as_team(deps, (org, org_mirror), (kind, id), request).await? {
            Ok(team) => {
                (schema, instance) = (team.schema, Some(team.instance));
                // The names of referenced records, which the mirror's rows do not have.
                for (name, value) in team.head.into_iter().filter(|(_, value)| value.is_object()) {
                    head.entry(name).or_insert(value);
                }
                team.lists
            }
            Err(reason) => {
                let missing = wanted(kind, request).filter(|list| !is_mirrored(org_mirror, list));
                missing.map(|list| ListRows { list, rows: Err(reason.clone()), more: false }).collect()
            }
        };
        sources.push(Rows { source: Source::Team, freshness: None, lists });
    }
    add_references(deps, (org.org_id, org_mirror), kind, request, &mut head).await?;
    let mut record = RecordView::from(row);
    if let Some(fields) = &request.fields {
        record.retain_fields(|name| fields.iter().any(|field| field.as_str().eq_ignore_ascii_case(name)));
    }
    let pipelines = if request.wants(Part::Stage) { deps.pipelines.list(org.org_id).await? } else { Vec::new() };
    let instance = match instance {
        Some(instance) => Some(instance),
        None => mirror::instance_url(deps, org).await?,
    };
    let context =
        Context { kind, request, schema: &schema, instance: instance.as_ref(), pipelines: &pipelines, unread: None };
    let view = context.assemble(record, &head, &sources);
    Ok(View { freshness: Some(Freshness::of(&kind.object, &cursors)), ..view })
}

/// Returns whether the mirror has the rows of the list and the records behind them.
fn is_mirrored(org_mirror: &OrgMirror, list: &List) -> bool {
    let has = |object| org_mirror.has(object);
    list.index.is_some() && has(&list.object) && list.behind.as_ref().is_none_or(|behind| has(&behind.object))
}

/// Reads the rows of a list that belong to the record, the last changed first, and whether the mirror has more of them than
/// these. They are fewer than the part may show if the records behind some are missing.
async fn rows(
    deps: &Deps,
    (org, org_mirror): (OrgId, &OrgMirror),
    list: &List,
    id: RecordId,
    request: &ViewRequest,
) -> Result<(Vec<JsonObject>, bool), Error> {
    let limit = usize::from(request.limit);
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..MAX_CHUNKS {
        let page = match list.index {
            Some(Index::OtherParent) => {
                deps.records.children_by_other_parent(org, &list.object, id, (after, CHUNK)).await?
            }
            _ => deps.records.children(org, &list.object, id, (after, CHUNK)).await?,
        };
        for mut row in page.records.into_iter().map(|row| row.record) {
            org_mirror.retain(&mut row);
            found.extend(Some(row).filter(|row| shows(list, row)));
        }
        after = page.next;
        if after.is_none() || found.len() > limit {
            break;
        }
    }
    let more = after.is_some() || found.len() > limit;
    found.truncate(limit);
    let mut rows: Vec<JsonObject> = found.into_iter().map(|row| columns(list, row)).collect();
    if let Some(behind) = &list.behind {
        add_behind(deps, (org, org_mirror), behind, &mut rows).await?;
    }
    Ok((rows, more))
}

fn shows(list: &List, row: &MirrorRecord) -> bool {
    let is_true = |field: &str| row.fields.get(field).and_then(Value::as_bool).unwrap_or_default();
    let is_meant = match list.only {
        Only::Every | Only::EnhancedNotes => true,
        Only::NoPersons => !is_contact_of_person(&row.object, &row.fields),
        Only::OpenOrWon => !is_true("IsClosed") || is_true("IsWon"),
    };
    !row.deleted && is_meant
}

/// Returns the columns that a query of the list selects.
fn columns(list: &List, mut row: MirrorRecord) -> JsonObject {
    let members = list.behind.iter().flat_map(|behind| behind.members).map(|(field, _)| *field);
    let members: Vec<&str> = members.chain(list.behind.iter().map(|behind| behind.field)).collect();
    row.fields.retain(|name, _| list.fields.contains(&name.as_str()) || members.contains(&name.as_str()));
    row.fields.insert("Id".to_owned(), row.record_id.as_str().into());
    row.fields
}

/// Adds the records behind the rows, and removes the rows whose record the mirror does not have.
async fn add_behind(
    deps: &Deps,
    (org, org_mirror): (OrgId, &OrgMirror),
    behind: &Behind,
    rows: &mut Vec<JsonObject>,
) -> Result<(), Error> {
    let id_of = |row: &JsonObject| row.get(behind.field).and_then(Value::as_str).and_then(|id| id.parse().ok());
    let mut ids: Vec<RecordId> = rows.iter().filter_map(id_of).collect();
    ids.sort();
    ids.dedup();
    let mut records = deps.records.load_many(org, &behind.object, &ids).await?;
    records.values_mut().for_each(|(record, _)| org_mirror.retain(record));
    let fields = |id| records.get(&id).filter(|(record, _)| !record.deleted).map(|(record, _)| record);
    rows.retain_mut(|row| {
        let Some(record) = id_of(row).and_then(fields) else { return false };
        row.insert(relationship(behind.field).to_owned(), selected(&record.fields, behind.fields));
        true
    });
    Ok(())
}

/// Adds the mirrored records that the record refers to, where the team has not read them.
async fn add_references(
    deps: &Deps,
    (org, org_mirror): (OrgId, &OrgMirror),
    kind: &Kind,
    request: &ViewRequest,
    head: &mut JsonObject,
) -> Result<(), Error> {
    for reference in kind.references.iter().filter(|reference| request.wants(reference.part)) {
        let id = head.get(reference.field).and_then(Value::as_str).and_then(|id| id.parse().ok());
        let name = relationship(reference.field);
        if let Some(id) = id
            && !head.contains_key(name)
            && org_mirror.has(&reference.object)
            && let Some(mut record) = deps.records.load(org, &reference.object, id).await?
        {
            org_mirror.retain(&mut record);
            head.insert(name.to_owned(), selected(&record.fields, reference.fields));
        }
    }
    Ok(())
}

fn selected(fields: &JsonObject, names: &[&str]) -> Value {
    let selected = fields.iter().filter(|(name, _)| names.contains(&name.as_str()));
    Value::Object(selected.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The rows and names that were read through the team's connection.
struct Team {
    schema: Schema,
    instance: salesforce::InstanceUrl,
    head: JsonObject,
    lists: Vec<ListRows>,
}

/// Reads parts through the team's connection. A connection that cannot be used, or an answer that does not come, makes these
/// parts unavailable.
async fn read_as_team(
    deps: &Deps,
    (org, org_mirror): (&Org, &OrgMirror),
    (kind, id): (&Kind, RecordId),
    request: &ViewRequest,
) -> Result<Result<Team, Unavailable>, Error> {
    let read = async {
        let reader = LiveReader::open(deps, org, None).await?;
        let plan = |schema: &_| Plan::new(schema, kind, id, request, |list| is_mirrored(org_mirror, list));
        let queries = |schema: &_| Ok(plan(schema).queries);
        let (schema, pages) = reader.query_parts(&objects(kind, request), queries).await?;
        let lists = plan(&schema).rows(&pages);
        let head = super::first_fields(&pages).cloned().unwrap_or_default();
        Ok(Team { lists, head, instance: reader.instance_url().await?, schema })
    };
    match read.await {
        Ok(team) => Ok(Ok(team)),
        Err(Error::NoRoute(_) | Error::OrgNotActive(_)) => Ok(Err(Unavailable::TeamNotConnected)),
        Err(Error::Salesforce(error)) => Ok(Err(Unavailable::from(&error))),
        Err(error) => Err(error),
    }
}
