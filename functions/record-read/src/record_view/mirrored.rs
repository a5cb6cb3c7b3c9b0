//! Views from the mirror. What is not mirrored, or not in the order of a part, is read live through the team's connection.

use salesforce::{JsonObject, RecordId};
use store::Org;

use super::assemble::{Context, Rows, View};
use super::kind::{Kind, Part};
use super::plan::{ListRows, Plan, Unavailable, objects, wanted};
use super::request::ViewRequest;
use crate::live::LiveReader;
use crate::schema::Schema;
use crate::views::{Freshness, RecordView, Source};
use crate::{Deps, Error, mirror};

/// Loads a view: the record from the mirror, and the parts from the mirror or through the team's connection.
pub(crate) async fn load_mirrored(
    deps: &Deps,
    org: &Org,
    (kind, id): (&Kind, RecordId),
    request: &ViewRequest,
) -> Result<View, Error> {
    let row = mirror::load(deps, org.org_id, &kind.object, id).await?;
    let cursors = deps.cursors.list(org.org_id).await?;
    let mut head = row.fields.clone();
    let mut sources = Vec::new();
    let team = if wanted(kind, request).next().is_some() {
        Some(read_as_team(deps, org, (kind, id), request).await?)
    } else {
        None
    };
    let (schema, instance) = match team {
        Some(Ok(team)) => {
            // The names of referenced records, which the mirror's rows do not have.
            let names = team.head.into_iter().filter(|(name, value)| value.is_object() && !head.contains_key(name));
            let names: Vec<_> = names.collect();
            head.extend(names);
            sources.push(Rows { source: Source::Team, freshness: None, lists: team.lists });
            (team.schema, Some(team.instance))
        }
        Some(Err(reason)) => {
            let missing = |list| ListRows { list, rows: Err(reason.clone()) };
            let lists = wanted(kind, request).map(missing).collect();
            sources.push(Rows { source: Source::Team, freshness: None, lists });
            (Schema::default(), None)
        }
        None => (Schema::default(), None),
    };
    let mut record = RecordView::from(row);
    if let Some(fields) = &request.fields {
        record.retain_fields(|name| fields.iter().any(|field| field.as_str().eq_ignore_ascii_case(name)));
    }
    let pipelines = if request.wants(Part::Stage) { deps.pipelines.list(org.org_id).await? } else { Vec::new() };
    let instance = match instance {
        Some(instance) => Some(instance),
        None => mirror::instance_url(deps, org).await?,
    };
    let context = Context { kind, request, schema: &schema, instance: instance.as_ref(), pipelines: &pipelines };
    let view = context.assemble(record, &head, &sources);
    Ok(View { freshness: Some(Freshness::of(&kind.object, &cursors)), ..view })
}

/// What was read through the team's connection.
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
    org: &Org,
    (kind, id): (&Kind, RecordId),
    request: &ViewRequest,
) -> Result<Result<Team, Unavailable>, Error> {
    let read = async {
        let reader = LiveReader::open(deps, org, None).await?;
        let plan = |schema: &_| Plan::new(schema, kind, id, request, |_| false);
        let queries = |schema: &_| Ok(plan(schema).queries);
        let (schema, pages) = reader.query(&objects(kind, request), queries).await?;
        let lists = plan(&schema).rows(&pages);
        let head = super::first_fields(&pages).unwrap_or_default();
        Ok(Team { lists, head, instance: reader.instance_url().await?, schema })
    };
    match read.await {
        Ok(team) => Ok(Ok(team)),
        Err(Error::NoRoute(_) | Error::OrgNotActive(_)) => Ok(Err(Unavailable::TeamNotConnected)),
        Err(Error::Salesforce(error)) => Ok(Err(Unavailable::from(&error))),
        Err(error) => Err(error),
    }
}
