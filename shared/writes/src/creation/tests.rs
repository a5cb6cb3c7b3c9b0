//! The state machine with the records of several writes, through kills, lost responses and late commits.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60;
/// The longest time between a request and its effect, in seconds.
const LATEST_EFFECT: i64 = 10 * MINUTE;

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

/// The behavior of the network, of Salesforce and of the process in one attempt.
#[derive(Clone, Copy, Debug)]
struct Incident {
    /// The seconds since the previous attempt.
    waited: i64,
    request: Request,
    search_lost: bool,
}

#[derive(Clone, Copy, Debug)]
enum Request {
    /// It takes effect and gets its response.
    Answered,
    /// Of its records every second one is refused, for a reason that passes.
    HalfRefused,
    /// It takes effect after so many seconds, and its response is lost.
    Lost(i64),
    /// It takes no effect and gets no response.
    Dropped,
    /// Salesforce cannot be reached.
    Unreachable,
    /// It takes effect after so many seconds, and the function is killed before the response.
    Killed(i64),
    /// The function is killed after it has claimed the records.
    KilledBefore,
}

/// Equal records: nothing but the claims tells those of two writes apart.
#[derive(Default)]
struct Org {
    /// The time from which each record exists, and whether a client key has taken it.
    records: Vec<(i64, bool)>,
}

/// The records of a write, by position.
#[derive(Debug)]
struct Write {
    known: Vec<Option<usize>>,
    sent_at: Vec<Option<i64>>,
}

impl Write {
    fn new(records: usize) -> Self {
        Self { known: vec![None; records], sent_at: vec![None; records] }
    }

    fn open(&self) -> Vec<usize> {
        (0..self.known.len()).filter(|index| self.known[*index].is_none()).collect()
    }

    fn is_finished(&self) -> bool {
        self.open().is_empty()
    }

    /// Makes one attempt, as `record-write` does.
    fn attempt(&mut self, org: &mut Org, now: i64, incident: Incident) {
        let earlier = self.open().into_iter().filter_map(|index| self.sent_at[index]).max();
        let mut step = begin(earlier.is_some());
        loop {
            step = match step {
                Step::LookForEarlier => {
                    let settled = no_effect_from(at(earlier.unwrap()));
                    after_looking_for_earlier(self.search(org, now, incident), at(now), settled)
                }
                Step::Create => {
                    let open = self.open();
                    open.iter().for_each(|index| self.sent_at[*index] = Some(now));
                    match self.create(org, now, incident.request, &open) {
                        Some(created) => after_creating(created),
                        None => return,
                    }
                }
                Step::LookForLost(lost) => after_looking_for_lost(lost, self.search(org, now, incident)),
                Step::NotSent(_) => {
                    self.open().into_iter().for_each(|index| self.sent_at[index] = None);
                    return;
                }
                Step::Done(()) | Step::Wait(_) | Step::Defer(_) | Step::Refuse(_) => return,
            };
        }
    }

    /// Takes the visible records that no client key has taken.
    fn search(&mut self, org: &mut Org, now: i64, incident: Incident) -> Result<Option<()>, Failure> {
        if incident.search_lost {
            return Err(NOT_SENT);
        }
        for index in self.open().into_iter().filter(|index| self.sent_at[*index].is_some()).collect::<Vec<_>>() {
            let sent_at = self.sent_at[index].unwrap();
            let free = org.records.iter().position(|(from, taken)| *from <= now && *from >= sent_at && !taken);
            if let Some(record) = free {
                org.records[record].1 = true;
                self.known[index] = Some(record);
            }
        }
        Ok(self.is_finished().then_some(()))
    }

    /// Creates the records; `None` if the function is killed.
    fn create(&mut self, org: &mut Org, now: i64, request: Request, open: &[usize]) -> Option<Result<(), Failure>> {
        match request {
            Request::Answered | Request::HalfRefused => {
                for (number, index) in open.iter().enumerate() {
                    if matches!(request, Request::HalfRefused) && number % 2 == 1 {
                        self.sent_at[*index] = None;
                        continue;
                    }
                    self.known[*index] = Some(org.records.len());
                    org.records.push((now, true));
                }
                Some(Ok(()))
            }
            Request::Lost(delay) | Request::Killed(delay) => {
                org.records.extend(open.iter().map(|_| (now + delay, false)));
                matches!(request, Request::Lost(_)).then_some(Err(NO_RESPONSE))
            }
            Request::Dropped => Some(Err(NO_RESPONSE)),
            Request::Unreachable => Some(Err(NOT_SENT)),
            Request::KilledBefore => None,
        }
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Answered),
        Just(Request::HalfRefused),
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
    fn each_record_of_each_write_is_created_once(
        sizes in prop::array::uniform2(1usize..5),
        incidents in prop::collection::vec((0usize..2, any_incident()), 0..16),
    ) {
        let mut org = Org::default();
        let mut writes = sizes.map(Write::new);
        let mut now = 0;
        let quiet = [(0, QUIET), (1, QUIET), (0, QUIET), (1, QUIET)];
        for (index, incident) in incidents.into_iter().chain(quiet) {
            now += incident.waited;
            if !writes[index].is_finished() {
                writes[index].attempt(&mut org, now, incident);
            }
        }
        prop_assert!(writes.iter().all(Write::is_finished), "{:?}", writes);
        let mut known: Vec<_> = writes.iter().flat_map(|write| write.known.iter().flatten()).collect();
        known.sort_unstable();
        known.dedup();
        prop_assert_eq!(known.len(), sizes[0] + sizes[1], "a record is of one client key");
        prop_assert_eq!(org.records.len(), sizes[0] + sizes[1], "{:?}", org.records);
    }

    #[test]
    fn nothing_is_created_while_an_earlier_request_may_take_effect(sent_at in 0i64..100, searched_at in 0i64..2_000) {
        let step = after_looking_for_earlier::<(), Failure>(Ok(None), at(searched_at), no_effect_from(at(sent_at)));
        match step {
            Step::Create => prop_assert!(searched_at >= sent_at + 12 * MINUTE),
            Step::Wait(pause) => {
                let left = u64::try_from(sent_at + 12 * MINUTE - searched_at).unwrap();
                prop_assert_eq!(pause, Duration::from_secs(left).min(MAX_SEARCH_PAUSE));
            }
            step => prop_assert!(false, "{step:?}"),
        }
    }
}

#[test]
fn a_first_attempt_creates_without_a_search() {
    assert_eq!(begin::<(), Failure>(false), Step::Create);
}

#[test]
fn a_later_attempt_searches_before_it_creates() {
    assert_eq!(begin::<(), Failure>(true), Step::LookForEarlier);
    assert_eq!(after_looking_for_earlier::<(), Failure>(Ok(None), at(720), no_effect_from(at(0))), Step::Create);
    let failed = after_looking_for_earlier::<(), _>(Err(NOT_SENT), at(720), no_effect_from(at(0)));
    assert_eq!(failed, Step::Defer(NOT_SENT));
}

#[test]
fn an_attempt_with_a_lost_response_searches_and_does_not_resend() {
    assert_eq!(after_creating::<(), _>(Err(NO_RESPONSE)), Step::LookForLost(NO_RESPONSE));
    assert_eq!(after_looking_for_lost::<(), _>(NO_RESPONSE, Ok(None)), Step::Defer(NO_RESPONSE));
}

#[test]
fn a_request_without_effect_is_taken_back() {
    assert_eq!(after_creating::<(), _>(Err(NOT_SENT)), Step::NotSent(NOT_SENT));
}

#[test]
fn a_rejection_is_the_outcome() {
    for retry in [Retry::Never, Retry::NeedsHuman] {
        assert_eq!(after_creating::<(), _>(Err(Failure(retry))), Step::Refuse(Failure(retry)));
    }
}
