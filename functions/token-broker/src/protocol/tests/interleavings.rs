use proptest::prelude::*;

use super::*;

/// A request on its way to or from Salesforce. Its sender may be dead already.
#[derive(Clone, Copy, Debug)]
struct Call {
    sender: Option<usize>,
    token: u32,
    ends_at: Timestamp,
    answer: Option<Result<u32, Failure>>,
}

#[derive(Clone, Debug)]
struct Broker {
    protocol: Protocol,
    next: Step,
    seen: u32,
    seen_fence: u32,
    seen_row: Row,
    /// How often this call has looked at the vault.
    opened: u32,
    gained: Option<u32>,
    fence: u32,
    /// A live broker finishes a call and its storing by then.
    busy_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Crash,
    LoseAnswer,
    LoseRequest,
    NotTaken,
    StoreFails,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Run(usize),
    Salesforce,
    Tick,
    Fault(usize, Fault),
}

/// Salesforce with rotation on, one connection, and several brokers, all of whose callers saw token 0 refused.
#[derive(Clone, Debug)]
struct World {
    now: Timestamp,
    live: u32,
    revoked: bool,
    call: Option<Call>,
    refreshes: u32,
    vault: u32,
    standing: Standing,
    lease: Option<(u32, Timestamp)>,
    fence: u32,
    truly_lost: bool,
    faults: u32,
    brokers: Vec<Broker>,
    outcomes: Vec<Option<Outcome>>,
}

impl World {
    fn new(brokers: usize) -> Self {
        let broker = Broker {
            protocol: Protocol::new(Wish::Newer, T0, &limits()),
            next: Step::Look,
            seen: 0,
            seen_fence: 0,
            seen_row: Row { standing: Standing::Active, lease_until: None },
            opened: 0,
            gained: None,
            fence: 0,
            busy_until: None,
        };
        Self {
            now: T0,
            live: 0,
            revoked: false,
            call: None,
            refreshes: 0,
            vault: 0,
            standing: Standing::Active,
            lease: None,
            fence: 0,
            truly_lost: false,
            faults: 0,
            brokers: vec![broker; brokers],
            outcomes: vec![None; brokers],
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Run(broker) => self.run(broker),
            Act::Salesforce => self.salesforce(),
            Act::Tick => self.tick(SignedDuration::from_secs(1)),
            Act::Fault(broker, fault) => self.fault(broker, fault),
        }
    }

    /// Time passes, but not past the end of a running call or of a live broker's storing.
    fn tick(&mut self, span: SignedDuration) {
        let to = after(self.now, span);
        let call = self.call.is_some_and(|call| to > call.ends_at);
        let storing = self.brokers.iter().any(|broker| broker.busy_until.is_some_and(|end| to > end));
        if !call && !storing {
            self.now = to;
        }
    }

    /// Salesforce works on the request that is on its way.
    fn salesforce(&mut self) {
        let Some(call) = &mut self.call else { return };
        if call.answer.is_some() {
            return;
        }
        if self.revoked || call.token != self.live {
            assert!(self.truly_lost, "a refresh token was used twice though no answer was lost");
            self.revoked = true;
            call.answer = Some(Err(Failure::Ended));
        } else {
            self.live += 1;
            self.refreshes += 1;
            call.answer = Some(Ok(self.live));
        }
        if call.sender.is_none() {
            self.truly_lost = self.live != self.vault;
            self.call = None;
        }
    }

    fn run(&mut self, index: usize) {
        let step = self.brokers[index].next;
        let event = match step {
            Step::Look => self.look(index),
            Step::Open => self.open(index),
            Step::Claim => self.claim(index),
            Step::Refresh => match self.refresh(index) {
                Some(event) => event,
                None => return,
            },
            Step::Store => self.store(index),
            Step::Settle(settlement) => self.settle(index, settlement),
            Step::Wait(pause) => {
                self.tick(SignedDuration::try_from(pause).unwrap());
                Event::Waited
            }
            Step::Done(outcome) => return self.done(index, outcome),
        };
        self.feed(index, event);
    }

    fn feed(&mut self, index: usize, event: Event) {
        let now = self.now;
        let broker = &mut self.brokers[index];
        broker.next = broker.protocol.step(event, now, &limits());
        if !matches!(broker.next, Step::Store | Step::Wait(_)) || broker.gained.is_none() {
            broker.busy_until = None;
        }
    }

    fn look(&mut self, index: usize) -> Event {
        let row = Row { standing: self.standing, lease_until: self.lease.map(|(_, until)| until) };
        self.brokers[index].seen_row = row;
        self.brokers[index].seen_fence = self.fence;
        Event::Looked(row)
    }

    fn open(&mut self, index: usize) -> Event {
        self.brokers[index].seen = self.vault;
        self.brokers[index].opened += 1;
        Event::Opened(View { row: self.brokers[index].seen_row, refused: self.vault == 0, stale: false })
    }

    fn claim(&mut self, index: usize) -> Event {
        let is_held = self.lease.is_some_and(|(_, until)| self.now < until);
        if is_held || self.brokers[index].seen_fence != self.fence {
            return Event::ClaimLost;
        }
        let until = after(self.now, limits().lease);
        self.fence += 1;
        self.brokers[index].fence = self.fence;
        self.lease = Some((self.fence, until));
        Event::Claimed(until)
    }

    /// Sends the request, and takes its answer once there is one.
    fn refresh(&mut self, index: usize) -> Option<Event> {
        let Some(call) = self.call else {
            let ends_at = after(self.now, limits().call);
            self.call = Some(Call { sender: Some(index), token: self.brokers[index].seen, ends_at, answer: None });
            self.brokers[index].busy_until = Some(ends_at);
            return None;
        };
        assert_eq!(call.sender, Some(index), "two refreshes in flight at once");
        let answer = call.answer?;
        self.call = None;
        Some(match answer {
            Ok(token) => {
                self.brokers[index].gained = Some(token);
                Event::Refreshed
            }
            Err(failure) => Event::Failed(failure),
        })
    }

    fn store(&mut self, index: usize) -> Event {
        let broker = &mut self.brokers[index];
        let gained = broker.gained.take().expect("a store follows a refresh");
        if self.vault != broker.seen {
            return Event::StoreConflict;
        }
        self.vault = gained;
        broker.seen = gained;
        Event::Stored
    }

    fn settle(&mut self, index: usize, settlement: Settlement) -> Event {
        if self.lease.is_some_and(|(fence, _)| fence == self.brokers[index].fence) {
            self.lease = None;
            match settlement {
                Settlement::Release => {}
                Settlement::Active => self.standing = Standing::Active,
                Settlement::Uncertain => self.standing = Standing::Uncertain,
                Settlement::ReauthRequired(reason) => {
                    assert!(self.truly_lost, "a person was called though no answer was lost");
                    assert_eq!(reason, Reason::AnswerLost);
                    self.standing = Standing::ReauthRequired;
                }
            }
        }
        if self.brokers[index].gained.take().is_some() {
            self.truly_lost = true;
        }
        Event::Settled
    }

    /// Notes the outcome; the same caller comes again unless it was served or sent to a person.
    fn done(&mut self, index: usize, outcome: Outcome) {
        if outcome == Outcome::Serve {
            let seen = self.brokers[index].seen;
            assert!(seen != 0 && seen <= self.vault, "served token {seen}, stored {}", self.vault);
        }
        // However long it waited: once when it came, once before or under a lease of its own, and once to adopt.
        let opened = self.brokers[index].opened;
        assert!(self.faults > 0 || opened <= 3, "{opened} looks at the vault in one call");
        self.outcomes[index] = Some(outcome);
        self.restart(index);
    }

    fn restart(&mut self, index: usize) {
        let now = self.now;
        let broker = &mut self.brokers[index];
        broker.protocol = Protocol::new(Wish::Newer, now, &limits());
        broker.next = Step::Look;
        broker.gained = None;
        broker.busy_until = None;
        broker.fence = 0;
        broker.opened = 0;
    }

    fn fault(&mut self, index: usize, fault: Fault) {
        let calling = self.call.filter(|call| call.sender == Some(index));
        match (fault, calling, self.brokers[index].next) {
            (Fault::Crash, ..) => self.crash(index, calling),
            (Fault::LoseAnswer, Some(Call { answer: Some(answer), .. }), _) => {
                self.truly_lost |= answer.is_ok();
                self.break_off(index, Failure::Lost(Duration::ZERO));
            }
            (Fault::LoseRequest, Some(Call { answer: None, .. }), _) => {
                self.break_off(index, Failure::Lost(Duration::ZERO));
            }
            (Fault::NotTaken, Some(Call { answer: None, .. }), _) => {
                self.break_off(index, Failure::NotTaken(Duration::ZERO));
            }
            (Fault::StoreFails, _, Step::Store) => self.feed(index, Event::StoreFailed),
            _ => return,
        }
        self.faults += 1;
    }

    fn break_off(&mut self, index: usize, failure: Failure) {
        self.call = None;
        self.feed(index, Event::Failed(failure));
    }

    /// The broker dies; what it had on its way stays on its way.
    fn crash(&mut self, index: usize, calling: Option<Call>) {
        match calling {
            Some(Call { answer: Some(answer), .. }) => {
                self.truly_lost |= answer.is_ok();
                self.call = None;
            }
            Some(call) => self.call = Some(Call { sender: None, ..call }),
            None => {}
        }
        self.truly_lost |= self.brokers[index].gained.is_some();
        self.restart(index);
    }

    /// Lets everything run on without further faults until each caller, coming again and again, is
    /// served or sent to a person.
    fn run_out(&mut self) {
        self.outcomes.fill(None);
        for _ in 0..2_000 {
            self.salesforce();
            for index in 0..self.brokers.len() {
                if !self.is_over(index) {
                    self.run(index);
                }
            }
            self.tick(SignedDuration::from_millis(500));
            if (0..self.brokers.len()).all(|index| self.is_over(index)) {
                return;
            }
        }
        panic!("the brokers never came to an end: {self:?}");
    }

    fn is_over(&self, index: usize) -> bool {
        matches!(self.outcomes[index], Some(Outcome::Serve | Outcome::Refuse(Refusal::ReauthRequired)))
    }
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Crash),
        Just(Fault::LoseAnswer),
        Just(Fault::LoseRequest),
        Just(Fault::NotTaken),
        Just(Fault::StoreFails),
    ]
}

fn any_act(brokers: usize) -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..brokers).prop_map(Act::Run),
        4 => Just(Act::Salesforce),
        3 => Just(Act::Tick),
        1 => (0..brokers, any_fault()).prop_map(|(broker, fault)| Act::Fault(broker, fault)),
    ]
}

fn any_story() -> impl Strategy<Value = (usize, Vec<Act>)> {
    (2..=3_usize).prop_flat_map(|brokers| (Just(brokers), prop::collection::vec(any_act(brokers), 0..120)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    // The assertions inside the world hold at every step: one refresh in flight, no token served
    // before it is stored, no token used twice and nobody called unless an answer was truly lost.
    #[test]
    fn every_story_ends_with_the_newest_tokens_or_a_truly_lost_answer((brokers, acts) in any_story()) {
        let mut world = World::new(brokers);
        for act in acts {
            world.act(act);
        }
        world.run_out();

        let served = world.outcomes.iter().all(|outcome| *outcome == Some(Outcome::Serve));
        if world.truly_lost {
            prop_assert!(served || world.standing == Standing::ReauthRequired);
        } else {
            prop_assert!(served);
            prop_assert_eq!(world.vault, world.live);
            prop_assert!(!world.revoked);
        }
    }

    #[test]
    fn without_faults_one_refresh_serves_everybody((brokers, acts) in any_story()) {
        let mut world = World::new(brokers);
        for act in acts.into_iter().filter(|act| !matches!(act, Act::Fault(..))) {
            world.act(act);
        }
        world.run_out();

        prop_assert_eq!((world.refreshes, world.vault, world.standing), (1, 1, Standing::Active));
    }
}
