//! Runs the protocol of `event-delivery` over these rules: messages that are lost with their worker and delivered again, sent
//! twice, and processed in any order; an endpoint that fails, pauses and is resumed; events that arrive late.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use salesforce::OrgId;

use super::*;
use crate::event_deliveries::{Attempt, lane_of};
use crate::event_endpoints::{EndpointId, Pause, PauseReason};
use crate::{BusEvent, EventKind};

const RECORDS: [&str; 3] = ["Account/0015e00000ZkM3hAAF", "Account/0015e00000ZkM3iAAF", "Lead/00Q5e00000ZkM3hAAF"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn endpoint() -> EventEndpoint {
    EventEndpoint::new("acme".parse().unwrap(), "https://platform.example.com/ferry", at(0), &mut rand::rng())
}

fn event(record: &str, number: i64) -> WaitingEvent {
    let org: OrgId = "00D5e000000KQ2eEAG".parse().unwrap();
    let mut event = BusEvent::new(org, EventKind::RecordChanged, record, format!("e{number}"));
    event.sequence = Some(format!("{number:06}"));
    WaitingEvent::new(EndpointId::generate(&mut rand::rng()), &event, at(number)).unwrap()
}

#[test]
fn the_step_follows_from_the_event_and_its_endpoint() {
    let first = event(RECORDS[0], 0);
    let active = endpoint();
    let paused = EventEndpoint { paused: Some(Pause { at: at(0), reason: PauseReason::Failing }), ..endpoint() };
    let later = event(RECORDS[0], 1);
    let next = |place: &str, endpoint, second| next(place, &first, endpoint, at(second));
    assert_eq!(next(&first.place, Some(&active), 0), Step::Send);
    assert_eq!(next(&later.place, Some(&active), 0), Step::Leave, "an earlier event waits");
    assert_eq!(next(&first.place, None, 0), Step::Drop);
    assert_eq!(next(&first.place, Some(&paused), 0), Step::Wait(at(KEPT.as_secs())), "until it is given up");
    assert_eq!(next(&first.place, None, KEPT.as_secs()), Step::Drop);
    assert_eq!(next(&first.place, Some(&paused), KEPT.as_secs()), Step::GiveUp);
    assert_eq!(next(&first.place, Some(&active), KEPT.as_secs() - 1), Step::Send);
}

#[test]
fn a_later_message_goes_on_with_an_overdue_event() {
    let first = event(RECORDS[0], 0);
    let later = event(RECORDS[0], 1);
    let next = |endpoint, second| next(&later.place, &first, endpoint, at(second));
    let (active, overdue) = (endpoint(), OVERDUE.as_secs() + 1);
    assert_eq!(next(Some(&active), overdue - 1), Step::Leave);
    assert_eq!(next(Some(&active), overdue), Step::Send);
    assert_eq!(next(None, overdue), Step::Drop);
    let paused = EventEndpoint { paused: Some(Pause { at: at(0), reason: PauseReason::Failing }), ..endpoint() };
    assert_eq!(next(Some(&paused), overdue), Step::Leave, "its message waits");
    assert_eq!(next(Some(&paused), KEPT.as_secs()), Step::GiveUp);
}

#[test]
fn a_resumption_ends_the_delays_of_the_failures_before() {
    let failed_at = |second| {
        let last = Some(Attempt { at: at(second), status: Some(503), error: Some("status".to_owned()) });
        WaitingEvent { attempts: 5, last, next_attempt_at: at(5_000), ..event(RECORDS[0], 0) }
    };
    let (mut endpoint, failed) = (endpoint(), failed_at(100));
    let step = |endpoint: &EventEndpoint, event: &WaitingEvent| next(&event.place, event, Some(endpoint), at(300));
    assert_eq!(step(&endpoint, &failed), Step::Wait(at(5_000)));
    endpoint.resume(at(200));
    assert_eq!(step(&endpoint, &failed), Step::Send);
    assert_eq!(step(&endpoint, &failed_at(250)), Step::Wait(at(5_000)), "a failure after it");
}

#[test]
fn delays_grow_and_obey_retry_after() {
    let after = |failures, retry_after: Option<u64>, random| {
        next_attempt_at(failures, retry_after.map(Duration::from_secs), random, at(0)).duration_since(at(0)).as_secs()
    };
    assert_eq!((after(1, None, 0.0), after(1, None, 1.0)), (4, 6));
    assert_eq!((after(8, None, 0.5), after(u32::MAX, None, 0.5)), (10_800, 10_800));
    assert_eq!((after(1, Some(90), 0.5), after(4, Some(90), 0.5)), (90, 600));
    assert_eq!(after(1, Some(u64::MAX / 4), 0.5), MAX_RETRY_AFTER.as_secs());
}

/// What happens to a step of a worker.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Accepted,
    Failed,
    /// The worker is killed after the request was accepted, before that is stored.
    KilledAfterSend,
    /// The worker is killed before the request.
    Killed,
}

#[derive(Clone, Debug)]
enum Act {
    /// An event arrives; its worker may be killed before the message is sent.
    Arrive {
        record: usize,
        late: bool,
        killed: bool,
    },
    /// A message is processed, and may be delivered again.
    Process {
        message: usize,
        fates: Vec<Fate>,
        twice: bool,
    },
    Pass(i64),
    /// The endpoint stops or begins to work.
    Down(bool),
    Pause,
    Resume,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fate = prop_oneof![
        4 => Just(Fate::Accepted), 3 => Just(Fate::Failed), 1 => Just(Fate::KilledAfterSend), 1 => Just(Fate::Killed)
    ];
    let act = prop_oneof![
        4 => (0..RECORDS.len(), prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(record, late, killed)| Act::Arrive { record, late, killed }),
        8 => (any::<prop::sample::Index>(), prop::collection::vec(fate, 1..6), prop::bool::weighted(0.2))
            .prop_map(|(index, fates, twice)| Act::Process { message: index.index(1_000), fates, twice }),
        4 => (0_i64..4_000).prop_map(Act::Pass),
        1 => any::<bool>().prop_map(Act::Down),
        1 => Just(Act::Pause),
        1 => Just(Act::Resume),
    ];
    prop::collection::vec(act, 1..120)
}

/// The queue, the table and the endpoint.
struct World {
    now: i64,
    number: i64,
    endpoint: EventEndpoint,
    down: bool,
    waiting: BTreeMap<String, WaitingEvent>,
    messages: Vec<(i64, String)>,
    /// Events of the bus whose worker was killed: SQS delivers them again.
    again: Vec<WaitingEvent>,
    /// The events that arrived, in order, without the late ones.
    arrived: Vec<String>,
    /// The places of what the endpoint accepted, in order.
    received: Vec<String>,
    given_up: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        Self {
            now: 0,
            number: 1_000,
            endpoint: endpoint(),
            down: false,
            waiting: BTreeMap::new(),
            messages: Vec::new(),
            again: Vec::new(),
            arrived: Vec::new(),
            received: Vec::new(),
            given_up: BTreeSet::new(),
        }
    }

    fn accept(&mut self, event: WaitingEvent, killed: bool) {
        self.waiting.entry(event.place.clone()).or_insert_with(|| event.clone());
        if killed {
            self.again.push(event);
        } else {
            self.messages.push((self.now, event.place));
        }
    }

    fn first(&self, place: &str) -> Option<WaitingEvent> {
        self.waiting.values().find(|event| lane_of(&event.place) == lane_of(place)).cloned()
    }

    /// Processes a message as `event-delivery` does. Returns `false` if the worker was killed.
    fn process(&mut self, place: &str, fates: &[Fate]) -> bool {
        let (mut place, mut fates) = (place.to_owned(), fates.iter());
        loop {
            let Some(first) = self.first(&place) else { return true };
            let step = next(&place, &first, Some(&self.endpoint), at(self.now));
            if step != Step::Leave {
                place = place.min(first.place.clone());
            }
            match step {
                Step::Leave => return true,
                Step::Drop => unreachable!("the endpoint is never deleted"),
                Step::Wait(until) => {
                    let until = until.duration_since(at(0)).as_secs() + 1;
                    self.messages.push((until.min(self.now + 900), first.place));
                    return true;
                }
                Step::GiveUp => {
                    self.given_up.insert(first.place.clone());
                    self.waiting.remove(&first.place);
                }
                Step::Send | Step::SendAlone(_) => {
                    if let Step::SendAlone(health) = step {
                        self.endpoint.health = health;
                    }
                    // Out of time: the message goes on with the event that is first now.
                    let Some(fate) = fates.next() else {
                        self.messages.push((self.now, first.place));
                        return true;
                    };
                    match fate {
                        Fate::Killed => return false,
                        Fate::KilledAfterSend => {
                            self.received.push(first.place);
                            return false;
                        }
                        Fate::Accepted if self.down => self.fail(first),
                        Fate::Accepted => {
                            self.received.push(first.place.clone());
                            self.waiting.remove(&first.place);
                            self.endpoint.health = Health::default();
                        }
                        Fate::Failed => self.fail(first),
                    }
                }
            }
        }
    }

    fn fail(&mut self, mut first: WaitingEvent) {
        first.attempts += 1;
        first.last = Some(Attempt { at: at(self.now), status: Some(503), error: Some("status".to_owned()) });
        first.next_attempt_at = next_attempt_at(first.attempts, None, 0.5, at(self.now));
        self.waiting.insert(first.place.clone(), first);
        self.endpoint.health = self.endpoint.health.after_failure(at(self.now));
        if let Some(reason) = self.endpoint.health.pause(false, at(self.now)) {
            self.endpoint.paused = Some(Pause { at: at(self.now), reason });
        }
    }

    fn resume(&mut self) {
        self.endpoint.resume(at(self.now));
        let mut lanes = BTreeSet::new();
        for place in self.waiting.keys() {
            if lanes.insert(lane_of(place).to_owned()) {
                self.messages.push((self.now, place.clone()));
            }
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Arrive { record, late, killed } => {
                self.number += 1;
                let number = if *late { self.number - 900 } else { self.number };
                let mut event = event(RECORDS[*record], number);
                (event.accepted_at, event.next_attempt_at) = (at(self.now), at(self.now));
                if !late {
                    self.arrived.push(event.place.clone());
                }
                self.accept(event, *killed);
            }
            Act::Process { message, fates, twice } => {
                let mut visible: Vec<_> =
                    (0..self.messages.len()).filter(|n| self.messages[*n].0 <= self.now).collect();
                if visible.is_empty() {
                    return;
                }
                let index = visible.swap_remove(message % visible.len());
                let (_, place) = self.messages[index].clone();
                let done = self.process(&place, fates);
                if done && !twice {
                    self.messages.remove(index);
                }
            }
            Act::Pass(seconds) => self.now += seconds,
            Act::Down(down) => self.down = *down,
            Act::Pause => self.endpoint.paused = Some(Pause { at: at(self.now), reason: PauseReason::Failing }),
            Act::Resume => self.resume(),
        }
    }

    /// Lets everything succeed until nothing moves any more. A pause lasts unless it is `resumed`.
    fn settle(&mut self, resumed: bool) {
        self.down = false;
        for event in std::mem::take(&mut self.again) {
            self.accept(event, false);
        }
        if resumed && self.endpoint.paused.is_some() {
            self.resume();
        }
        for _ in 0..100_000 {
            let Some(index) = (0..self.messages.len()).min_by_key(|n| self.messages[*n].0) else { return };
            let (visible_at, place) = self.messages.remove(index);
            self.now = self.now.max(visible_at);
            self.process(&place, &[Fate::Accepted; 20]);
        }
        panic!("messages go round for ever");
    }
}

proptest! {
    /// Nothing that arrived is lost, no event is sent first after a later one of its record, and nothing goes on for ever.
    #[test]
    fn every_event_is_delivered_in_the_order_of_its_record(acts in acts(), resumed: bool) {
        let mut world = World::new();
        acts.iter().for_each(|act| world.act(act));
        world.settle(resumed);
        prop_assert!(world.waiting.is_empty(), "{:?} wait without a message", world.waiting.keys());
        let mut first_sent: Vec<&String> = Vec::new();
        for place in &world.received {
            if !first_sent.contains(&place) {
                first_sent.push(place);
            }
        }
        for place in &world.arrived {
            prop_assert!(first_sent.contains(&place) || world.given_up.contains(place), "{place} was lost");
        }
        for (n, place) in first_sent.iter().enumerate() {
            let is_earlier = |other: &&&String| lane_of(other) == lane_of(place) && other < &place;
            let overtaken = first_sent[n..].iter().find(is_earlier);
            // A late event may come after a later one that was delivered before it arrived.
            prop_assert!(overtaken.is_none_or(|late| !world.arrived.contains(late)), "{overtaken:?} after {place}");
        }
    }
}
