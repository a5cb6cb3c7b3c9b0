use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// The effect of the network, of Salesforce and of the process on one attempt.
#[derive(Clone, Copy, Debug)]
enum Incident {
    /// Every call succeeds.
    None,
    /// The creation takes effect, and its response is lost.
    ResponseLost,
    /// The creation takes effect, its response is lost, and the search after it fails.
    ResponseAndSearchLost,
    /// The request is lost: it takes no effect and gets no response.
    RequestLost,
    /// Salesforce cannot be reached.
    Unreachable,
    /// The function is killed after the creation took effect.
    KilledAfter,
    /// The function is killed before it sends the creation.
    KilledBefore,
}

/// A model of the org's notes and of the write's ledger entry.
#[derive(Default)]
struct Model {
    notes: Vec<RecordId>,
    started: bool,
    finished: Option<RecordId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure(Retry);

impl Classify for Failure {
    fn retry(&self) -> Retry {
        self.0
    }
}

const NOT_SENT: Failure = Failure(Retry::After(Duration::from_secs(1)));
const NO_RESPONSE: Failure = Failure(Retry::Unknown(Duration::from_secs(1)));

impl Model {
    fn attempt(&mut self, incident: Incident) {
        let mut step = begin(std::mem::replace(&mut self.started, true));
        loop {
            step = match step {
                Step::LookForEarlier => after_looking_for_earlier(self.search(incident)),
                Step::Create => match self.create(incident) {
                    Some(created) => after_creating(created),
                    None => return,
                },
                Step::LookForLost(lost) => after_looking_for_lost(lost, self.search(incident)),
                Step::Done(id) => return self.finished = Some(id),
                Step::Defer(_) | Step::Refuse(_) => return,
            };
        }
    }

    fn search(&self, incident: Incident) -> Result<Option<RecordId>, Failure> {
        match incident {
            Incident::Unreachable | Incident::ResponseAndSearchLost => Err(NOT_SENT),
            _ => Ok(self.notes.first().copied()),
        }
    }

    /// Creates a note; `None` if the function is killed.
    fn create(&mut self, incident: Incident) -> Option<Result<RecordId, Failure>> {
        match incident {
            Incident::KilledBefore => return None,
            Incident::Unreachable => return Some(Err(NOT_SENT)),
            Incident::RequestLost => return Some(Err(NO_RESPONSE)),
            Incident::None | Incident::ResponseLost | Incident::ResponseAndSearchLost | Incident::KilledAfter => {}
        }
        let id = note(self.notes.len());
        self.notes.push(id);
        match incident {
            Incident::KilledAfter => None,
            Incident::None => Some(Ok(id)),
            _ => Some(Err(NO_RESPONSE)),
        }
    }
}

fn note(number: usize) -> RecordId {
    format!("069000000000{number:03}").parse().unwrap()
}

fn any_incident() -> impl Strategy<Value = Incident> {
    prop_oneof![
        Just(Incident::None),
        Just(Incident::ResponseLost),
        Just(Incident::ResponseAndSearchLost),
        Just(Incident::RequestLost),
        Just(Incident::Unreachable),
        Just(Incident::KilledAfter),
        Just(Incident::KilledBefore),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_failures_makes_a_second_note(incidents in prop::collection::vec(any_incident(), 1..12)) {
        let mut model = Model::default();
        for incident in incidents {
            if model.finished.is_none() {
                model.attempt(incident);
            }
            prop_assert!(model.notes.len() <= 1, "{} notes", model.notes.len());
        }
    }

    #[test]
    fn the_first_attempt_without_a_failure_finds_the_one_note(incidents in prop::collection::vec(any_incident(), 0..8)) {
        let mut model = Model::default();
        for incident in incidents {
            model.attempt(incident);
        }
        model.attempt(Incident::None);
        prop_assert!(model.finished.is_some());
        prop_assert_eq!(model.finished, model.notes.first().copied());
    }
}

#[test]
fn a_first_attempt_creates_without_a_search() {
    assert_eq!(begin::<Failure>(false), Step::Create);
}

#[test]
fn a_later_attempt_searches_before_it_creates() {
    assert_eq!(begin::<Failure>(true), Step::LookForEarlier);
    assert_eq!(after_looking_for_earlier::<Failure>(Ok(None)), Step::Create);
    assert_eq!(after_looking_for_earlier(Err(NOT_SENT)), Step::Defer(NOT_SENT));
}

#[test]
fn an_attempt_with_a_lost_response_searches_and_does_not_resend() {
    assert_eq!(after_creating(Err(NO_RESPONSE)), Step::LookForLost(NO_RESPONSE));
    assert_eq!(after_looking_for_lost(NO_RESPONSE, Ok(None)), Step::Defer(NO_RESPONSE));
}

#[test]
fn a_rejection_is_the_outcome() {
    for retry in [Retry::Never, Retry::NeedsHuman] {
        assert_eq!(after_creating(Err(Failure(retry))), Step::Refuse(Failure(retry)));
    }
}
