use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::protocol::{self, ConnectionStatus, Protocol, Row, Snapshot, TokenNeed};

/// A token: the number of its grant, and how often it was refreshed.
type Token = (u32, u32);
/// The longest time that a function runs.
const FUNCTION_TIMEOUT: SignedDuration = SignedDuration::from_secs(25);

/// The row of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    status: ConnectionStatus,
    /// The grant that the row names.
    grant: u32,
    /// A consent that reserved the connection.
    pending: Option<u32>,
    fence: u32,
    lease_until: Option<Timestamp>,
}

/// A grant, as Salesforce knows it.
#[derive(Clone, Copy, Debug)]
struct Grant {
    live: u32,
    is_revoked: bool,
}

/// A step of a consent, as `exchange.rs` makes them. They are not a state machine, because there is nothing to decide.
#[derive(Clone, Copy, Debug)]
enum ConsentStep {
    Exchange,
    Reserve,
    LoadTokens,
    Store,
    Activate,
    RevokeReplaced,
    Done,
}

#[derive(Clone, Debug)]
enum Work {
    Disconnect { disconnection: Disconnection, next: Step },
    Consent { next: ConsentStep, grant: u32, is_stored: bool },
    Refresh { protocol: Protocol, next: protocol::Step, row: Row, row_fence: u32, new: Option<Token> },
}

/// A running function.
#[derive(Clone, Debug)]
struct Actor {
    work: Work,
    fence: Option<u32>,
    loaded: Option<Token>,
    started: Timestamp,
    is_done: bool,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Run(usize),
    Tick,
    Crash(usize),
    FailRevocation(usize),
}

/// Salesforce, the row and the secret of one connection, and functions that disconnect, connect and refresh it.
#[derive(Clone, Debug)]
struct Model {
    now: Timestamp,
    row: Stored,
    vault: Option<Token>,
    grants: Vec<Grant>,
    actors: Vec<Actor>,
}

fn limits() -> Limits {
    Limits::default()
}

fn actor(work: Work, started: Timestamp) -> Actor {
    Actor { work, fence: None, loaded: None, started, is_done: false }
}

fn disconnect(now: Timestamp) -> Work {
    let (disconnection, next) = Disconnection::begin(now, &limits());
    Work::Disconnect { disconnection, next }
}

fn consent() -> Work {
    Work::Consent { next: ConsentStep::Exchange, grant: 0, is_stored: false }
}

fn refresh(now: Timestamp) -> Work {
    let protocol = Protocol::new(TokenNeed::Newer, now, &limits());
    let row = Row { status: ConnectionStatus::Active, lease_expires_at: None };
    Work::Refresh { protocol, next: protocol::Step::LoadRow, row, row_fence: 0, new: None }
}

impl Model {
    /// Returns an active connection, and these functions.
    fn new(disconnects: usize, consents: usize, refreshes: usize) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let kinds = [vec![disconnect(now); disconnects], vec![consent(); consents], vec![refresh(now); refreshes]];
        Self {
            now,
            row: Stored { status: ConnectionStatus::Active, grant: 0, pending: None, fence: 0, lease_until: None },
            vault: Some((0, 0)),
            grants: vec![Grant { live: 0, is_revoked: false }],
            actors: kinds.into_iter().flatten().map(|work| actor(work, now)).collect(),
        }
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Run(index) => self.run(index % self.actors.len()),
            Action::Tick => self.tick(SignedDuration::from_secs(1)),
            Action::Crash(index) => self.restart(index % self.actors.len()),
            Action::FailRevocation(index) => self.fail_revocation(index % self.actors.len()),
        }
        assert!(
            self.row.status != ConnectionStatus::Active || self.vault.is_some(),
            "the connection is active and has no tokens: {self:?}"
        );
    }

    /// Advances the time. Functions that reach their time limit die.
    fn tick(&mut self, span: SignedDuration) {
        self.now = self.now.saturating_add(span).unwrap();
        for index in 0..self.actors.len() {
            let Actor { started, is_done, .. } = self.actors[index];
            if !is_done && self.now.duration_since(started) >= FUNCTION_TIMEOUT {
                self.restart(index);
            }
        }
    }

    fn is_leased(&self) -> bool {
        self.row.lease_until.is_some_and(|until| self.now < until)
    }

    fn holds_lease(&self, index: usize) -> bool {
        self.row.lease_until.is_some() && self.actors[index].fence == Some(self.row.fence)
    }

    fn grant_lease(&mut self, index: usize) {
        self.row.fence += 1;
        self.row.lease_until = Some(self.now.saturating_add(limits().lease).unwrap());
        self.actors[index].fence = Some(self.row.fence);
    }

    fn release(&mut self, index: usize) {
        if self.holds_lease(index) {
            self.row.lease_until = None;
        }
        self.actors[index].fence = None;
    }

    /// The function dies, and its caller repeats the request.
    fn restart(&mut self, index: usize) {
        let work = match self.actors[index].work {
            Work::Disconnect { .. } => disconnect(self.now),
            Work::Consent { .. } => consent(),
            Work::Refresh { .. } => refresh(self.now),
        };
        self.actors[index] = actor(work, self.now);
    }

    fn run(&mut self, index: usize) {
        if self.actors[index].is_done {
            return;
        }
        match self.actors[index].work.clone() {
            Work::Disconnect { disconnection, next } => self.run_disconnect(index, disconnection, next),
            Work::Consent { next, grant, is_stored } => self.run_consent(index, next, grant, is_stored),
            Work::Refresh { .. } => self.run_refresh(index),
        }
    }

    fn run_disconnect(&mut self, index: usize, mut disconnection: Disconnection, step: Step) {
        let event = match step {
            Step::ClaimLease if self.is_leased() => Event::LeaseDenied,
            Step::ClaimLease => {
                self.grant_lease(index);
                Event::LeaseGranted
            }
            Step::MarkRevoked if !self.holds_lease(index) => Event::LeaseLost,
            Step::MarkRevoked => {
                (self.row.status, self.row.pending) = (ConnectionStatus::Revoked, None);
                Event::MarkedRevoked
            }
            Step::LoadTokens => {
                self.actors[index].loaded = self.vault;
                if self.vault.is_some() { Event::TokensLoaded } else { Event::NoTokens }
            }
            Step::RevokeGrant => {
                let (grant, _) = self.actors[index].loaded.unwrap();
                self.grants[grant as usize].is_revoked = true;
                Event::GrantRevoked
            }
            Step::DeleteTokens => {
                if self.vault == self.actors[index].loaded {
                    self.vault = None;
                }
                Event::TokensDeleted
            }
            Step::Release => {
                self.release(index);
                Event::Released
            }
            // Time passes between the steps.
            Step::Wait(_) => Event::Waited,
            Step::Done(Outcome::Disconnected) => {
                self.actors[index].is_done = true;
                return;
            }
            Step::Done(_) => return self.restart(index),
        };
        let next = disconnection.step(event, self.now, &limits());
        self.actors[index].work = Work::Disconnect { disconnection, next };
    }

    fn fail_revocation(&mut self, index: usize) {
        if let Work::Disconnect { mut disconnection, next: Step::RevokeGrant } = self.actors[index].work {
            let next = disconnection.step(Event::RevocationFailed, self.now, &limits());
            self.actors[index].work = Work::Disconnect { disconnection, next };
        }
    }

    fn run_consent(&mut self, index: usize, step: ConsentStep, grant: u32, mut is_stored: bool) {
        let (next, grant) = match step {
            ConsentStep::Exchange => {
                is_stored = false;
                self.grants.push(Grant { live: 0, is_revoked: false });
                (ConsentStep::Reserve, u32::try_from(self.grants.len()).unwrap() - 1)
            }
            // The rule of `store::connections::reservation`.
            ConsentStep::Reserve
                if self.is_leased() && self.row.status == ConnectionStatus::Revoked && self.row.pending.is_none() =>
            {
                (ConsentStep::Reserve, grant)
            }
            ConsentStep::Reserve => {
                self.grant_lease(index);
                self.row.pending = Some(grant);
                (ConsentStep::LoadTokens, grant)
            }
            // A later consent replaced the tokens, or a disconnection deleted them: the user has to consent again.
            ConsentStep::LoadTokens if is_stored && self.vault.is_none_or(|(stored, _)| stored != grant) => {
                self.cancel(index);
                self.grants[grant as usize].is_revoked = true;
                (ConsentStep::Exchange, 0)
            }
            ConsentStep::LoadTokens => {
                self.actors[index].loaded = self.vault;
                (ConsentStep::Store, grant)
            }
            // The vault refuses the tokens: it has others than those that were read.
            ConsentStep::Store if self.vault != self.actors[index].loaded => {
                self.cancel(index);
                (ConsentStep::Reserve, grant)
            }
            ConsentStep::Store => {
                self.vault = Some((grant, 0));
                is_stored = true;
                (ConsentStep::Activate, grant)
            }
            ConsentStep::Activate if !self.holds_lease(index) => (ConsentStep::Reserve, grant),
            ConsentStep::Activate => {
                (self.row.status, self.row.grant, self.row.pending) = (ConnectionStatus::Active, grant, None);
                self.release(index);
                (ConsentStep::RevokeReplaced, grant)
            }
            ConsentStep::RevokeReplaced => {
                if let Some((replaced, _)) = self.actors[index].loaded.filter(|(replaced, _)| *replaced != grant) {
                    self.grants[replaced as usize].is_revoked = true;
                }
                self.actors[index].is_done = true;
                (ConsentStep::Done, grant)
            }
            ConsentStep::Done => return,
        };
        self.actors[index].work = Work::Consent { next, grant, is_stored };
    }

    fn cancel(&mut self, index: usize) {
        if self.holds_lease(index) {
            self.row.pending = None;
        }
        self.release(index);
    }

    fn settle_refresh(&mut self, index: usize, settlement: protocol::Settlement) {
        use protocol::Settlement;
        if self.holds_lease(index) {
            match settlement {
                Settlement::Unchanged | Settlement::Failed { is_uncertain: false, .. } => {}
                Settlement::Active => self.row.status = ConnectionStatus::Active,
                Settlement::Uncertain | Settlement::Failed { is_uncertain: true, .. } => {
                    self.row.status = ConnectionStatus::Uncertain;
                }
                Settlement::ReauthRequired(_) => self.row.status = ConnectionStatus::ReauthRequired,
            }
        }
        self.release(index);
    }

    fn run_refresh(&mut self, index: usize) {
        use protocol::{Event, Outcome, RefreshFailure, Step};
        let Work::Refresh { mut protocol, next, mut row, mut row_fence, mut new } = self.actors[index].work.clone()
        else {
            return;
        };
        let event = match next {
            Step::LoadRow => {
                row = Row { status: self.row.status, lease_expires_at: self.row.lease_until };
                row_fence = self.row.fence;
                Event::RowLoaded(row)
            }
            Step::LoadTokens => {
                self.actors[index].loaded = self.vault;
                match self.vault {
                    None => Event::RowLoaded(Row { status: ConnectionStatus::ReauthRequired, ..row }),
                    Some(token) => Event::TokensLoaded(Snapshot {
                        row,
                        is_unusable: token == (0, 0),
                        is_stale: false,
                        pause: None,
                    }),
                }
            }
            Step::ClaimLease if self.is_leased() || self.row.fence != row_fence => Event::LeaseDenied,
            Step::ClaimLease => {
                self.grant_lease(index);
                Event::LeaseGranted(self.row.lease_until.unwrap())
            }
            Step::Refresh => {
                let (grant, count) = self.actors[index].loaded.unwrap();
                let known = &mut self.grants[grant as usize];
                if known.is_revoked || known.live != count {
                    Event::RefreshFailed(RefreshFailure::InvalidGrant)
                } else {
                    known.live += 1;
                    new = Some((grant, known.live));
                    Event::Refreshed
                }
            }
            Step::StoreTokens if self.vault.is_none() || self.vault != self.actors[index].loaded => {
                Event::StoreConflict
            }
            Step::StoreTokens => {
                self.vault = new;
                self.actors[index].loaded = new;
                Event::TokensStored
            }
            Step::Settle(settlement) => {
                self.settle_refresh(index, settlement);
                Event::Settled
            }
            // Time passes between the steps.
            Step::Wait(_) => Event::Waited,
            Step::Done(Outcome::Serve | Outcome::Refuse(_)) => {
                self.actors[index].is_done = true;
                return;
            }
        };
        let next = protocol.step(event, self.now, &limits());
        self.actors[index].work = Work::Refresh { protocol, next, row, row_fence, new };
    }

    /// Runs without further faults until every function has ended: each in turn for more steps than it needs, because two
    /// consents that alternate take the lease from each other.
    fn run_to_completion(&mut self) {
        for _ in 0..1_000 {
            for index in 0..self.actors.len() {
                for _ in 0..16 {
                    self.apply(Action::Run(index));
                }
            }
            self.tick(SignedDuration::from_secs(1));
            if self.actors.iter().all(|actor| actor.is_done) {
                return;
            }
        }
        panic!("the functions did not end: {self:?}");
    }
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (0..5_usize).prop_map(Action::Run),
        2 => Just(Action::Tick),
        1 => (0..5_usize).prop_map(Action::Crash),
        1 => (0..5_usize).prop_map(Action::FailRevocation),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    // The model asserts at every step that an active connection has tokens.
    #[test]
    fn in_the_end_only_a_connected_connection_has_tokens(
        disconnects in 1..=2_usize,
        consents in 0..=2_usize,
        refreshes in 0..=1_usize,
        actions in prop::collection::vec(any_action(), 0..100),
    ) {
        let mut model = Model::new(disconnects, consents, refreshes);
        for action in actions {
            model.apply(action);
        }
        model.run_to_completion();

        match (model.row.status, model.vault) {
            (ConnectionStatus::Revoked, tokens) => prop_assert_eq!(tokens, None),
            (ConnectionStatus::Active, Some((grant, _))) => {
                prop_assert_eq!(grant, model.row.grant, "the tokens are not of the grant that connected last");
                prop_assert!(!model.grants[grant as usize].is_revoked, "the grant in use was revoked");
            }
            (status, tokens) => prop_assert!(
                consents > 0 && tokens.is_some(),
                "the connection ended as {:?} with the tokens {:?}", status, tokens
            ),
        }
    }
}

#[test]
fn a_disconnection_takes_these_steps() {
    let (mut disconnection, first) = Disconnection::begin(Timestamp::UNIX_EPOCH, &limits());
    let mut steps = vec![first];
    let events = [
        Event::LeaseGranted,
        Event::MarkedRevoked,
        Event::TokensLoaded,
        Event::GrantRevoked,
        Event::TokensDeleted,
        Event::Released,
    ];
    steps.extend(events.map(|event| disconnection.step(event, Timestamp::UNIX_EPOCH, &limits())));

    let expected = [
        Step::ClaimLease,
        Step::MarkRevoked,
        Step::LoadTokens,
        Step::RevokeGrant,
        Step::DeleteTokens,
        Step::Release,
        Step::Done(Outcome::Disconnected),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_held_lease_is_waited_for_and_then_reported() {
    let now = Timestamp::UNIX_EPOCH;
    let (mut disconnection, _) = Disconnection::begin(now, &limits());
    let late = now.saturating_add(limits().max_wait).unwrap();

    assert_eq!(disconnection.step(Event::LeaseDenied, now, &limits()), Step::Wait(limits().retry_delay));
    assert_eq!(disconnection.step(Event::LeaseLost, now, &limits()), Step::Wait(limits().retry_delay));
    assert_eq!(disconnection.step(Event::Waited, now, &limits()), Step::ClaimLease);
    assert_eq!(disconnection.step(Event::LeaseDenied, late, &limits()), Step::Done(Outcome::Busy));
}
