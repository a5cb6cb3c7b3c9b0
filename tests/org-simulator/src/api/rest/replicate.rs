//! `updated` and `deleted`: the records that changed in a time window.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::api::call::{Call, Response};
use crate::model::actor::Actor;
use crate::model::datetime;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::store::Row;

const MAX_WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);
const RECYCLE_BIN: SignedDuration = SignedDuration::from_hours(15 * 24);

/// A time window, from (inclusive) to (exclusive); both in whole minutes.
struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    fn of(org: &Org, call: &Call) -> Result<Self, ApiError> {
        let time = |name: &str| {
            let text = call
                .parameter(name)
                .ok_or_else(|| ApiError::new("MISSING_ARGUMENT", format!("{name} is a required parameter")))?;
            let error =
                || ApiError::new("INVALID_REPLICATION_DATE", format!("{name}: value not of type dateTime: {text}"));
            datetime::parse(&text.replace(' ', "+")).map(whole_minutes).ok_or_else(error)
        };
        let (from, to) = (time("start")?, time("end")?);
        if to.duration_since(from) < SignedDuration::from_mins(1) {
            return Err(ApiError::new(
                "INVALID_REPLICATION_DATE",
                "startDate before endDate by at least one minute is required",
            ));
        }
        if org.clock.now().duration_since(from) > MAX_WINDOW {
            return Err(ApiError::new(
                "INVALID_REPLICATION_DATE",
                "startDate before org replication enabled date or more than 30 days ago",
            ));
        }
        Ok(Self { from, to })
    }

    fn holds(&self, row: &Row) -> bool {
        row.get(schema::MODSTAMP).as_instant().is_some_and(|at| self.from <= at && at < self.to)
    }

    /// Returns the end of the window for which the result is complete: at most the current minute.
    fn covered(&self, org: &Org) -> String {
        datetime::rest(self.to.min(whole_minutes(org.clock.now())))
    }
}

fn whole_minutes(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

fn rows<'a>(org: &'a Org, actor: &'a Actor, object: &'a Object, deleted: bool) -> impl Iterator<Item = &'a Row> {
    let rows = org.store.table(&object.name).into_iter().flat_map(|table| table.rows());
    rows.map(|row| &**row).filter(move |row| row.is_deleted() == deleted && org.may_see(actor, object, row))
}

/// Serves `updated`: the ids of live records that were created or changed in the window.
pub(super) fn updated(org: &Org, actor: &Actor, call: &Call, object: &Object) -> Result<Response, ApiError> {
    let window = Window::of(org, call)?;
    let ids: Vec<String> = rows(org, actor, object, false)
        .filter(|row| window.holds(row))
        .filter_map(|row| Some(row.id()?.to_string()))
        .collect();
    Ok(Response::json(json!({"ids": ids, "latestDateCovered": window.covered(org)})))
}

/// Serves `deleted`: the records of the recycle bin that were deleted in the window.
pub(super) fn deleted(org: &Org, actor: &Actor, call: &Call, object: &Object) -> Result<Response, ApiError> {
    let window = Window::of(org, call)?;
    let entry = |row: &Row| -> Option<Json> {
        Some(json!({"id": row.id()?.as_str(), "deletedDate": datetime::rest(row.get(schema::MODSTAMP).as_instant()?)}))
    };
    let records: Vec<Json> = rows(org, actor, object, true).filter(|row| window.holds(row)).filter_map(entry).collect();
    let earliest = org
        .clock
        .now()
        .checked_sub(RECYCLE_BIN)
        .map_or_else(|_| window.covered(org), |at| datetime::rest(whole_minutes(at)));
    Ok(Response::json(
        json!({"deletedRecords": records, "earliestDateAvailable": earliest, "latestDateCovered": window.covered(org)}),
    ))
}
