use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::writes::{NewWrite, WriteKind, rule};
use crate::{Deferrals, IdempotencyKey};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn account() -> ObjectName {
    ObjectName::from_static("Account")
}

fn key(field: &str, value: Value) -> RecordKey {
    RecordKey::new(&account(), &field.parse().unwrap(), &value)
}

#[test]
fn values_that_are_the_same_to_salesforce_have_one_key() {
    assert_eq!(key("Key__c", json!("a-1")), key("key__C", json!(" A-1 ")));
    for number in [json!(7), json!(7.0), json!("7"), json!("7.00"), json!("0.7e1")] {
        assert_eq!(key("Number__c", number.clone()), key("Number__c", json!(7)), "{number}");
    }
    assert_eq!(key("Id", json!("001D000000IRFma")), key("id", json!("001D000000IRFmaIAH")));
    assert_eq!(key("Id", json!("001D000000IRFma")), RecordKey::of_id(&account(), "001D000000IRFma".parse().unwrap()));
    // In 15 characters the case of an id counts; that of a text never does.
    assert_ne!(key("Id", json!("001D000000IRFma")), key("Id", json!("001D000000IRFmA")));
    assert_eq!(key("Key__c", json!("001D000000IRFma")), key("Key__c", json!("001D000000IRFmA")));
}

#[test]
fn other_records_have_other_keys() {
    assert_ne!(key("Key__c", json!("a-1")), key("Key__c", json!("a-2")));
    assert_ne!(key("Key__c", json!("a-1")), key("Other__c", json!("a-1")));
    let lead = RecordKey::new(&ObjectName::from_static("Lead"), &"Key__c".parse().unwrap(), &json!("a-1"));
    assert_ne!(key("Key__c", json!("a-1")), lead);
}

#[test]
fn the_stored_order_of_places_is_their_order() {
    let write = |name: &str| WriteId::derive(org(), &name.parse().unwrap());
    let places: BTreeSet<Place> = [(5, "a"), (5, "b"), (1, "c"), (90_000, "d")]
        .map(|(at_, name)| Place { at: at(at_), write: write(name) })
        .into();
    let texts: Vec<String> = places.iter().map(ToString::to_string).collect();
    assert!(texts.is_sorted(), "{texts:?}");
    assert_eq!(texts.iter().filter_map(|text| Place::parse(text)).collect::<BTreeSet<_>>(), places);
}

#[test]
fn an_ended_write_is_waited_for_until_it_is_settled() {
    let request = Model { now: 100, ..Model::default() }.new_write(1);
    let lost = Write { unsettled_until: Some(at(900)), state: WriteState::Finished, ..request.first_attempt() };
    let place = Place::of(&lost);
    assert!(is_unfinished(place, Some(&lost), at(899)));
    assert_eq!(unsettled_for(&lost, at(899)), SignedDuration::from_secs(1));
    assert!(!is_unfinished(place, Some(&lost), at(900)));
    assert_eq!(unsettled_for(&lost, at(1_000)), SignedDuration::ZERO);
    let answered = Write { unsettled_until: None, ..lost };
    assert!(!is_unfinished(place, Some(&answered), at(100)));
}

#[test]
fn a_killed_first_attempt_is_waited_for_until_it_is_settled() {
    let killed = Model { now: 100, ..Model::default() }.new_write(1).first_attempt();
    let settled = 100 + CLAIM + LONGEST_CALL + 60;
    assert!(is_unfinished(Place::of(&killed), Some(&killed), at(settled - 1)));
    assert!(!is_unfinished(Place::of(&killed), Some(&killed), at(settled)));
}

fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().unwrap()
}

/// The seconds for which an attempt owns a write.
const CLAIM: i64 = 60;
/// The seconds for which Salesforce carries out a call.
const LONGEST_CALL: i64 = 600;

/// A step of the model. The number chooses the write.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The platform sends the request, for the first time or again.
    Request(usize),
    /// A task of the write is delivered.
    Deliver(usize),
    /// The attempt under way goes on: joins, looks, calls Salesforce, records the result.
    GoOn(usize),
    /// The attempt under way is killed.
    Kill(usize),
    /// The next call of Salesforce for the write fails, with a failure that passes by itself.
    Fail(usize),
    /// The next call of Salesforce for the write gets no response, and takes effect after these seconds.
    Lose(usize, i64),
    /// Time passes.
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..WRITES).prop_map(Step::Request),
        3 => (0..WRITES).prop_map(Step::Deliver),
        12 => (0..WRITES).prop_map(Step::GoOn),
        1 => (0..WRITES).prop_map(Step::Kill),
        2 => (0..WRITES).prop_map(Step::Fail),
        2 => (0..WRITES, 0..=LONGEST_CALL).prop_map(|(n, late)| Step::Lose(n, late)),
        1 => (1..90_i64).prop_map(Step::Pass),
        1 => (1..900_i64).prop_map(Step::Pass),
    ]
}

const WRITES: usize = 4;
const RECORDS: usize = 3;

/// The place in its course at which an attempt is.
#[derive(Clone, Debug)]
enum Progress {
    Join,
    Call,
    /// The response was lost: that is stored before the result.
    Lost,
    /// Salesforce has answered.
    Finish,
    /// The task is sent before the write is stored as queued.
    Send,
    Queue,
    Leave,
}

/// An attempt under way.
#[derive(Clone, Debug)]
struct Attempt {
    /// The write as the attempt began it.
    write: Write,
    progress: Progress,
    /// The task that it works on, which is delivered again if the attempt does not end.
    task: Option<u32>,
}

/// A model of the ledger, the rows of the order, the queue and Salesforce. The decisions are those of production.
#[derive(Default)]
struct Model {
    now: i64,
    records: Vec<BTreeSet<usize>>,
    ledger: BTreeMap<usize, Write>,
    rows: BTreeMap<usize, BTreeSet<Place>>,
    attempts: BTreeMap<usize, Attempt>,
    /// The tasks in the queue, by their number of deferrals.
    tasks: BTreeMap<usize, Vec<u32>>,
    failing: BTreeSet<usize>,
    /// The writes whose next call is lost, with the seconds until it takes effect.
    losing: BTreeMap<usize, i64>,
    /// The calls that take effect later, by their time: the write and its attempt.
    late: BTreeSet<(i64, usize, u64)>,
    /// The effects on each record, in their order: the write and its attempt.
    effects: BTreeMap<usize, Vec<(usize, u64)>>,
    /// For each write: the first attempt since it was last requested, and the writes that were accepted before and had not
    /// ended.
    accepted_before: BTreeMap<usize, (u64, BTreeSet<usize>)>,
}

impl Model {
    fn new_write(&self, n: usize) -> NewWrite {
        NewWrite {
            org_id: org(),
            idempotency_key: IdempotencyKey::try_from(format!("k-{n}")).unwrap(),
            kind: WriteKind::Records,
            object: None,
            platform_user: None,
            request: json!({}),
            retry_of: None,
            now: at(self.now),
            claim_ttl: SignedDuration::from_secs(CLAIM),
        }
    }

    fn id(&self, n: usize) -> WriteId {
        self.new_write(n).first_attempt().write_id
    }

    fn by_id(&self, id: WriteId) -> Option<&Write> {
        self.ledger.values().find(|write| write.write_id == id)
    }

    fn run(&mut self, step: Step) {
        while let Some((_, n, attempt)) = self.late.first().copied().filter(|(due, ..)| *due <= self.now) {
            self.late.pop_first();
            self.take_effect(n, attempt);
        }
        match step {
            Step::Pass(seconds) => self.now += seconds,
            Step::Lose(n, late) => drop(self.losing.insert(n, late)),
            Step::Fail(n) => drop(self.failing.insert(n)),
            Step::Kill(n) => self.kill(n),
            Step::Request(n) => self.request(n),
            Step::Deliver(n) => self.deliver(n),
            Step::GoOn(n) => self.go_on(n),
        }
        // Two requests are never of the same millisecond.
        self.now += 1;
    }

    fn request(&mut self, n: usize) {
        let request = self.new_write(n);
        let action = self
            .ledger
            .get(&n)
            .map(|known| rule::begin(known, std::slice::from_ref(&known.request_digest), request.now));
        match action {
            None => drop(self.ledger.insert(n, request.first_attempt())),
            Some(rule::Action::TakeOver) => self.take_over(n),
            Some(_) => return,
        }
        let not_accepted = self.ledger[&n].accepted_at().is_none();
        if not_accepted {
            let waiting = |(m, write): (&usize, &Write)| {
                (*m != n && write.accepted_at().is_some() && !write.state.is_final()).then_some(*m)
            };
            let before = self.ledger.iter().filter_map(waiting).collect();
            self.accepted_before.insert(n, (self.ledger[&n].attempt, before));
        }
        self.start(n, None);
    }

    fn start(&mut self, n: usize, task: Option<u32>) {
        self.kill(n);
        let mut write = self.ledger[&n].clone();
        write.deferrals.count = write.deferrals.count.max(task.unwrap_or_default());
        self.attempts.insert(n, Attempt { write, progress: Progress::Join, task });
    }

    fn kill(&mut self, n: usize) {
        if let Some(task) = self.attempts.remove(&n).and_then(|attempt| attempt.task) {
            self.tasks.entry(n).or_default().insert(0, task);
        }
    }

    fn take_over(&mut self, n: usize) {
        let now = at(self.now);
        let write = self.ledger.get_mut(&n).unwrap();
        match write.accepted_at() {
            Some(accepted_at) => write.queued_at = Some(accepted_at),
            None => write.ordered_at = Some(now),
        }
        if write.state == WriteState::InProgress {
            write.unsettled_until = Some(rule::settled_at(write.deadline));
        }
        write.state = WriteState::InProgress;
        write.deadline = now + SignedDuration::from_secs(CLAIM);
        write.attempt += 1;
    }

    fn deliver(&mut self, n: usize) {
        let Some(task) = self.tasks.get_mut(&n).and_then(Vec::pop) else { return };
        let Some(known) = self.ledger.get(&n) else { return };
        match rule::resume(known, task, at(self.now)) {
            rule::Action::TakeOver => {
                self.take_over(n);
                self.start(n, Some(task));
            }
            rule::Action::Wait => self.tasks.entry(n).or_default().insert(0, task),
            rule::Action::Replay | rule::Action::Refuse => {}
        }
    }

    /// Stores a change of the current attempt; `false` if another one took over.
    fn store(&mut self, n: usize, attempt: u64, change: impl FnOnce(&mut Write)) -> bool {
        let write = self.ledger.get_mut(&n).unwrap();
        let is_current = write.attempt == attempt && !write.state.is_final();
        if is_current {
            change(write);
        }
        is_current
    }

    fn go_on(&mut self, n: usize) {
        let Some(Attempt { write, progress, task }) = self.attempts.get(&n).cloned() else { return };
        // No function runs longer than its attempt owns the write.
        if at(self.now) >= write.deadline {
            return self.kill(n);
        }
        let next = match progress {
            Progress::Join => {
                let waits_for = self.take_turn(n, &write);
                Some(if waits_for.is_empty() { Progress::Call } else { Progress::Send })
            }
            Progress::Call if self.failing.remove(&n) => Some(Progress::Send),
            Progress::Call => match self.losing.remove(&n) {
                Some(late) => {
                    self.late.insert((self.now + late, n, write.attempt));
                    Some(Progress::Lost)
                }
                None => {
                    self.take_effect(n, write.attempt);
                    Some(Progress::Finish)
                }
            },
            Progress::Lost => {
                let until = rule::settled_at(write.deadline);
                let stored = self.store(n, write.attempt, |write| write.unsettled_until = Some(until));
                // The records are sent again within the attempt, or by a later one.
                stored.then_some(if self.now % 2 == 0 { Progress::Call } else { Progress::Send })
            }
            Progress::Finish => {
                let stored = self.store(n, write.attempt, |write| write.state = WriteState::Finished);
                stored.then_some(Progress::Leave)
            }
            Progress::Send => {
                self.tasks.entry(n).or_default().insert(0, write.deferrals.count + 1);
                Some(Progress::Queue)
            }
            Progress::Queue => {
                let (now, count) = (at(self.now), write.deferrals.count + 1);
                self.store(n, write.attempt, |write| {
                    write.state = WriteState::Queued;
                    write.request = Some(json!({}));
                    write.queued_at = write.queued_at.or(Some(now));
                    write.deferrals = Deferrals { count, ..Deferrals::default() };
                });
                None
            }
            Progress::Leave if unsettled_for(&self.ledger[&n], at(self.now)).is_positive() => None,
            Progress::Leave => {
                for record in self.records[n].clone() {
                    self.rows.entry(record).or_default().remove(&Place::of(&write));
                }
                None
            }
        };
        match next {
            Some(progress) => drop(self.attempts.insert(n, Attempt { write, progress, task })),
            None => drop(self.attempts.remove(&n)),
        }
    }

    fn take_effect(&mut self, n: usize, attempt: u64) {
        for record in self.records[n].clone() {
            self.effects.entry(record).or_default().push((n, attempt));
        }
    }

    fn take_turn(&mut self, n: usize, write: &Write) -> Vec<WriteId> {
        let mine = Place::of(write);
        let mut waits_for = Vec::new();
        for record in self.records[n].clone() {
            let row = self.rows.entry(record).or_default();
            row.insert(mine);
            let members: Vec<Place> = row.iter().copied().collect();
            let mut ended = Vec::new();
            for place in before(mine, &members) {
                if is_unfinished(place, self.by_id(place.write), at(self.now)) {
                    waits_for.push(place.write);
                    break;
                }
                ended.push(place);
            }
            self.rows.entry(record).or_default().retain(|place| !ended.contains(place));
        }
        waits_for
    }

    /// Checks that no write overtook one that was accepted before it was requested: the last effect of the earlier write is
    /// before the first one of the later.
    fn check_order(&self) -> Result<(), TestCaseError> {
        for (record, effects) in &self.effects {
            for (later, (since, before)) in &self.accepted_before {
                for earlier in before.iter().filter(|earlier| self.records[**earlier].contains(record)) {
                    let first_of_later = effects.iter().position(|(n, attempt)| n == later && attempt >= since);
                    let last_of_earlier = effects.iter().rposition(|(n, _)| n == earlier);
                    if let Some(first) = first_of_later {
                        prop_assert!(
                            last_of_earlier.is_some_and(|last| last < first),
                            "{later} overtook {earlier}: {effects:?}"
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn writes_of_a_record_take_effect_in_order_and_end(
        records in prop::collection::vec(prop::collection::btree_set(0..RECORDS, 1..=RECORDS), WRITES),
        steps in prop::collection::vec(step(), 0..160),
    ) {
        let mut model = Model { records, ..Model::default() };
        for step in steps {
            model.run(step);
            model.check_order()?;
        }

        // Salesforce is available again and nobody is killed: every accepted write ends.
        model.failing.clear();
        model.losing.clear();
        for _ in 0..200 {
            for n in 0..WRITES {
                model.run(Step::Deliver(n));
                for _ in 0..6 {
                    model.run(Step::GoOn(n));
                }
            }
            model.run(Step::Pass(CLAIM));
        }
        model.check_order()?;
        for (n, write) in &model.ledger {
            let accepted = write.accepted_at().is_some();
            prop_assert!(!accepted || write.state.is_final(), "write {n} has not ended: {write:?}");
            prop_assert!(model.id(*n) == write.write_id);
        }
    }
}
