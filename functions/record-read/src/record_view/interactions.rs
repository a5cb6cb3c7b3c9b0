//! Interactions of several objects as one list: the newest first, page by page.

use std::cmp::{Ordering, Reverse};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use salesforce::soql::{Condition, Literal, eq, le, lt};
use salesforce::{FieldName, ObjectName, RecordId, datetime};
use serde_json::Value;

use super::kind::{EMAIL, EVENT, TASK};

/// The version of the cursor's text.
const VERSION: &str = "1";

/// A place in the list. Of two rows the one with the smaller place comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The time of the interaction. Those without one come last.
    at: Reverse<Option<Timestamp>>,
    /// The rank of the object among those with the same time.
    rank: u8,
    id: Reverse<RecordId>,
}

/// The rows of one object.
#[derive(Debug)]
pub(super) struct Fetched<T> {
    /// The rows with their places, in any order.
    pub(super) rows: Vec<(Position, T)>,
    /// The place of the last row that was read, if more follow it.
    pub(super) more_after: Option<Position>,
}

impl Position {
    /// Returns the place of a row. `time` is the value of the object's [`time_field`]: a date-time or a day.
    pub(super) fn of(object: &ObjectName, time: Option<&str>, id: RecordId) -> Self {
        Self { at: Reverse(time.and_then(parse_time)), rank: rank(object), id: Reverse(id) }
    }

    /// Returns the time of the interaction; of a day, its beginning in UTC.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.at.0
    }

    /// Returns the condition for the rows of an object that come after this place.
    pub(super) fn follows(&self, object: &ObjectName) -> Condition {
        let field = time_field(object);
        let own = rank(object);
        let lower_ids = lt(&FieldName::ID, self.id.0);
        let untimed = eq(&field, Literal::Null);
        let Some(at) = self.at.0 else {
            return match own.cmp(&self.rank) {
                Ordering::Greater => untimed,
                Ordering::Equal => untimed.and(lower_ids),
                Ordering::Less => eq(&FieldName::ID, Literal::Null),
            };
        };
        let day = at.to_zoned(TimeZone::UTC).date();
        let begins_day = begin_of(day) == Some(at);
        let earlier = match (*object == TASK, begins_day) {
            (false, _) if own > self.rank => le(&field, at),
            (false, _) => lt(&field, at),
            // A day is earlier than a time within it.
            (true, false) => le(&field, day),
            (true, true) if own > self.rank => le(&field, day),
            (true, true) => lt(&field, day),
        };
        let tie = match (*object == TASK, begins_day) {
            _ if own != self.rank => None,
            (false, _) => Some(eq(&field, at).and(lower_ids)),
            (true, true) => Some(eq(&field, day).and(lower_ids)),
            (true, false) => None,
        };
        let earlier = tie.map_or(earlier.clone(), |tie| earlier.or(tie));
        earlier.or(untimed)
    }
}

/// Returns the field by which rows of the object are sorted.
pub(super) fn time_field(object: &ObjectName) -> FieldName {
    if *object == TASK {
        FieldName::from_static("ActivityDate")
    } else if *object == EVENT {
        FieldName::from_static("StartDateTime")
    } else {
        FieldName::from_static("MessageDate")
    }
}

fn rank(object: &ObjectName) -> u8 {
    if *object == EMAIL {
        0
    } else if *object == EVENT {
        1
    } else {
        2
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    datetime::parse(text).ok().or_else(|| begin_of(text.parse().ok()?))
}

fn begin_of(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Merges the rows of several objects. Returns at most `limit` rows, the newest first, and the place after which the next page
/// starts.
pub(super) fn merge<T>(lists: Vec<Fetched<T>>, limit: usize) -> (Vec<(Position, T)>, Option<Position>) {
    // Beyond this place, rows of some object have not been read.
    let horizon = lists.iter().filter_map(|list| list.more_after).min();
    let mut rows: Vec<(Position, T)> = lists.into_iter().flat_map(|list| list.rows).collect();
    rows.sort_by_key(|(position, _)| *position);
    rows.retain(|(position, _)| horizon.is_none_or(|horizon| *position <= horizon));
    let is_cut = rows.len() > limit;
    rows.truncate(limit);
    let next = if is_cut { rows.last().map(|(position, _)| *position) } else { horizon };
    (rows, next)
}

/// Returns the ids of the tasks that Salesforce has added for e-mails, from the values of their `ActivityId`.
pub(super) fn tasks_of_emails<'a>(activities: impl Iterator<Item = &'a Value>) -> Vec<RecordId> {
    activities.filter_map(|activity| activity.as_str()?.parse().ok()).collect()
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at.0.map_or_else(String::new, |at| at.as_millisecond().to_string());
        write!(f, "{VERSION}~{at}~{}~{}", self.rank, self.id.0)
    }
}

impl FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_cursor(text).ok_or("interactions_after must be the value of next in the previous page of interactions")
    }
}

fn parse_cursor(text: &str) -> Option<Position> {
    let mut parts = text.split('~');
    let (version, at, rank, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let at = if at.is_empty() { None } else { Some(Timestamp::from_millisecond(at.parse().ok()?).ok()?) };
    let rank = rank.parse().ok().filter(|rank| *rank <= 2)?;
    let is_cursor = version == VERSION && parts.next().is_none();
    is_cursor.then_some(Position { at: Reverse(at), rank, id: Reverse(id.parse().ok()?) })
}

#[cfg(test)]
mod tests;
