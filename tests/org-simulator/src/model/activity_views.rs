//! The objects that show the tasks and events of a record: `OpenActivity` and `ActivityHistory`.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

/// The view of open activities and that of closed ones.
pub(crate) const VIEWS: [&str; 2] = ["OpenActivity", "ActivityHistory"];

/// Returns whether the object shows tasks and events and is read in subqueries only.
pub(crate) fn is_activity_view(object: &str) -> bool {
    VIEWS.contains(&object)
}

/// Returns whether a row of an activity view is in that view now: open tasks and coming events are in the one, closed tasks
/// and past events in the other.
pub(crate) fn is_shown_in(org: &Org, view: &str, row: &Row) -> bool {
    let value = |field| org.value(view, row, field);
    let closed = if *value("IsTask") == Value::Bool(true) {
        *value("IsClosed") == Value::Bool(true)
    } else {
        has_ended(org.clock.now(), value("EndDateTime"), value("ActivityDate"))
    };
    closed == (view == VIEWS[1])
}

fn has_ended(now: Timestamp, end: &Value, day: &Value) -> bool {
    match (end, day) {
        (Value::Instant(end), _) => *end < now,
        (_, Value::Date(day)) => TimeZone::UTC.to_datetime(now).date() > *day,
        _ => false,
    }
}

/// Returns the start of a day in UTC.
pub(crate) fn midnight(day: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or_default()
}
