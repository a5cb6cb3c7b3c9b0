//! The condition of a connection that cannot be used although its grant has not ended. Pure, except for clearing it.

use jiff::{SignedDuration, Timestamp};
use salesforce::{Condition, OrgId, Retry};
use serde::{Deserialize, Serialize};

use super::{Connection, ConnectionState, Connections, row_key};
use crate::Error;
use crate::ids::ConnectionId;
use crate::table::{Conditional, Update, text};
use crate::time;

/// A condition, since when it lasts, and whether a person was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConditionState {
    /// The condition that was found last.
    #[serde(rename = "condition")]
    pub condition: Condition,
    /// The time since which the connection has been in a condition, this one or others.
    #[serde(rename = "condition_since", with = "crate::time::millis")]
    pub since: Timestamp,
    /// `true` once it has lasted long enough to tell a person. The event is published when this becomes `true`.
    #[serde(default, rename = "condition_told")]
    pub told: bool,
    /// The number of new sessions in a row that the org refused and that a refresh replaced. The first accepted call ends the row.
    #[serde(default)]
    pub sessions_replaced: u32,
}

/// The number of replaced sessions from which on another refused one is told. One refused session decides nothing: an administrator
/// may have ended it.
const SEVERAL_SESSIONS: u32 = 2;

impl ConditionState {
    /// Returns the state after `condition` was found.
    ///
    /// Several conditions in turn are one trouble: the time counts from the first, so that answers that change do not hide it.
    #[must_use]
    pub fn found(before: Option<Self>, condition: Condition, now: Timestamp) -> Self {
        let since = before.map_or_else(|| time::to_millis(now), |before| before.since);
        let lasted = now.duration_since(since);
        let is_over = |after| SignedDuration::try_from(after).is_ok_and(|after| lasted >= after);
        let is_same = before.is_some_and(|before| before.told && before.condition == condition);
        let sessions_replaced = before.map_or(0, |before| before.sessions_replaced);
        let found = Self { condition, since, told: is_same, sessions_replaced };
        Self { told: is_same || (found.is_certain() && is_over(condition.told_after())), ..found }
    }

    /// Returns whether more than one answer says so.
    fn is_certain(self) -> bool {
        self.condition != Condition::SessionRefused || self.sessions_replaced >= SEVERAL_SESSIONS
    }

    /// Returns the state after a refresh that worked; `replaced_new` if it replaced a new session that the org had refused.
    ///
    /// New tokens do not prove that the org accepts them, so they do not end a condition of sessions.
    #[must_use]
    pub fn refreshed(before: Option<Self>, replaced_new: bool, now: Timestamp) -> Option<Self> {
        let sessions_replaced =
            before.map_or(0, |before| before.sessions_replaced).saturating_add(u32::from(replaced_new));
        match before {
            Some(state) if state.condition.is_of_sessions() => Some(Self { sessions_replaced, ..state }),
            _ if sessions_replaced == 0 => None,
            _ => Some(Self { sessions_replaced, told: false, ..Self::found(before, Condition::SessionRefused, now) }),
        }
    }

    /// Returns the state at a later time, in which nothing new was found.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self::found(Some(self), self.condition, now)
    }

    /// Returns the retry that the condition allows: once a person is told, the work waits for that person.
    #[must_use]
    pub fn retry(self) -> Retry {
        if self.told { Retry::NeedsHuman } else { self.condition.retry() }
    }
}

impl Connection {
    /// Returns the state as it is shown: `blocked` for a connection that waits for a person who was told, else the stored state.
    #[must_use]
    pub fn shown_state(&self) -> &'static str {
        match &self.state {
            ConnectionState::Active | ConnectionState::Uncertain if self.is_blocked() => "blocked",
            ConnectionState::Active => "active",
            ConnectionState::Uncertain => "uncertain",
            ConnectionState::ReauthRequired { .. } => "reauth_required",
            ConnectionState::Revoked => "revoked",
        }
    }

    /// Returns the condition as it is shown: none after one refused session, which says nothing about the org.
    #[must_use]
    pub fn shown_condition(&self) -> Option<ConditionState> {
        self.condition.filter(|state| state.told || state.is_certain())
    }

    /// Returns whether its condition waits for a person who was told.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.condition.is_some_and(|condition| condition.told)
    }
}

/// The connection is in this condition, and no other process is about to write an outcome.
const IS_IN_CONDITION: &str = "#condition = :condition AND attribute_not_exists(#lease_deadline)";

impl Connections {
    /// Removes a condition that is over. Returns `false` if the connection is in another condition or none, or a refresh is under
    /// way.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn clear_condition(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        condition: Condition,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = Update {
            set: vec![("updated_at", text(time::format(now)))],
            remove: ATTRIBUTES.to_vec(),
            when: IS_IN_CONDITION,
            values: vec![(":condition", text(condition.code()))],
            ..Update::default()
        };
        let cleared =
            self.table.update("clear the condition of the connection", row_key(org, connection), update).await?;
        Ok(matches!(cleared, Conditional::Done(_)))
    }
}

/// The attributes of [`ConditionState`].
pub(super) const ATTRIBUTES: [&str; 4] = ["condition", "condition_since", "condition_told", "sessions_replaced"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn hours(hours: i64) -> Timestamp {
        start() + SignedDuration::from_hours(hours)
    }

    #[test]
    fn what_only_a_person_mends_is_told_at_once() {
        let blocked = ConditionState::found(None, Condition::AppBlocked, start());
        assert_eq!((blocked.told, blocked.retry()), (true, Retry::NeedsHuman));
    }

    #[test]
    fn what_may_pass_is_told_after_a_day() {
        let hidden = ConditionState::found(None, Condition::LoginRestricted, start());
        assert!(!hidden.told && matches!(hidden.retry(), Retry::After(_)));
        assert!(!ConditionState::found(Some(hidden), Condition::LoginRestricted, hours(23)).told);
        let told = ConditionState::found(Some(hidden), Condition::LoginRestricted, hours(24));
        assert_eq!((told.told, told.retry()), (true, Retry::NeedsHuman));
    }

    #[test]
    fn answers_that_change_are_one_trouble() {
        let unknown = ConditionState::found(None, Condition::UnknownError, start());
        let unavailable = ConditionState::found(Some(unknown), Condition::Unavailable, hours(12));
        let unknown = ConditionState::found(Some(unavailable), Condition::UnknownError, hours(24));
        assert_eq!((unknown.since, unknown.told), (start(), true));
    }

    /// Returns the state after a number of new sessions were refused and replaced.
    fn replaced(sessions: u32) -> ConditionState {
        let refreshed = (0..sessions).fold(None, |state, _| ConditionState::refreshed(state, true, start()));
        refreshed.unwrap()
    }

    #[test]
    fn one_refused_session_is_not_told() {
        for (sessions, told) in [(1, false), (2, true)] {
            let found = ConditionState::found(Some(replaced(sessions)), Condition::SessionRefused, hours(1));
            assert_eq!((found.told, found.since, found.sessions_replaced), (told, start(), sessions));
        }
        let minutes = start() + SignedDuration::from_mins(4);
        assert!(!ConditionState::found(Some(replaced(9)), Condition::SessionRefused, minutes).told);
    }

    #[test]
    fn a_refresh_ends_what_is_not_of_sessions() {
        let unavailable = ConditionState::found(None, Condition::Unavailable, start());
        assert_eq!(ConditionState::refreshed(Some(unavailable), false, start()), None);
        assert_eq!(ConditionState::refreshed(None, false, start()), None);
        let refused = replaced(1);
        assert_eq!(ConditionState::refreshed(Some(refused), false, hours(1)), Some(refused));
        let unavailable = ConditionState::found(Some(refused), Condition::Unavailable, start());
        assert_eq!(
            ConditionState::refreshed(Some(unavailable), false, start()),
            Some(refused),
            "the row of sessions goes on"
        );
    }

    #[test]
    fn a_row_without_a_number_of_sessions_is_read() {
        let row = serde_json::json!({"condition": "session_refused", "condition_since": "2026-11-22T10:00:00.000Z", "condition_told": true});
        let state: ConditionState = serde_json::from_value(row).unwrap();
        assert_eq!((state.told, state.sessions_replaced), (true, 0));
    }

    proptest! {
        /// Nothing lasts for longer than a day without a person being told, but a single refused session, which decides nothing.
        #[test]
        fn a_condition_of_a_day_is_told(found in prop::collection::vec((0..Condition::ALL.len(), 0..600_i64), 1..40)) {
            let mut now = start();
            let mut state = None;
            for (index, minutes) in found {
                now += SignedDuration::from_mins(minutes);
                let before = state;
                let next = ConditionState::found(before, Condition::ALL[index], now);
                let is_recent = now.duration_since(next.since) < SignedDuration::from_hours(24);
                prop_assert!(next.told || is_recent || next.condition == Condition::SessionRefused);
                prop_assert_eq!(next.at(now), next);
                state = Some(next);
            }
        }
    }
}
