//! Lists of records: of Salesforce through the rep's connection, of the mirror, or of Salesforce through the team's for an
//! object that is not mirrored.

use mirroring::OrgMirror;
use runtime::ListId;
use salesforce::{FieldName, ObjectName, OrgId, Record, RecordId};
use serde::Serialize;
use serde_json::{Map, Value};
use store::{MirrorRecord, Org};

use crate::live::LiveReader;
use crate::views::{Freshness, RecordView, Source};
use crate::{Deps, Error, http};

mod condition;
mod live;
mod mirror;
mod request;

pub(crate) use request::ListRequest;

use mirror::LastRow;

/// The size of the fields of a page at which it ends: an invocation of Lambda returns at most 6 MB.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A page of records.
#[derive(Debug, Serialize)]
pub(crate) struct ListView {
    source: Source,
    object: ObjectName,
    #[serde(skip_serializing_if = "Option::is_none")]
    freshness: Option<Freshness>,
    pub(crate) records: Vec<RecordView>,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

/// Rows of a page, and the place of the last one if more follow.
#[derive(Debug, PartialEq, Eq)]
struct List<T, P> {
    rows: Vec<T>,
    next: Option<P>,
}

/// Reads a page.
pub(crate) async fn page(
    deps: &Deps,
    org: &Org,
    object: &ObjectName,
    request: &ListRequest,
) -> Result<ListView, Error> {
    let org_mirror = crate::mirror::of(deps, org.org_id).await?;
    let mirrored = org_mirror.find(object);
    let source = match (&request.user, mirrored) {
        (Some(_), _) => Source::Salesforce,
        (None, Some(_)) => Source::Mirror,
        (None, None) => Source::Team,
    };
    let list = ListId::of(&(org.org_id, object.as_str().to_ascii_lowercase(), source, &request.filter));
    let view = |record: RecordView| record.with_fields(request.fields.as_deref());
    if let (None, Some(object)) = (&request.user, mirrored) {
        http::require_served(deps, org)?;
        let after = request.after.as_deref().map(|after| list.position(after)).transpose()?;
        let page = mirror::page(&deps.records, (org.org_id, object, &org_mirror), request, after).await?;
        let instance = crate::mirror::instance_url(deps, org).await?;
        return Ok(ListView {
            source,
            object: object.clone(),
            freshness: Some(Freshness::of(object, &deps.cursors.list(org.org_id).await?)),
            records: page.rows.into_iter().map(|row| view(row.into()).with_page(instance.as_ref())).collect(),
            next: page.next.map(|place| list.cursor(&place)),
        });
    }
    let after = request.after.as_deref().map(|after| list.position(after)).transpose()?;
    let reader = LiveReader::open(deps, org, request.user.as_ref()).await?;
    let (object, page) = live::page(&reader, object, request, after).await?;
    let instance = reader.instance_url().await?;
    let view = |record: Record| view(record.into()).with_source(source).with_page(Some(&instance));
    Ok(ListView {
        source,
        object,
        freshness: None,
        records: page.rows.into_iter().map(view).collect(),
        next: page.next.map(|last| list.cursor(&last)),
    })
}

/// Reads a page of a mirrored object's records that have these values, in the order of their ids. Returns the id after which the
/// next page begins, too.
pub(crate) async fn mirrored_with(
    deps: &Deps,
    (org, object, org_mirror): (OrgId, &ObjectName, &OrgMirror),
    values: &[(FieldName, String)],
    (after, limit): (Option<RecordId>, u16),
) -> Result<(Vec<MirrorRecord>, Option<RecordId>), Error> {
    let request = ListRequest::with_values(values, limit)?;
    let page = mirror::page(&deps.records, (org, object, org_mirror), &request, after.map(LastRow::Id)).await?;
    let next = page.next.map(|place| match place {
        LastRow::Id(id) => id,
        LastRow::Change(key) => key.record_id,
    });
    Ok((page.rows, next))
}

/// Returns the number of rows that a page has: at most `limit`, and at least one, with [`MAX_PAGE_BYTES`] of fields.
pub(crate) fn within_bytes<T>(rows: &[T], limit: usize, fields: impl Fn(&T) -> &Map<String, Value>) -> usize {
    let mut bytes = 0;
    let fits = |row: &&T| {
        bytes += serde_json::to_string(fields(row)).map_or(0, |text| text.len());
        bytes <= MAX_PAGE_BYTES
    };
    let count = rows.iter().take(limit).take_while(fits).count();
    count.max(1).min(rows.len())
}
