//! The condition of a connection that cannot be used although its grant has not ended. Pure, except for clearing it.

use jiff::{SignedDuration, Timestamp};
use salesforce::{Condition, OrgId, Retry};
use serde::{Deserialize, Serialize};

use super::{Connection, ConnectionState, Connections, row_key};
use crate::Error;
use crate::ids::ConnectionId;
use crate::table::{Conditional, Update, text};
use crate::time;

/// A condition, the time since which it lasts, and whether it was reported to the person who can end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StoredCondition")]
pub struct ConditionState {
    /// The condition that was found last.
    #[serde(rename = "condition")]
    pub condition: Condition,
    /// The time since which the connection has been in a condition, this one or others.
    #[serde(rename = "condition_since", with = "crate::time::millis")]
    pub since: Timestamp,
    /// `true` once it has lasted long enough to be reported: the event is published when this becomes `true`.
    #[serde(rename = "condition_reported")]
    pub reported: bool,
    /// The number of new sessions in a row that the org refused and that a refresh replaced. The first accepted call ends the row.
    pub sessions_replaced: u32,
}

/// A condition as it is stored. An earlier version stored `condition_told`.
#[derive(Deserialize)]
struct StoredCondition {
    condition: Condition,
    #[serde(with = "crate::time::millis")]
    condition_since: Timestamp,
    condition_reported: Option<bool>,
    condition_told: Option<bool>,
    #[serde(default)]
    sessions_replaced: u32,
}

impl From<StoredCondition> for ConditionState {
    fn from(stored: StoredCondition) -> Self {
        let StoredCondition { condition, condition_since, condition_reported, condition_told, sessions_replaced } =
            stored;
        let reported = condition_reported.or(condition_told).unwrap_or_default();
        Self { condition, since: condition_since, reported, sessions_replaced }
    }
}

/// The number of replaced sessions from which on another refused one is reported. One refused session decides nothing: an administrator
/// may have ended it.
const SEVERAL_SESSIONS: u32 = 2;

impl ConditionState {
    /// Returns the state after `condition` was found.
    ///
    /// Several conditions in turn are one trouble: the time counts from the first, so that answers that change do not hide it.
    /// A condition that may be a decision of the org's stays through an outage and faults of Ferry's, which say nothing
    /// about it: the team must not write for the rep meanwhile.
    #[must_use]
    pub fn found(before: Option<Self>, condition: Condition, now: Timestamp) -> Self {
        let stays = |before: &Self| {
            condition.is_independent_of_org() && !before.condition.is_independent_of_org() && before.is_certain()
        };
        let condition = before.filter(|before| stays(before)).map_or(condition, |before| before.condition);
        let since = before.map_or_else(|| time::to_millis(now), |before| before.since);
        let lasted = now.duration_since(since);
        let is_over = |after| SignedDuration::try_from(after).is_ok_and(|after| lasted >= after);
        let is_same = before.is_some_and(|before| before.reported && before.condition == condition);
        let sessions_replaced = before.map_or(0, |before| before.sessions_replaced);
        let found = Self { condition, since, reported: is_same, sessions_replaced };
        Self { reported: is_same || (found.is_certain() && is_over(condition.reported_after())), ..found }
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
            _ => {
                Some(Self { sessions_replaced, reported: false, ..Self::found(before, Condition::SessionRefused, now) })
            }
        }
    }

    /// Returns the state at a later time, in which nothing new was found.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self::found(Some(self), self.condition, now)
    }

    /// Returns the retry that the condition allows: once it is reported, the work waits for a person.
    #[must_use]
    pub fn retry(self) -> Retry {
        if self.reported { Retry::NeedsHuman } else { self.condition.retry() }
    }
}

impl Connection {
    /// Returns the state as it is shown: `blocked` for a connection whose condition was reported to a person, else the stored state.
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
        self.condition.filter(|state| state.reported || state.is_certain())
    }

    /// Returns whether its condition was reported, and so waits for a person.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.blocked_by().is_some()
    }

    /// Returns the condition that was reported, and so waits for a person.
    #[must_use]
    pub fn blocked_by(&self) -> Option<Condition> {
        self.condition.filter(|state| state.reported).map(|state| state.condition)
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

/// The attributes of [`ConditionState`], and that of an earlier version.
pub(super) const ATTRIBUTES: [&str; 5] =
    ["condition", "condition_since", "condition_reported", FORMER_REPORTED, "sessions_replaced"];

/// The name of `condition_reported` in an earlier version.
pub(super) const FORMER_REPORTED: &str = "condition_told";

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
    fn what_only_a_person_ends_is_reported_at_once() {
        let blocked = ConditionState::found(None, Condition::AppBlocked, start());
        assert_eq!((blocked.reported, blocked.retry()), (true, Retry::NeedsHuman));
    }

    #[test]
    fn what_may_pass_is_reported_after_a_day() {
        let hidden = ConditionState::found(None, Condition::LoginRestricted, start());
        assert!(!hidden.reported && matches!(hidden.retry(), Retry::After(_)));
        assert!(!ConditionState::found(Some(hidden), Condition::LoginRestricted, hours(23)).reported);
        let reported = ConditionState::found(Some(hidden), Condition::LoginRestricted, hours(24));
        assert_eq!((reported.reported, reported.retry()), (true, Retry::NeedsHuman));
    }

    #[test]
    fn answers_that_change_are_one_trouble() {
        let unknown = ConditionState::found(None, Condition::UnknownError, start());
        let unavailable = ConditionState::found(Some(unknown), Condition::Unavailable, hours(12));
        let unknown = ConditionState::found(Some(unavailable), Condition::UnknownError, hours(24));
        assert_eq!((unknown.since, unknown.reported), (start(), true));
    }

    #[test]
    fn an_outage_does_not_hide_a_decision_of_the_org() {
        let outages = Condition::ALL.into_iter().filter(|condition| condition.is_independent_of_org());
        for outage in outages {
            let blocked = ConditionState::found(None, Condition::UserNotApproved, start());
            assert_eq!(ConditionState::found(Some(blocked), outage, hours(72)), blocked, "{outage}");
            let not_reported = ConditionState::found(None, Condition::LoginRestricted, start());
            let found = ConditionState::found(Some(not_reported), outage, hours(24));
            assert_eq!((found.condition, found.reported), (Condition::LoginRestricted, true), "{outage}");
            let again = ConditionState::found(
                Some(ConditionState::found(None, outage, start())),
                Condition::AppBlocked,
                hours(1),
            );
            assert_eq!(again.condition, Condition::AppBlocked, "{outage}");
        }
    }

    /// Returns the state after a number of new sessions were refused and replaced.
    fn replaced(sessions: u32) -> ConditionState {
        let refreshed = (0..sessions).fold(None, |state, _| ConditionState::refreshed(state, true, start()));
        refreshed.unwrap()
    }

    #[test]
    fn one_refused_session_is_not_reported() {
        for (sessions, reported) in [(1, false), (2, true)] {
            let found = ConditionState::found(Some(replaced(sessions)), Condition::SessionRefused, hours(1));
            assert_eq!((found.reported, found.since, found.sessions_replaced), (reported, start(), sessions));
        }
        let minutes = start() + SignedDuration::from_mins(4);
        assert!(!ConditionState::found(Some(replaced(9)), Condition::SessionRefused, minutes).reported);
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
    fn a_row_of_an_earlier_version_is_read() {
        let row = |name: &str, reported: bool| {
            let mut row =
                serde_json::json!({"condition": "session_refused", "condition_since": "2026-11-22T10:00:00.000Z"});
            row[name] = reported.into();
            serde_json::from_value::<ConditionState>(row).unwrap()
        };
        for reported in [true, false] {
            let state = row("condition_told", reported);
            assert_eq!((state.reported, state.sessions_replaced), (reported, 0));
            assert_eq!(row("condition_reported", reported), state);
        }
    }

    #[test]
    fn a_stored_condition_is_read_again() {
        let state =
            ConditionState { sessions_replaced: 2, ..ConditionState::found(None, Condition::AppBlocked, start()) };
        assert_eq!(serde_json::from_value::<ConditionState>(serde_json::to_value(state).unwrap()).unwrap(), state);
    }

    proptest! {
        /// Nothing lasts for longer than a day without being reported, but a single refused session, which decides nothing.
        #[test]
        fn a_condition_of_a_day_is_reported(found in prop::collection::vec((0..Condition::ALL.len(), 0..600_i64), 1..40)) {
            let mut now = start();
            let mut state = None;
            for (index, minutes) in found {
                now += SignedDuration::from_mins(minutes);
                let before = state;
                let next = ConditionState::found(before, Condition::ALL[index], now);
                let is_recent = now.duration_since(next.since) < SignedDuration::from_hours(24);
                prop_assert!(next.reported || is_recent || next.condition == Condition::SessionRefused);
                prop_assert_eq!(next.at(now), next);
                state = Some(next);
            }
        }
    }
}
