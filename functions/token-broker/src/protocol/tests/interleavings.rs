use proptest::prelude::*;

use super::*;

/// The pause of an org that refuses every session.
const PAUSE: Duration = Duration::from_secs(30);

/// A token request in flight. Its sender may have crashed.
#[derive(Clone, Copy, Debug)]
struct Call {
    sender: Option<usize>,
    token: u32,
    ends_at: Timestamp,
    response: Option<Result<u32, RefreshFailure>>,
}

#[derive(Clone, Debug)]
struct Broker {
    protocol: Protocol,
    next: Step,
    loaded_token: u32,
    loaded_fence: u32,
    loaded_row: Row,
    /// The token that Salesforce refused to the caller.
    refused: u32,
    /// True if the caller had just got that token.
    is_refused_at_once: bool,
    /// The number of vault reads of this caller.
    vault_reads: u32,
    new_token: Option<u32>,
    fence: u32,
    /// The time by which a live broker finishes its token call and the store.
    busy_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Crash,
    LoseResponse,
    LoseRequest,
    NotProcessed,
    Blocked,
    StoreFails,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Run(usize),
    Salesforce,
    Tick,
    Fault(usize, Fault),
}

/// Salesforce with refresh token rotation, one connection, and several brokers whose callers were all refused with token 0.
#[derive(Clone, Debug)]
struct Model {
    now: Timestamp,
    live: u32,
    revoked: bool,
    call: Option<Call>,
    refreshes: u32,
    vault: u32,
    status: ConnectionStatus,
    condition: Option<Condition>,
    /// True if the org refuses every session.
    refuses_sessions: bool,
    lease: Option<(u32, Timestamp)>,
    fence: u32,
    response_was_lost: bool,
    faults: u32,
    brokers: Vec<Broker>,
    outcomes: Vec<Option<Outcome>>,
}

impl Model {
    fn new(brokers: usize) -> Self {
        let broker = Broker {
            protocol: Protocol::new(TokenNeed::Newer, T0, &limits()),
            next: Step::LoadRow,
            loaded_token: 0,
            loaded_fence: 0,
            loaded_row: Row { status: ConnectionStatus::Active, lease_expires_at: None },
            refused: 0,
            is_refused_at_once: false,
            vault_reads: 0,
            new_token: None,
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
            status: ConnectionStatus::Active,
            condition: None,
            refuses_sessions: false,
            lease: None,
            fence: 0,
            response_was_lost: false,
            faults: 0,
            brokers: vec![broker; brokers],
            outcomes: vec![None; brokers],
        }
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Run(broker) => self.run(broker),
            Action::Salesforce => self.salesforce(),
            Action::Tick => self.tick(SignedDuration::from_secs(1)),
            Action::Fault(broker, fault) => self.fault(broker, fault),
        }
    }

    /// Advances the time, but not past the end of a token call or of a live broker's store.
    fn tick(&mut self, span: SignedDuration) {
        let to = after(self.now, span);
        let call = self.call.is_some_and(|call| to > call.ends_at);
        let storing = self.brokers.iter().any(|broker| broker.busy_until.is_some_and(|end| to > end));
        if !call && !storing {
            self.now = to;
        }
    }

    /// Processes the token request in flight.
    fn salesforce(&mut self) {
        let Some(call) = &mut self.call else { return };
        if call.response.is_some() {
            return;
        }
        if self.revoked || call.token != self.live {
            assert!(self.response_was_lost, "a refresh token was used twice though no response was lost");
            self.revoked = true;
            call.response = Some(Err(RefreshFailure::InvalidGrant));
        } else {
            self.live += 1;
            self.refreshes += 1;
            call.response = Some(Ok(self.live));
        }
        if call.sender.is_none() {
            self.response_was_lost = self.live != self.vault;
            self.call = None;
        }
    }

    fn run(&mut self, index: usize) {
        let step = self.brokers[index].next;
        let event = match step {
            Step::LoadRow => self.load_row(index),
            Step::LoadTokens => self.load_tokens(index),
            Step::ClaimLease => self.claim_lease(index),
            Step::Refresh => match self.refresh(index) {
                Some(event) => event,
                None => return,
            },
            Step::StoreTokens => self.store_tokens(index),
            Step::Settle(settlement) => self.settle(index, settlement),
            Step::Wait(pause) => {
                self.tick(SignedDuration::try_from(pause).unwrap());
                Event::Waited
            }
            Step::Done(outcome) => return self.done(index, outcome),
        };
        self.handle(index, event);
    }

    fn handle(&mut self, index: usize, event: Event) {
        let now = self.now;
        let broker = &mut self.brokers[index];
        broker.next = broker.protocol.step(event, now, &limits());
        if !matches!(broker.next, Step::StoreTokens | Step::Wait(_)) || broker.new_token.is_none() {
            broker.busy_until = None;
        }
    }

    fn load_row(&mut self, index: usize) -> Event {
        let lease_expires_at = self.lease.map(|(_, until)| until);
        let row = Row { status: self.status, lease_expires_at };
        self.brokers[index].loaded_row = row;
        self.brokers[index].loaded_fence = self.fence;
        Event::RowLoaded(row)
    }

    fn load_tokens(&mut self, index: usize) -> Event {
        self.brokers[index].loaded_token = self.vault;
        self.brokers[index].vault_reads += 1;
        Event::TokensLoaded(Snapshot {
            row: self.brokers[index].loaded_row,
            is_unusable: self.vault == self.brokers[index].refused,
            is_stale: false,
            pause: (self.brokers[index].is_refused_at_once && self.vault == self.brokers[index].refused).then_some(
                Pause {
                    condition: Condition::SessionRefused,
                    left: PAUSE,
                    is_recorded: self.condition == Some(Condition::SessionRefused),
                },
            ),
        })
    }

    fn claim_lease(&mut self, index: usize) -> Event {
        let is_held = self.lease.is_some_and(|(_, until)| self.now < until);
        if is_held || self.brokers[index].loaded_fence != self.fence {
            return Event::LeaseDenied;
        }
        let until = after(self.now, limits().lease);
        self.fence += 1;
        self.brokers[index].fence = self.fence;
        self.lease = Some((self.fence, until));
        Event::LeaseGranted(until)
    }

    /// Sends the token request, or returns the event of its response.
    fn refresh(&mut self, index: usize) -> Option<Event> {
        let Some(call) = self.call else {
            let ends_at = after(self.now, limits().call);
            self.call =
                Some(Call { sender: Some(index), token: self.brokers[index].loaded_token, ends_at, response: None });
            self.brokers[index].busy_until = Some(ends_at);
            return None;
        };
        assert_eq!(call.sender, Some(index), "two refreshes are in flight");
        let response = call.response?;
        self.call = None;
        Some(match response {
            Ok(token) => {
                self.brokers[index].new_token = Some(token);
                Event::Refreshed
            }
            Err(failure) => Event::RefreshFailed(failure),
        })
    }

    fn store_tokens(&mut self, index: usize) -> Event {
        let broker = &mut self.brokers[index];
        let new_token = broker.new_token.take().expect("a store follows a refresh");
        if self.vault != broker.loaded_token {
            return Event::StoreConflict;
        }
        self.vault = new_token;
        broker.loaded_token = new_token;
        Event::TokensStored
    }

    fn settle(&mut self, index: usize, settlement: Settlement) -> Event {
        if self.lease.is_some_and(|(fence, _)| fence == self.brokers[index].fence) {
            self.lease = None;
            match settlement {
                Settlement::Unchanged => {}
                Settlement::Active => {
                    self.status = ConnectionStatus::Active;
                    self.condition = self.condition.filter(|condition| *condition == Condition::SessionRefused);
                }
                Settlement::Failed { is_uncertain, condition } => {
                    assert!(
                        condition != Condition::SessionRefused || self.refuses_sessions,
                        "the org accepts sessions"
                    );
                    self.condition = Some(condition);
                    if is_uncertain {
                        self.status = ConnectionStatus::Uncertain;
                    }
                }
                Settlement::Uncertain => self.status = ConnectionStatus::Uncertain,
                Settlement::ReauthRequired(reason) => {
                    assert!(self.response_was_lost, "reauthorization was required though no response was lost");
                    assert_eq!(reason, ReauthReason::ResponseLost);
                    self.status = ConnectionStatus::ReauthRequired;
                }
            }
        }
        if self.brokers[index].new_token.take().is_some() {
            self.response_was_lost = true;
        }
        Event::Settled
    }

    /// Records the outcome, and starts the caller again.
    fn done(&mut self, index: usize, outcome: Outcome) {
        if outcome == Outcome::Serve {
            let Broker { loaded_token, refused, .. } = self.brokers[index];
            assert!(
                loaded_token != refused && loaded_token <= self.vault,
                "served token {loaded_token}, stored {}",
                self.vault
            );
        }
        // Independent of the wait: one read without the lease, one under it or before the claim, and one to adopt.
        let vault_reads = self.brokers[index].vault_reads;
        assert!(self.faults > 0 || vault_reads <= 3, "{vault_reads} vault reads for one caller");
        if outcome == Outcome::Serve && self.refuses_sessions {
            let broker = &mut self.brokers[index];
            (broker.refused, broker.is_refused_at_once) = (broker.loaded_token, true);
            self.restart(index);
            return;
        }
        self.outcomes[index] = Some(outcome);
        self.restart(index);
    }

    fn restart(&mut self, index: usize) {
        let now = self.now;
        let broker = &mut self.brokers[index];
        broker.protocol = Protocol::new(TokenNeed::Newer, now, &limits());
        broker.next = Step::LoadRow;
        broker.new_token = None;
        broker.busy_until = None;
        broker.fence = 0;
        broker.vault_reads = 0;
    }

    fn fault(&mut self, index: usize, fault: Fault) {
        let calling = self.call.filter(|call| call.sender == Some(index));
        match (fault, calling, self.brokers[index].next) {
            (Fault::Crash, ..) => self.crash(index, calling),
            (Fault::LoseResponse, Some(Call { response: Some(response), .. }), _) => {
                self.response_was_lost |= response.is_ok();
                self.fail_call(index, RefreshFailure::OutcomeUnknown(Duration::ZERO));
            }
            (Fault::LoseRequest, Some(Call { response: None, .. }), _) => {
                self.fail_call(index, RefreshFailure::OutcomeUnknown(Duration::ZERO));
            }
            (Fault::NotProcessed, Some(Call { response: None, .. }), _) => {
                self.fail_call(index, RefreshFailure::NotProcessed(Duration::ZERO));
            }
            (Fault::Blocked, Some(Call { response: None, .. }), _) => {
                self.fail_call(index, RefreshFailure::Blocked(Condition::LoginRestricted));
            }
            (Fault::StoreFails, _, Step::StoreTokens) => self.handle(index, Event::StoreFailed),
            _ => return,
        }
        self.faults += 1;
    }

    fn fail_call(&mut self, index: usize, failure: RefreshFailure) {
        self.call = None;
        self.handle(index, Event::RefreshFailed(failure));
    }

    /// Crashes the broker. Its request stays in flight.
    fn crash(&mut self, index: usize, calling: Option<Call>) {
        match calling {
            Some(Call { response: Some(response), .. }) => {
                self.response_was_lost |= response.is_ok();
                self.call = None;
            }
            Some(call) => self.call = Some(Call { sender: None, ..call }),
            None => {}
        }
        self.response_was_lost |= self.brokers[index].new_token.is_some();
        self.restart(index);
    }

    /// Runs without further faults until every caller is served, or is refused because a user has to connect again.
    fn run_to_completion(&mut self) {
        self.outcomes.fill(None);
        for _ in 0..2_000 {
            self.salesforce();
            for index in 0..self.brokers.len() {
                if !self.is_finished(index) {
                    self.run(index);
                }
            }
            self.tick(SignedDuration::from_millis(500));
            if (0..self.brokers.len()).all(|index| self.is_finished(index)) {
                return;
            }
        }
        panic!("the brokers did not finish: {self:?}");
    }

    fn is_finished(&self, index: usize) -> bool {
        let paused = Outcome::Refuse(Refusal::Paused(Condition::SessionRefused, PAUSE));
        matches!(self.outcomes[index], Some(Outcome::Serve | Outcome::Refuse(Refusal::ReauthRequired)))
            || self.outcomes[index] == Some(paused)
    }
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Crash),
        Just(Fault::LoseResponse),
        Just(Fault::LoseRequest),
        Just(Fault::NotProcessed),
        Just(Fault::Blocked),
        Just(Fault::StoreFails),
    ]
}

fn any_action(brokers: usize) -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (0..brokers).prop_map(Action::Run),
        4 => Just(Action::Salesforce),
        3 => Just(Action::Tick),
        1 => (0..brokers, any_fault()).prop_map(|(broker, fault)| Action::Fault(broker, fault)),
    ]
}

fn any_schedule() -> impl Strategy<Value = (usize, Vec<Action>)> {
    (2..=3_usize).prop_flat_map(|brokers| (Just(brokers), prop::collection::vec(any_action(brokers), 0..120)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    // The model asserts at every step: one refresh in flight, no token served before it is stored, and no refresh token used
    // twice and no reauthorization unless a response was lost.
    #[test]
    fn every_story_ends_with_the_newest_tokens_or_a_lost_response((brokers, actions) in any_schedule()) {
        let mut model = Model::new(brokers);
        for action in actions {
            model.apply(action);
        }
        model.run_to_completion();

        let served = model.outcomes.iter().all(|outcome| *outcome == Some(Outcome::Serve));
        if model.response_was_lost {
            prop_assert!(served || model.status == ConnectionStatus::ReauthRequired);
        } else {
            prop_assert!(served);
            prop_assert_eq!(model.vault, model.live);
            prop_assert!(!model.revoked);
        }
    }

    #[test]
    fn without_faults_one_refresh_serves_all_callers((brokers, actions) in any_schedule()) {
        let mut model = Model::new(brokers);
        for action in actions.into_iter().filter(|action| !matches!(action, Action::Fault(..))) {
            model.apply(action);
        }
        model.run_to_completion();

        prop_assert_eq!((model.refreshes, model.vault, model.status), (1, 1, ConnectionStatus::Active));
        prop_assert_eq!(model.condition, None);
    }

    // A refresh that failed and one that worked, in any order: what is shown is what the last one found.
    #[test]
    fn a_refresh_that_works_ends_the_condition((brokers, actions) in any_schedule()) {
        let mut model = Model::new(brokers);
        for action in actions.into_iter().filter(|action| !matches!(action, Action::Fault(_, fault) if !matches!(fault, Fault::Blocked | Fault::NotProcessed))) {
            model.apply(action);
        }
        model.run_to_completion();

        prop_assert_eq!((model.status, model.condition, model.refreshes), (ConnectionStatus::Active, None, 1));
    }

    #[test]
    fn no_caller_refreshes_during_a_pause((brokers, actions) in any_schedule()) {
        let mut model = Model::new(brokers);
        model.refuses_sessions = true;
        for action in actions.into_iter().filter(|action| !matches!(action, Action::Fault(..))) {
            model.apply(action);
        }
        model.run_to_completion();

        prop_assert_eq!((model.refreshes, model.condition), (1, Some(Condition::SessionRefused)));
        prop_assert_eq!(model.status, ConnectionStatus::Active);
    }
}
