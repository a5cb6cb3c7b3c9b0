//! The refresh protocol as a pure state machine: what happened goes in, what to do next comes out.
//!
//! With refresh-token rotation a refresh token is good once, and a second use revokes everything.
//! So the machine lets one broker at a time speak to Salesforce (the lease), stores what it got
//! before anyone uses it, and treats an answer it never saw as `uncertain`, not as refused.
//! It knows no clock, no table and no network: the module `refresh` carries its steps out.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The numbers of the protocol. A lease outlives the token call and the storing of its answer, so
/// that nobody takes it over while an answer may still be on its way.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a lease lasts. Longer than the function's own timeout.
    pub lease: SignedDuration,
    /// The longest that one token call and the storing of its answer may take.
    pub call: SignedDuration,
    /// How long a caller may be kept waiting for another broker's refresh.
    pub patience: SignedDuration,
    /// The pause between two looks while another broker refreshes.
    pub pause: Duration,
    /// The pause after Salesforce said that the token request is already being processed.
    pub busy_pause: Duration,
    /// How often the storing of new tokens is tried before they are given up.
    pub store_attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lease: SignedDuration::from_secs(40),
            call: SignedDuration::from_secs(20),
            patience: SignedDuration::from_secs(8),
            pause: Duration::from_millis(200),
            busy_pause: Duration::from_secs(1),
            store_attempts: 3,
        }
    }
}

/// The stored state of a connection, as far as the protocol cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The stored tokens are the newest that Salesforce gave.
    Active,
    /// A refresh was sent and its answer never seen: the stored refresh token may be used up.
    Uncertain,
    /// A person has to connect again.
    ReauthRequired,
    /// Disconnected on purpose.
    Revoked,
}

/// What a caller came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// The stored tokens.
    Stored,
    /// Newer tokens than it knows of: Salesforce refused those, or they are too old.
    Newer,
}

/// What the connection's row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The connection's state.
    pub standing: Standing,
    /// When the lease ends, whoever holds it; `None` when it was released.
    pub lease_until: Option<Timestamp>,
}

/// What the row and then the vault showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The row.
    pub row: Row,
    /// Whether the stored tokens are those that the caller cannot use: refused by Salesforce, or too old.
    pub refused: bool,
    /// Whether the vault still shows tokens that were replaced already. Using them again would end the grant.
    pub stale: bool,
}

/// Why a refresh brought no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Salesforce did not act on it: not reached, rate-limited. Nothing changed there.
    NotTaken(Duration),
    /// It may have taken effect: no answer, a server error, a body that is no token answer.
    Lost(Duration),
    /// `token request is already being processed`: another request holds the same refresh token.
    Busy,
    /// A known-terminal `invalid_grant`: this refresh token is dead.
    Ended,
    /// Salesforce refused the app itself, for example a rotated client secret. The grant may be good.
    AppRefused,
    /// The app came to its sunset; Salesforce was not asked.
    AppStopped,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The row was read.
    Looked(Row),
    /// The vault was read too.
    Opened(View),
    /// The lease is ours until then.
    Claimed(Timestamp),
    /// Somebody else took the lease first, or had it since the last look.
    ClaimLost,
    /// Salesforce gave new tokens.
    Refreshed,
    /// Salesforce gave none.
    Failed(Failure),
    /// The new tokens are in the vault.
    Stored,
    /// The vault already holds a successor of the version that was used.
    StoreConflict,
    /// The vault could not be written.
    StoreFailed,
    /// The settlement was written, or came too late to matter.
    Settled,
    /// The pause is over.
    Waited,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Read the row, consistently. Whoever waits for another broker reads nothing else.
    Look,
    /// Read the vault, right after the row: tokens are stored before the lease is given back, so that whoever sees the lease
    /// gone sees the tokens too.
    Open,
    /// Take the lease by a conditional write, on condition that nobody has had it since the last look: a holder that came
    /// and died in between would leave a doubt that this machine knows nothing of.
    Claim,
    /// Ask Salesforce, with the refresh token of the last look.
    Refresh,
    /// Put the new tokens into the vault as the successor of the version last looked at.
    Store,
    /// Write the state and give the lease back, on condition that the lease is still ours.
    Settle(Settlement),
    /// Pause, holding on to what is held.
    Wait(Duration),
    /// Answer the caller.
    Done(Outcome),
}

/// What to write when the lease is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Nothing but the release: the state stays what it is.
    Release,
    /// The stored tokens are good.
    Active,
    /// The stored refresh token may be used up.
    Uncertain,
    /// A person has to connect again.
    ReauthRequired(Reason),
}

/// Why a person has to connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Salesforce ended the grant: revoked, expired, user inactive, app blocked.
    GrantEnded,
    /// An earlier answer with the rotated refresh token never arrived, and the old one is used up.
    AnswerLost,
    /// The app came to its sunset: there is a newer one to connect with.
    AppSunset,
}

/// How it ends for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With the tokens that are in the vault.
    Serve,
    /// With a refusal.
    Refuse(Refusal),
}

/// Why the caller gets no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A person has to connect again.
    ReauthRequired,
    /// The connection was disconnected.
    Revoked,
    /// Another broker is refreshing and took longer than this caller may wait.
    Busy(Duration),
    /// Salesforce or the vault could not be used now.
    Unavailable(Duration),
    /// Salesforce refuses the app's credentials; the operator has to act.
    AppRefused,
}

/// One caller's way through the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Protocol {
    wish: Wish,
    give_up_at: Timestamp,
    lease_until: Option<Timestamp>,
    /// Whether an answer with a newer refresh token may have been lost.
    doubt: bool,
    /// Salesforce called the refresh token dead; one more look decides whether it was replaced.
    ended: bool,
    /// Salesforce said that somebody else's request is being processed.
    busy: bool,
    /// New tokens are in memory and not in the vault.
    unstored: bool,
    store_attempts: u32,
    /// What the caller hears once the settlement is written.
    outcome: Outcome,
}

impl Protocol {
    /// A caller that came at `now`. Its first step is [`Step::Look`].
    #[must_use]
    pub fn new(wish: Wish, now: Timestamp, limits: &Limits) -> Self {
        Self {
            wish,
            give_up_at: after(now, limits.patience),
            lease_until: None,
            doubt: false,
            ended: false,
            busy: false,
            unstored: false,
            store_attempts: 0,
            outcome: Outcome::Refuse(Refusal::Unavailable(limits.pause)),
        }
    }

    /// What to do after `event`, which happened at `now`.
    pub fn step(&mut self, event: Event, now: Timestamp, limits: &Limits) -> Step {
        match event {
            Event::Looked(row) => self.looked(row, now, limits),
            Event::Opened(view) => self.opened(view, now, limits),
            Event::Claimed(until) => {
                self.lease_until = Some(until);
                Step::Look
            }
            Event::ClaimLost => self.wait(now, limits),
            Event::Refreshed => {
                self.unstored = true;
                Step::Store
            }
            Event::Failed(failure) => self.failed(failure, limits),
            Event::Stored => self.settle(Settlement::Active, Outcome::Serve),
            Event::StoreConflict => {
                self.unstored = false;
                Step::Look
            }
            Event::StoreFailed => self.store_failed(now, limits),
            Event::Settled => Step::Done(self.outcome),
            Event::Waited if self.unstored => Step::Store,
            Event::Waited => Step::Look,
        }
    }

    /// A dead connection needs no tokens, and while another broker refreshes, only the row can tell anything new. Once the
    /// caller's patience is over, one look at the vault finds what a broker stored that died before it gave the lease back.
    fn looked(&mut self, row: Row, now: Timestamp, limits: &Limits) -> Step {
        let from_outside = self.lease_until.is_none();
        match row.standing {
            Standing::Revoked => self.leave(Outcome::Refuse(Refusal::Revoked)),
            Standing::ReauthRequired => self.leave(Outcome::Refuse(Refusal::ReauthRequired)),
            _ if from_outside && self.wish == Wish::Newer && is_held(row, now) && now < self.give_up_at => {
                Step::Wait(limits.pause)
            }
            _ => Step::Open,
        }
    }

    fn opened(&mut self, view: View, now: Timestamp, limits: &Limits) -> Step {
        match self.lease_until {
            _ if view.stale => self.look_later(now, limits),
            None => self.opened_from_outside(view, now, limits),
            Some(until) => self.opened_under_lease(view, until, now, limits),
        }
    }

    /// Waits until the vault has caught up with the row.
    fn look_later(&mut self, now: Timestamp, limits: &Limits) -> Step {
        if now < self.give_up_at {
            return Step::Wait(limits.pause);
        }
        self.leave(Outcome::Refuse(Refusal::Busy(limits.pause)))
    }

    fn opened_from_outside(&mut self, view: View, now: Timestamp, limits: &Limits) -> Step {
        if !view.refused {
            return Step::Done(Outcome::Serve);
        }
        if is_held(view.row, now) {
            return self.wait(now, limits);
        }
        // A lease that ran out was never given back: its holder may have spent the refresh token.
        self.doubt = view.row.standing == Standing::Uncertain || view.row.lease_until.is_some();
        Step::Claim
    }

    fn opened_under_lease(&mut self, view: View, until: Timestamp, now: Timestamp, limits: &Limits) -> Step {
        if !view.refused {
            return self.settle(Settlement::Active, Outcome::Serve);
        }
        self.doubt |= view.row.standing == Standing::Uncertain;
        if self.ended {
            let reason = if self.doubt { Reason::AnswerLost } else { Reason::GrantEnded };
            return self.settle(Settlement::ReauthRequired(reason), Outcome::Refuse(Refusal::ReauthRequired));
        }
        let too_late = after(now, limits.call) > until || (self.busy && now >= self.give_up_at);
        if too_late {
            return self.let_go(Refusal::Busy(limits.pause));
        }
        Step::Refresh
    }

    fn failed(&mut self, failure: Failure, limits: &Limits) -> Step {
        match failure {
            Failure::NotTaken(pause) => self.let_go(Refusal::Unavailable(pause)),
            Failure::AppRefused => self.let_go(Refusal::AppRefused),
            Failure::AppStopped => {
                self.settle(Settlement::ReauthRequired(Reason::AppSunset), Outcome::Refuse(Refusal::ReauthRequired))
            }
            Failure::Lost(pause) => {
                self.doubt = true;
                self.let_go(Refusal::Unavailable(pause))
            }
            Failure::Busy => {
                self.doubt = true;
                self.busy = true;
                Step::Wait(limits.busy_pause)
            }
            Failure::Ended => {
                self.ended = true;
                Step::Look
            }
        }
    }

    fn store_failed(&mut self, now: Timestamp, limits: &Limits) -> Step {
        self.store_attempts += 1;
        let in_time = self.lease_until.is_some_and(|until| now < until);
        if in_time && self.store_attempts < limits.store_attempts {
            return Step::Wait(limits.pause);
        }
        self.doubt = true;
        self.let_go(Refusal::Unavailable(limits.pause))
    }

    /// Waits for another broker, as long as the caller may be kept.
    fn wait(&self, now: Timestamp, limits: &Limits) -> Step {
        if now < self.give_up_at {
            Step::Wait(limits.pause)
        } else {
            Step::Done(Outcome::Refuse(Refusal::Busy(limits.pause)))
        }
    }

    /// Gives the lease back without new tokens.
    fn let_go(&mut self, refusal: Refusal) -> Step {
        let settlement = if self.doubt { Settlement::Uncertain } else { Settlement::Release };
        self.settle(settlement, Outcome::Refuse(refusal))
    }

    /// Ends without touching the state, giving back a lease that is held.
    fn leave(&mut self, outcome: Outcome) -> Step {
        match self.lease_until {
            Some(_) => self.settle(Settlement::Release, outcome),
            None => Step::Done(outcome),
        }
    }

    fn settle(&mut self, settlement: Settlement, outcome: Outcome) -> Step {
        self.outcome = outcome;
        Step::Settle(settlement)
    }
}

/// Whether somebody has the lease.
fn is_held(row: Row, now: Timestamp) -> bool {
    row.lease_until.is_some_and(|until| now < until)
}

/// `now + span`, at the end of time at the latest.
fn after(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
