use super::*;

fn row(status: ConnectionStatus) -> Row {
    Row { status, lease_expires_at: None }
}

fn leased_until(until: Timestamp) -> Row {
    Row { status: ConnectionStatus::Active, lease_expires_at: Some(until) }
}

fn snapshot(status: ConnectionStatus, is_unusable: bool) -> Snapshot {
    Snapshot { row: row(status), is_unusable, is_stale: false, pause: None }
}

/// Loads the row and then the vault, and returns the next step.
fn load(protocol: &mut Protocol, snapshot: Snapshot, now: Timestamp) -> Step {
    assert_eq!(protocol.step(Event::RowLoaded(snapshot.row), now, &limits()), Step::LoadTokens);
    protocol.step(Event::TokensLoaded(snapshot), now, &limits())
}

fn newer() -> Protocol {
    Protocol::new(TokenNeed::Newer, T0, &limits())
}

fn later(seconds: i64) -> Timestamp {
    after(T0, SignedDuration::from_secs(seconds))
}

/// Returns a machine that holds the lease and whose next step is the refresh.
fn refreshing(status: ConnectionStatus) -> Protocol {
    let mut protocol = newer();
    assert_eq!(load(&mut protocol, snapshot(status, true), T0), Step::ClaimLease);
    assert_eq!(protocol.step(Event::LeaseGranted(later(40)), T0, &limits()), Step::LoadRow);
    assert_eq!(load(&mut protocol, snapshot(status, true), T0), Step::Refresh);
    protocol
}

#[test]
fn a_usable_token_is_served_without_a_lease() {
    for status in [ConnectionStatus::Active, ConnectionStatus::Uncertain] {
        let mut protocol = newer();
        assert_eq!(load(&mut protocol, snapshot(status, false), T0), Step::Done(Outcome::Serve));
    }
}

#[test]
fn a_connection_without_a_grant_is_refused_by_its_row_alone() {
    for (status, refusal) in
        [(ConnectionStatus::ReauthRequired, Refusal::ReauthRequired), (ConnectionStatus::Revoked, Refusal::Revoked)]
    {
        let step = newer().step(Event::RowLoaded(row(status)), T0, &limits());
        assert_eq!(step, Step::Done(Outcome::Refuse(refusal)));
    }
}

#[test]
fn new_tokens_are_stored_before_they_are_served() {
    let mut protocol = refreshing(ConnectionStatus::Active);
    assert_eq!(protocol.step(Event::Refreshed, T0, &limits()), Step::StoreTokens);
    assert_eq!(protocol.step(Event::TokensStored, T0, &limits()), Step::Settle(Settlement::Active));
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Serve));
}

#[test]
fn a_lost_response_leaves_the_connection_uncertain() {
    let mut protocol = refreshing(ConnectionStatus::Active);
    let lost = Event::RefreshFailed(RefreshFailure::OutcomeUnknown(Duration::from_secs(1)));
    let settlement = Settlement::Failed { is_uncertain: true, condition: Condition::Unavailable };
    assert_eq!(protocol.step(lost, T0, &limits()), Step::Settle(settlement));
}

#[test]
fn a_request_that_was_not_processed_leaves_the_grant() {
    let mut protocol = refreshing(ConnectionStatus::Active);
    let not_processed = Event::RefreshFailed(RefreshFailure::NotProcessed(Duration::from_secs(3)));
    let settlement = Settlement::Failed { is_uncertain: false, condition: Condition::Unavailable };
    assert_eq!(protocol.step(not_processed, T0, &limits()), Step::Settle(settlement));
    let refusal = Refusal::Unavailable(Duration::from_secs(3));
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Refuse(refusal)));
}

#[test]
fn invalid_grant_needs_reauth_only_after_another_read() {
    let mut protocol = refreshing(ConnectionStatus::Active);
    assert_eq!(protocol.step(Event::RefreshFailed(RefreshFailure::InvalidGrant), T0, &limits()), Step::LoadRow);
    let step = load(&mut protocol, snapshot(ConnectionStatus::Active, true), T0);
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(ReauthReason::GrantEnded)));
}

#[test]
fn an_inactive_user_is_the_reason_also_after_a_lost_response() {
    for status in [ConnectionStatus::Active, ConnectionStatus::Uncertain] {
        let mut protocol = refreshing(status);
        assert_eq!(protocol.step(Event::RefreshFailed(RefreshFailure::UserInactive), T0, &limits()), Step::LoadRow);
        let step = load(&mut protocol, snapshot(status, true), T0);
        assert_eq!(step, Step::Settle(Settlement::ReauthRequired(ReauthReason::UserInactive)));
    }
}

#[test]
fn invalid_grant_serves_tokens_that_were_replaced_meanwhile() {
    let mut protocol = refreshing(ConnectionStatus::Active);
    assert_eq!(protocol.step(Event::RefreshFailed(RefreshFailure::InvalidGrant), T0, &limits()), Step::LoadRow);
    let step = load(&mut protocol, snapshot(ConnectionStatus::Active, false), T0);
    assert_eq!(step, Step::Settle(Settlement::Active));
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Serve));
}

#[test]
fn an_uncertain_connection_retries_and_names_the_lost_response() {
    let mut protocol = refreshing(ConnectionStatus::Uncertain);
    assert_eq!(protocol.step(Event::RefreshFailed(RefreshFailure::InvalidGrant), T0, &limits()), Step::LoadRow);
    let step = load(&mut protocol, snapshot(ConnectionStatus::Uncertain, true), T0);
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(ReauthReason::ResponseLost)));
}

#[test]
fn an_expired_lease_makes_the_connection_uncertain() {
    let mut protocol = newer();
    let abandoned = Snapshot { row: leased_until(T0), is_unusable: true, is_stale: false, pause: None };
    assert_eq!(load(&mut protocol, abandoned, later(1)), Step::ClaimLease);
    assert_eq!(protocol.step(Event::LeaseGranted(later(41)), later(1), &limits()), Step::LoadRow);
    assert_eq!(load(&mut protocol, snapshot(ConnectionStatus::Active, true), later(1)), Step::Refresh);
    let not_processed = Event::RefreshFailed(RefreshFailure::NotProcessed(Duration::ZERO));
    let settlement = Settlement::Failed { is_uncertain: true, condition: Condition::Unavailable };
    assert_eq!(protocol.step(not_processed, later(1), &limits()), Step::Settle(settlement));
}

#[test]
fn already_processing_is_retried_until_the_wait_is_over() {
    let mut protocol = refreshing(ConnectionStatus::Active);
    let mut now = T0;
    let mut refreshes = 0;
    let end = loop {
        match protocol.step(Event::RefreshFailed(RefreshFailure::AlreadyProcessing), now, &limits()) {
            Step::Wait(pause) => now = after(now, SignedDuration::try_from(pause).unwrap()),
            other => panic!("already processing led to {other:?}"),
        }
        assert_eq!(protocol.step(Event::Waited, now, &limits()), Step::LoadRow);
        match load(&mut protocol, snapshot(ConnectionStatus::Active, true), now) {
            Step::Refresh => refreshes += 1,
            other => break other,
        }
    };
    assert_eq!((end, refreshes), (Step::Settle(Settlement::Uncertain), 7));
}

#[test]
fn waiters_read_only_the_row_and_adopt_the_stored_tokens() {
    let mut protocol = newer();
    for second in 0..3 {
        let held = Event::RowLoaded(leased_until(later(40)));
        assert_eq!(protocol.step(held, later(second), &limits()), Step::Wait(limits().retry_delay));
        assert_eq!(protocol.step(Event::Waited, later(second), &limits()), Step::LoadRow);
    }
    let stored = snapshot(ConnectionStatus::Active, false);
    assert_eq!(load(&mut protocol, stored, later(3)), Step::Done(Outcome::Serve));
}

#[test]
fn a_caller_of_stored_tokens_does_not_wait() {
    let mut protocol = Protocol::new(TokenNeed::Stored, T0, &limits());
    let held = Snapshot { row: leased_until(later(40)), is_unusable: false, is_stale: false, pause: None };
    assert_eq!(load(&mut protocol, held, T0), Step::Done(Outcome::Serve));
}

#[test]
fn stale_tokens_are_never_sent_again() {
    let mut protocol = newer();
    let stale = Snapshot { is_stale: true, ..snapshot(ConnectionStatus::Active, true) };
    assert_eq!(load(&mut protocol, stale, T0), Step::Wait(limits().retry_delay));
    assert_eq!(protocol.step(Event::Waited, later(1), &limits()), Step::LoadRow);
    let step = load(&mut protocol, stale, later(8));
    assert_eq!(step, Step::Done(Outcome::Refuse(Refusal::Busy(limits().retry_delay))));
}

#[test]
fn waiting_for_the_lease_ends_at_the_maximum_wait() {
    let held = Snapshot { row: leased_until(later(40)), is_unusable: true, is_stale: false, pause: None };
    let step = load(&mut newer(), held, later(8));
    assert_eq!(step, Step::Done(Outcome::Refuse(Refusal::Busy(limits().retry_delay))));
}

#[test]
fn tokens_of_a_crashed_holder_are_adopted_after_the_wait() {
    let stored = Snapshot { row: leased_until(later(40)), is_unusable: false, is_stale: false, pause: None };
    assert_eq!(load(&mut newer(), stored, later(8)), Step::Done(Outcome::Serve));
}

#[test]
fn tokens_that_cannot_be_stored_are_never_served() {
    let mut protocol = refreshing(ConnectionStatus::Active);
    assert_eq!(protocol.step(Event::Refreshed, T0, &limits()), Step::StoreTokens);
    for _ in 1..limits().store_attempts {
        assert_eq!(protocol.step(Event::StoreFailed, T0, &limits()), Step::Wait(limits().retry_delay));
        assert_eq!(protocol.step(Event::Waited, T0, &limits()), Step::StoreTokens);
    }
    assert_eq!(protocol.step(Event::StoreFailed, T0, &limits()), Step::Settle(Settlement::Uncertain));
    let refusal = Refusal::Unavailable(limits().retry_delay);
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Refuse(refusal)));
}

#[test]
fn a_condition_does_not_end_the_grant() {
    for condition in Condition::ALL {
        let mut protocol = refreshing(ConnectionStatus::Active);
        let step = protocol.step(Event::RefreshFailed(RefreshFailure::Blocked(condition)), T0, &limits());
        assert_eq!(step, Step::Settle(Settlement::Failed { is_uncertain: false, condition }));
        let refusal = Refusal::Blocked(condition);
        assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Refuse(refusal)));
    }
}

const PAUSE: Duration = Duration::from_secs(30);

fn in_pause(status: ConnectionStatus, is_recorded: bool) -> Snapshot {
    let pause = Pause { condition: Condition::SessionRefused, left: PAUSE, is_recorded };
    Snapshot { pause: Some(pause), ..snapshot(status, true) }
}

#[test]
fn a_session_that_is_refused_in_a_pause_is_not_refreshed() {
    let snapshot = in_pause(ConnectionStatus::Active, false);
    let mut protocol = newer();
    assert_eq!(load(&mut protocol, snapshot, T0), Step::ClaimLease);
    assert_eq!(protocol.step(Event::LeaseGranted(later(40)), T0, &limits()), Step::LoadRow);
    let settlement = Settlement::Failed { is_uncertain: false, condition: Condition::SessionRefused };
    assert_eq!(load(&mut protocol, snapshot, T0), Step::Settle(settlement));
    let refusal = Refusal::Paused(Condition::SessionRefused, PAUSE);
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Refuse(refusal)));
}

#[test]
fn a_pause_that_is_recorded_costs_no_write() {
    let refusal = Refusal::Paused(Condition::SessionRefused, PAUSE);
    let step = load(&mut newer(), in_pause(ConnectionStatus::Active, true), T0);
    assert_eq!(step, Step::Done(Outcome::Refuse(refusal)));
}

#[test]
fn a_refused_session_of_an_uncertain_connection_is_refreshed() {
    let snapshot = in_pause(ConnectionStatus::Uncertain, true);
    let mut protocol = newer();
    assert_eq!(load(&mut protocol, snapshot, T0), Step::ClaimLease);
    assert_eq!(protocol.step(Event::LeaseGranted(later(40)), T0, &limits()), Step::LoadRow);
    assert_eq!(load(&mut protocol, snapshot, T0), Step::Refresh);
}

#[test]
fn uncertainty_recorded_before_the_claim_counts() {
    let mut protocol = newer();
    assert_eq!(load(&mut protocol, snapshot(ConnectionStatus::Active, true), T0), Step::ClaimLease);
    assert_eq!(protocol.step(Event::LeaseGranted(later(40)), T0, &limits()), Step::LoadRow);
    assert_eq!(load(&mut protocol, snapshot(ConnectionStatus::Uncertain, true), T0), Step::Refresh);
    assert_eq!(protocol.step(Event::RefreshFailed(RefreshFailure::InvalidGrant), T0, &limits()), Step::LoadRow);
    let step = load(&mut protocol, snapshot(ConnectionStatus::Uncertain, true), T0);
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(ReauthReason::ResponseLost)));
}
