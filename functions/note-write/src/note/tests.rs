//! The state machine with the marks of notes, through kills, lost responses and late commits.

use std::time::Duration;

use proptest::prelude::*;
use salesforce::{Classify, RecordId, Retry};
use writes::creation::{
    Step, after_creating, after_looking_for_earlier, after_looking_for_lost, begin, no_effect_from,
};

use crate::matching::{Candidate, by_mark};
use jiff::Timestamp;

const MINUTE: i64 = 60;
/// The longest time between a request and its effect, in seconds.
const LATEST_EFFECT: i64 = 10 * MINUTE;

/// The behavior of the network, of Salesforce and of the process in one attempt.
#[derive(Clone, Copy, Debug)]
struct Incident {
    /// The seconds since the previous attempt.
    waited: i64,
    /// The effect of a request that creates the note.
    request: Request,
    /// The search gets no response.
    search_lost: bool,
}

#[derive(Clone, Copy, Debug)]
enum Request {
    /// It takes effect and gets its response.
    Answered,
    /// It takes effect after so many seconds, and its response is lost.
    Lost(i64),
    /// It is lost: it takes no effect and gets no response.
    Dropped,
    /// Salesforce cannot be reached.
    Unreachable,
    /// It takes effect after so many seconds, and the function is killed before the response.
    Killed(i64),
    /// The function is killed before it sends the request.
    KilledBefore,
}

/// A note in the org, from a time on.
#[derive(Clone, Debug)]
struct OrgNote {
    id: RecordId,
    mark: Option<String>,
    from: i64,
}

/// The org's notes. All have the same title, text and links.
#[derive(Default)]
struct Org {
    notes: Vec<OrgNote>,
    keeps_marks: bool,
}

/// A write as the ledger has it.
struct Write {
    mark: String,
    /// The time of the last creation, unless no request may take effect.
    sent_at: Option<i64>,
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

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

impl Write {
    fn new(number: usize) -> Self {
        Self { mark: format!("Ferry write {number}"), sent_at: None, started: false, finished: None }
    }

    /// Makes one attempt, as `note-write` does.
    fn attempt(&mut self, org: &mut Org, now: i64, incident: Incident) {
        self.started = true;
        let mut step = begin(self.sent_at.is_some());
        loop {
            step = match step {
                Step::LookForEarlier => {
                    let found = org.search(&self.mark, now, incident);
                    after_looking_for_earlier(found, at(now), no_effect_from(at(self.sent_at.unwrap())))
                }
                Step::Create => {
                    self.sent_at = Some(now);
                    match org.create(&self.mark, now, incident.request) {
                        Some(created) => after_creating(created),
                        None => return,
                    }
                }
                Step::LookForLost(lost) => after_looking_for_lost(lost, org.search(&self.mark, now, incident)),
                Step::Done(id) => return self.finished = Some(id),
                Step::NotSent(_) => return self.sent_at = None,
                Step::Wait(_) | Step::Defer(_) | Step::Refuse(_) => return,
            };
        }
    }
}

impl Org {
    /// Searches as `note-write` does: by the mark, and among notes without one by what they say.
    fn search(&self, mark: &str, now: i64, incident: Incident) -> Result<Option<RecordId>, Failure> {
        if incident.search_lost {
            return Err(NOT_SENT);
        }
        let visible = || self.notes.iter().filter(|note| note.from <= now);
        let with = |candidate| {
            let marks = |note: &&OrgNote| by_mark(note.mark.as_slice(), mark) == candidate;
            visible().find(marks).map(|note| note.id)
        };
        Ok(with(Candidate::Own).or(with(Candidate::Unmarked)))
    }

    /// Creates a note; `None` if the function is killed.
    fn create(&mut self, mark: &str, now: i64, request: Request) -> Option<Result<RecordId, Failure>> {
        let (delay, response) = match request {
            Request::KilledBefore => return None,
            Request::Unreachable => return Some(Err(NOT_SENT)),
            Request::Dropped => return Some(Err(NO_RESPONSE)),
            Request::Answered => (0, Some(true)),
            Request::Lost(delay) => (delay, Some(false)),
            Request::Killed(delay) => (delay, None),
        };
        let id = format!("069000000000{:03}", self.notes.len()).parse().unwrap();
        let mark = self.keeps_marks.then(|| mark.to_owned());
        self.notes.push(OrgNote { id, mark, from: now + delay });
        response.map(|answered| if answered { Ok(id) } else { Err(NO_RESPONSE) })
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Answered),
        (0..=LATEST_EFFECT).prop_map(Request::Lost),
        Just(Request::Dropped),
        Just(Request::Unreachable),
        (0..=LATEST_EFFECT).prop_map(Request::Killed),
        Just(Request::KilledBefore),
    ]
}

fn any_incident() -> impl Strategy<Value = Incident> {
    // An attempt begins after the claim of the one before, or after a deferral.
    let waited = prop_oneof![Just(MINUTE), MINUTE..20 * MINUTE];
    (waited, any_request(), any::<bool>()).prop_map(|(waited, request, search_lost)| Incident {
        waited,
        request,
        search_lost,
    })
}

const QUIET: Incident = Incident { waited: 15 * MINUTE, request: Request::Answered, search_lost: false };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn each_write_makes_exactly_one_note_however_late_it_commits(
        incidents in prop::collection::vec((0usize..2, any_incident()), 0..16),
    ) {
        let mut org = Org { keeps_marks: true, ..Org::default() };
        let mut writes = [Write::new(0), Write::new(1)];
        let mut now = 0;
        let quiet = [(0, QUIET), (1, QUIET), (0, QUIET), (1, QUIET)];
        for (index, incident) in incidents.into_iter().chain(quiet) {
            now += incident.waited;
            if writes[index].finished.is_none() {
                writes[index].attempt(&mut org, now, incident);
            }
        }
        let ids = writes.map(|write| write.finished);
        prop_assert!(ids.iter().all(Option::is_some) && ids[0] != ids[1], "{ids:?}");
        prop_assert_eq!(org.notes.len(), 2, "{:?}", org.notes);
    }

    #[test]
    fn without_marks_no_write_makes_a_second_note(incidents in prop::collection::vec(any_incident(), 0..16)) {
        let mut org = Org::default();
        let mut write = Write::new(0);
        let mut now = 0;
        for incident in incidents.into_iter().chain([QUIET, QUIET]) {
            now += incident.waited;
            if write.finished.is_none() {
                write.attempt(&mut org, now, incident);
            }
        }
        prop_assert_eq!(org.notes.len(), 1);
        prop_assert_eq!(write.finished, Some(org.notes[0].id));
    }
}
