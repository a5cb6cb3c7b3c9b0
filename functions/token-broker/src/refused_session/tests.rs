use jiff::Timestamp;
use proptest::prelude::*;
use salesforce::Condition;
use store::ConditionState;

use super::*;

fn start() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// A connection, and the org that accepts or refuses its sessions.
struct Model {
    now: Timestamp,
    condition: Option<ConditionState>,
    issued_at: Timestamp,
    /// The number of the stored session.
    session: u32,
    /// The org refuses the sessions before this one.
    first_accepted: u32,
}

impl Model {
    /// A connection that was refreshed a while ago, and an org that refuses its session and a number of new ones.
    fn new(refused: u32, age: SignedDuration) -> Self {
        Self { now: start(), condition: None, issued_at: start() - age, session: 0, first_accepted: refused }
    }

    fn is_accepted(&self) -> bool {
        self.session >= self.first_accepted
    }

    /// Makes one call, which gets at most two other sessions. Returns the pause before the caller tries again, if it failed.
    fn call(&mut self) -> Option<Duration> {
        for _ in 0..3 {
            if self.is_accepted() {
                self.condition = None;
                return None;
            }
            let replaced = self.condition.map_or(0, |state| state.sessions_replaced);
            let refused = RefusedSession::new(replaced, self.now.duration_since(self.issued_at));
            if let Some(left) = refused.pause_left {
                self.condition = Some(ConditionState::found(self.condition, Condition::SessionRefused, self.now));
                return Some(left);
            }
            self.condition = ConditionState::refreshed(self.condition, refused.is_new, self.now);
            (self.session, self.issued_at) = (self.session + 1, self.now);
        }
        Some(Duration::from_secs(5))
    }

    fn is_reported(&self) -> bool {
        self.condition.is_some_and(|state| state.reported)
    }

    /// Calls until one is accepted, whenever the pause is over. Returns how long that took.
    fn recover(&mut self) -> SignedDuration {
        while let Some(pause) = self.call() {
            self.now += SignedDuration::try_from(pause).unwrap();
        }
        self.now.duration_since(start())
    }
}

#[test]
fn a_session_that_was_ended_once_is_replaced_at_once() {
    for age in [0, 1, 60, 899, 900, 7_200] {
        let mut model = Model::new(1, SignedDuration::from_secs(age));
        assert_eq!((model.recover(), model.session), (SignedDuration::ZERO, 1), "{age}");
        assert_eq!(model.condition, None);
    }
}

#[test]
fn three_sessions_ended_in_a_row_are_replaced_in_two_minutes() {
    for age in [0, 1, 60, 899, 900, 7_200] {
        let mut model = Model::new(3, SignedDuration::from_secs(age));
        let recovered = model.recover();
        assert!(recovered <= SignedDuration::from_mins(2), "{age}: {recovered}");
        assert_eq!((model.session, model.condition), (3, None));
    }
}

#[test]
fn an_org_that_refuses_every_session_is_reported_in_ten_minutes() {
    let mut model = Model::new(u32::MAX, SignedDuration::from_hours(1));
    for _ in 0..10 {
        model.call();
        let is_early = model.now.duration_since(start()) < SignedDuration::from_mins(5);
        assert!(!(is_early && model.is_reported()), "{}", model.now);
        model.now += SignedDuration::from_mins(1);
    }
    assert!(model.is_reported());
}

proptest! {
    /// An org that locks sessions to addresses costs few refreshes, at any rate of calls.
    #[test]
    fn an_hour_of_refused_sessions_costs_ten_refreshes(
        age in 0..7_200_i64,
        pauses in prop::collection::vec(prop_oneof![0..2_000_i64, 0..60_000_i64, 0..1_200_000_i64], 1..400),
    ) {
        let mut model = Model::new(u32::MAX, SignedDuration::from_secs(age));
        let mut refreshed = Vec::new();
        for pause in pauses {
            let before = model.session;
            prop_assert!(model.call().is_some());
            refreshed.extend((before..model.session).map(|_| model.now));
            model.now += SignedDuration::from_millis(pause);
        }
        for (index, from) in refreshed.iter().enumerate() {
            let hour = refreshed[index..].iter().filter(|at| at.duration_since(*from) < SignedDuration::from_hours(1));
            prop_assert!(hour.count() <= 10, "{refreshed:?}");
        }
    }

    /// However many sessions an org refused, the next one is requested after a quarter of an hour at most.
    #[test]
    fn an_org_that_accepts_again_is_found_in_a_quarter_of_an_hour(refused in 1..40_u32, age in 0..7_200_i64) {
        let mut model = Model::new(u32::MAX, SignedDuration::from_secs(age));
        while model.session < refused {
            if let Some(pause) = model.call() {
                model.now += SignedDuration::try_from(pause).unwrap();
            }
        }
        let accepted_from = model.now;
        model.first_accepted = model.session + 1;
        model.recover();
        prop_assert!(model.now.duration_since(accepted_from) <= SHORTEST_SESSION);
        prop_assert_eq!((model.session, model.condition), (model.first_accepted, None));
    }

    /// A session that ended by itself is replaced at once, and says nothing about the org.
    #[test]
    fn an_idle_connection_is_never_reported(hours in prop::collection::vec(900..200_000_i64, 1..40)) {
        let mut model = Model::new(u32::MAX, SignedDuration::from_hours(2));
        for seconds in hours {
            // The caller of the new session ends before its first call.
            let refused = RefusedSession::new(0, model.now.duration_since(model.issued_at));
            prop_assert_eq!(refused, RefusedSession { is_new: false, pause_left: None });
            model.condition = ConditionState::refreshed(model.condition, refused.is_new, model.now);
            prop_assert_eq!(model.condition, None);
            model.issued_at = model.now;
            model.now += SignedDuration::from_secs(seconds);
        }
    }
}
