use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// What the network and Salesforce do to one attempt.
#[derive(Clone, Copy, Debug)]
enum Luck {
    /// Everything answers.
    Fine,
    /// The creation takes effect and its answer is lost.
    AnswerLost,
    /// The creation takes effect, its answer is lost, and so is that of the search after it.
    AnswerAndLookLost,
    /// Nothing takes effect and nobody says so.
    RequestLost,
    /// The connection cannot be made.
    Unreachable,
    /// The function is killed right after the note was made.
    KilledAfter,
    /// The function is killed before anything was sent.
    KilledBefore,
}

/// An org that counts its notes, and the write's ledger entry.
#[derive(Default)]
struct World {
    notes: Vec<RecordId>,
    begun: bool,
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
const NO_ANSWER: Failure = Failure(Retry::Unknown(Duration::from_secs(1)));

impl World {
    fn attempt(&mut self, luck: Luck) {
        let mut step = begin(std::mem::replace(&mut self.begun, true));
        loop {
            step = match step {
                Step::LookForEarlier => after_looking_for_earlier(self.look(luck)),
                Step::Create => match self.create(luck) {
                    Some(created) => after_creating(created),
                    None => return,
                },
                Step::LookForLost(lost) => after_looking_for_lost(lost, self.look(luck)),
                Step::Done(id) => return self.finished = Some(id),
                Step::Later(_) | Step::Refuse(_) => return,
            };
        }
    }

    fn look(&self, luck: Luck) -> Result<Option<RecordId>, Failure> {
        match luck {
            Luck::Unreachable | Luck::AnswerAndLookLost => Err(NOT_SENT),
            _ => Ok(self.notes.first().copied()),
        }
    }

    /// `None` when the function was killed.
    fn create(&mut self, luck: Luck) -> Option<Result<RecordId, Failure>> {
        match luck {
            Luck::KilledBefore => return None,
            Luck::Unreachable => return Some(Err(NOT_SENT)),
            Luck::RequestLost => return Some(Err(NO_ANSWER)),
            Luck::Fine | Luck::AnswerLost | Luck::AnswerAndLookLost | Luck::KilledAfter => {}
        }
        let id = note(self.notes.len());
        self.notes.push(id);
        match luck {
            Luck::KilledAfter => None,
            Luck::Fine => Some(Ok(id)),
            _ => Some(Err(NO_ANSWER)),
        }
    }
}

fn note(number: usize) -> RecordId {
    format!("069000000000{number:03}").parse().unwrap()
}

fn any_luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        Just(Luck::Fine),
        Just(Luck::AnswerLost),
        Just(Luck::AnswerAndLookLost),
        Just(Luck::RequestLost),
        Just(Luck::Unreachable),
        Just(Luck::KilledAfter),
        Just(Luck::KilledBefore),
    ]
}

proptest! {
    #[test]
    fn no_luck_makes_a_second_note(all in prop::collection::vec(any_luck(), 1..12)) {
        let mut world = World::default();
        for luck in all {
            if world.finished.is_none() {
                world.attempt(luck);
            }
            prop_assert!(world.notes.len() <= 1, "{} notes", world.notes.len());
        }
    }

    #[test]
    fn the_first_quiet_attempt_ends_with_the_one_note(all in prop::collection::vec(any_luck(), 0..8)) {
        let mut world = World::default();
        for luck in all {
            world.attempt(luck);
        }
        world.attempt(Luck::Fine);
        prop_assert!(world.finished.is_some());
        prop_assert_eq!(world.finished, world.notes.first().copied());
    }
}

#[test]
fn a_first_attempt_creates_without_looking() {
    assert_eq!(begin::<Failure>(false), Step::Create);
}

#[test]
fn a_later_attempt_looks_before_it_creates() {
    assert_eq!(begin::<Failure>(true), Step::LookForEarlier);
    assert_eq!(after_looking_for_earlier::<Failure>(Ok(None)), Step::Create);
    assert_eq!(after_looking_for_earlier(Err(NOT_SENT)), Step::Later(NOT_SENT));
}

#[test]
fn a_lost_answer_is_looked_for_and_never_sent_again_by_the_same_attempt() {
    assert_eq!(after_creating(Err(NO_ANSWER)), Step::LookForLost(NO_ANSWER));
    assert_eq!(after_looking_for_lost(NO_ANSWER, Ok(None)), Step::Later(NO_ANSWER));
}

#[test]
fn a_refusal_is_the_answer() {
    for retry in [Retry::Never, Retry::NeedsHuman] {
        assert_eq!(after_creating(Err(Failure(retry))), Step::Refuse(Failure(retry)));
    }
}
