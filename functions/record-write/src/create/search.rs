//! The search for the records that earlier requests created, although their responses were lost.

use jiff::Timestamp;
use salesforce::soql::{self, Condition};
use salesforce::{Client, FieldName, JsonObject, ObjectDescribe, ObjectName, Record, Soql, datetime};
use store::client_keys::Sent;

use super::matching::{self, Compared};
use crate::age::{CLOCK_SKEW, CREATED_DATE};
use crate::ownership;

const CREATED_BY: FieldName = FieldName::from_static("CreatedById");

/// A record of the request that may have been created.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost<'a> {
    /// The position in the request.
    pub(super) position: usize,
    /// The fields as they were sent.
    pub(super) fields: &'a JsonObject,
    /// The request that may have created it.
    pub(super) sent: Sent,
}

/// A record of the org that a lost one may be.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) record: Record,
    /// The time of its creation, by Salesforce's clock.
    pub(super) created_at: Timestamp,
}

/// Searches for the records that the users of the lost requests created since, the deleted ones included. Returns the compared fields, too. `paths` is as
/// in [`matching::compared`].
pub(super) async fn search(
    client: &Client,
    (object, describe): (&ObjectName, &ObjectDescribe),
    lost: &[Lost<'_>],
    paths: bool,
) -> Result<(Vec<Compared>, Vec<Found>), salesforce::Error> {
    let records: Vec<&JsonObject> = lost.iter().map(|lost| lost.fields).collect();
    let compared = matching::compared(object, describe, &records, paths);
    let mut found = Vec::new();
    for condition in conditions(lost, &compared, &records) {
        let mut fields = vec![FieldName::ID, CREATED_DATE, CREATED_BY];
        fields.extend(compared.iter().map(|field| field.path().clone()).filter(|path| *path != FieldName::ID));
        let query =
            Soql::select(&fields).from(object).where_(condition).order_by(&CREATED_DATE).order_by(&FieldName::ID);
        let mut page = client.query_all(&query).await?;
        loop {
            found.extend(page.records.into_iter().filter_map(found_row));
            let Some(next) = &page.next else { break };
            page = client.query_more(next).await?;
        }
    }
    Ok((compared, found))
}

/// Returns the candidates of each lost record, for [`matching::assign`], among those rows that `is_free` allows.
pub(super) fn candidates(
    lost: &[Lost<'_>],
    compared: &[Compared],
    found: &[Found],
    is_free: impl Fn(&Found) -> bool,
) -> Vec<Vec<(usize, usize)>> {
    let of = |lost: &Lost<'_>| {
        let since = lost.sent.sent_at - CLOCK_SKEW;
        let is_since = |found: &Found| found.created_at >= since && is_by(&found.record, lost.sent);
        let rows = found.iter().enumerate().filter(|(_, found)| is_free(found) && is_since(found));
        let equal = |(row, found): (usize, &Found)| {
            Some((row, matching::equal_values(compared, lost.fields, &found.record.fields)?))
        };
        rows.filter_map(equal).collect()
    };
    lost.iter().map(of).collect()
}

fn is_by(record: &Record, sent: Sent) -> bool {
    record.text(CREATED_BY.as_str()).and_then(|user| user.parse().ok()) == Some(sent.user_id)
}

fn found_row(record: Record) -> Option<Found> {
    let created_at = record.text(CREATED_DATE.as_str()).and_then(|text| datetime::parse(text).ok())?;
    Some(Found { record, created_at })
}

/// Returns the conditions of the queries: one, or several if all records refer to others by their ids.
fn conditions(lost: &[Lost<'_>], compared: &[Compared], records: &[&JsonObject]) -> Vec<Condition> {
    let since = lost.iter().map(|lost| lost.sent.sent_at).min().unwrap_or(Timestamp::UNIX_EPOCH) - CLOCK_SKEW;
    let mut users: Vec<_> = lost.iter().map(|lost| lost.sent.user_id).collect();
    users.sort_unstable();
    users.dedup();
    let created = || soql::ge(&CREATED_DATE, since).and(soql::in_(&CREATED_BY, users.iter()));
    match compared.iter().find_map(|field| Some((field.path(), field.referred(records)?))) {
        Some((field, referred)) => {
            let groups = ownership::chunks_of(referred.iter().map(soql::Literal::from).collect());
            groups.into_iter().map(|ids| created().and(soql::in_(field, ids))).collect()
        }
        None => vec![created()],
    }
}
