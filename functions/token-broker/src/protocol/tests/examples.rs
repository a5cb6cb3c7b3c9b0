use super::*;

fn row(standing: Standing) -> Row {
    Row { standing, lease_until: None }
}

fn leased_until(until: Timestamp) -> Row {
    Row { standing: Standing::Active, lease_until: Some(until) }
}

fn view(standing: Standing, refused: bool) -> View {
    View { row: row(standing), refused, stale: false }
}

/// A look at the row, and then at the vault, which the machine asks for.
fn look(protocol: &mut Protocol, view: View, now: Timestamp) -> Step {
    assert_eq!(protocol.step(Event::Looked(view.row), now, &limits()), Step::Open);
    protocol.step(Event::Opened(view), now, &limits())
}

fn newer() -> Protocol {
    Protocol::new(Wish::Newer, T0, &limits())
}

fn later(seconds: i64) -> Timestamp {
    after(T0, SignedDuration::from_secs(seconds))
}

/// A machine that holds the lease and has just been told to refresh.
fn refreshing(standing: Standing) -> Protocol {
    let mut protocol = newer();
    assert_eq!(look(&mut protocol, view(standing, true), T0), Step::Claim);
    assert_eq!(protocol.step(Event::Claimed(later(40)), T0, &limits()), Step::Look);
    assert_eq!(look(&mut protocol, view(standing, true), T0), Step::Refresh);
    protocol
}

#[test]
fn an_accepted_token_is_served_without_a_lease() {
    for standing in [Standing::Active, Standing::Uncertain] {
        let mut protocol = newer();
        assert_eq!(look(&mut protocol, view(standing, false), T0), Step::Done(Outcome::Serve));
    }
}

#[test]
fn a_dead_connection_is_refused_without_asking_salesforce_or_the_vault() {
    for (standing, refusal) in
        [(Standing::ReauthRequired, Refusal::ReauthRequired), (Standing::Revoked, Refusal::Revoked)]
    {
        let step = newer().step(Event::Looked(row(standing)), T0, &limits());
        assert_eq!(step, Step::Done(Outcome::Refuse(refusal)));
    }
}

#[test]
fn new_tokens_are_stored_before_anybody_uses_them() {
    let mut protocol = refreshing(Standing::Active);
    assert_eq!(protocol.step(Event::Refreshed, T0, &limits()), Step::Store);
    assert_eq!(protocol.step(Event::Stored, T0, &limits()), Step::Settle(Settlement::Active));
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Serve));
}

#[test]
fn a_lost_answer_leaves_the_connection_uncertain() {
    let mut protocol = refreshing(Standing::Active);
    let lost = Event::Failed(Failure::Lost(Duration::from_secs(1)));
    assert_eq!(protocol.step(lost, T0, &limits()), Step::Settle(Settlement::Uncertain));
}

#[test]
fn a_request_that_was_not_taken_changes_nothing() {
    let mut protocol = refreshing(Standing::Active);
    let not_taken = Event::Failed(Failure::NotTaken(Duration::from_secs(3)));
    assert_eq!(protocol.step(not_taken, T0, &limits()), Step::Settle(Settlement::Release));
    let refusal = Refusal::Unavailable(Duration::from_secs(3));
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Refuse(refusal)));
}

#[test]
fn an_ended_grant_needs_a_person_only_after_another_look() {
    let mut protocol = refreshing(Standing::Active);
    assert_eq!(protocol.step(Event::Failed(Failure::Ended), T0, &limits()), Step::Look);
    let step = look(&mut protocol, view(Standing::Active, true), T0);
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(Reason::GrantEnded)));
}

#[test]
fn a_grant_that_was_replaced_meanwhile_is_served() {
    let mut protocol = refreshing(Standing::Active);
    assert_eq!(protocol.step(Event::Failed(Failure::Ended), T0, &limits()), Step::Look);
    let step = look(&mut protocol, view(Standing::Active, false), T0);
    assert_eq!(step, Step::Settle(Settlement::Active));
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Serve));
}

#[test]
fn an_uncertain_connection_tries_the_old_token_and_names_the_lost_answer() {
    let mut protocol = refreshing(Standing::Uncertain);
    assert_eq!(protocol.step(Event::Failed(Failure::Ended), T0, &limits()), Step::Look);
    let step = look(&mut protocol, view(Standing::Uncertain, true), T0);
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(Reason::AnswerLost)));
}

#[test]
fn a_lease_that_was_never_given_back_means_doubt() {
    let mut protocol = newer();
    let abandoned = View { row: leased_until(T0), refused: true, stale: false };
    assert_eq!(look(&mut protocol, abandoned, later(1)), Step::Claim);
    assert_eq!(protocol.step(Event::Claimed(later(41)), later(1), &limits()), Step::Look);
    assert_eq!(look(&mut protocol, view(Standing::Active, true), later(1)), Step::Refresh);
    let not_taken = Event::Failed(Failure::NotTaken(Duration::ZERO));
    assert_eq!(protocol.step(not_taken, later(1), &limits()), Step::Settle(Settlement::Uncertain));
}

#[test]
fn a_busy_answer_waits_and_tries_again_until_patience_ends() {
    let mut protocol = refreshing(Standing::Active);
    let mut now = T0;
    let mut refreshes = 0;
    let end = loop {
        match protocol.step(Event::Failed(Failure::Busy), now, &limits()) {
            Step::Wait(pause) => now = after(now, SignedDuration::try_from(pause).unwrap()),
            other => panic!("busy led to {other:?}"),
        }
        assert_eq!(protocol.step(Event::Waited, now, &limits()), Step::Look);
        match look(&mut protocol, view(Standing::Active, true), now) {
            Step::Refresh => refreshes += 1,
            other => break other,
        }
    };
    assert_eq!((end, refreshes), (Step::Settle(Settlement::Uncertain), 7));
}

#[test]
fn others_wait_for_the_holder_by_its_row_alone_and_adopt_what_it_stored() {
    let mut protocol = newer();
    for second in 0..3 {
        let held = Event::Looked(leased_until(later(40)));
        assert_eq!(protocol.step(held, later(second), &limits()), Step::Wait(limits().pause));
        assert_eq!(protocol.step(Event::Waited, later(second), &limits()), Step::Look);
    }
    let stored = view(Standing::Active, false);
    assert_eq!(look(&mut protocol, stored, later(3)), Step::Done(Outcome::Serve));
}

#[test]
fn who_only_wants_what_is_stored_waits_for_nobody() {
    let mut protocol = Protocol::new(Wish::Stored, T0, &limits());
    let held = View { row: leased_until(later(40)), refused: false, stale: false };
    assert_eq!(look(&mut protocol, held, T0), Step::Done(Outcome::Serve));
}

#[test]
fn tokens_that_were_replaced_already_are_never_sent_again() {
    let mut protocol = newer();
    let stale = View { stale: true, ..view(Standing::Active, true) };
    assert_eq!(look(&mut protocol, stale, T0), Step::Wait(limits().pause));
    assert_eq!(protocol.step(Event::Waited, later(1), &limits()), Step::Look);
    let step = look(&mut protocol, stale, later(8));
    assert_eq!(step, Step::Done(Outcome::Refuse(Refusal::Busy(limits().pause))));
}

#[test]
fn waiting_for_a_holder_ends_with_the_callers_patience() {
    let held = View { row: leased_until(later(40)), refused: true, stale: false };
    let step = look(&mut newer(), held, later(8));
    assert_eq!(step, Step::Done(Outcome::Refuse(Refusal::Busy(limits().pause))));
}

#[test]
fn what_a_dead_holder_stored_is_adopted_when_patience_ends() {
    let stored = View { row: leased_until(later(40)), refused: false, stale: false };
    assert_eq!(look(&mut newer(), stored, later(8)), Step::Done(Outcome::Serve));
}

#[test]
fn tokens_that_cannot_be_stored_are_never_served() {
    let mut protocol = refreshing(Standing::Active);
    assert_eq!(protocol.step(Event::Refreshed, T0, &limits()), Step::Store);
    for _ in 1..limits().store_attempts {
        assert_eq!(protocol.step(Event::StoreFailed, T0, &limits()), Step::Wait(limits().pause));
        assert_eq!(protocol.step(Event::Waited, T0, &limits()), Step::Store);
    }
    assert_eq!(protocol.step(Event::StoreFailed, T0, &limits()), Step::Settle(Settlement::Uncertain));
    let refusal = Refusal::Unavailable(limits().pause);
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Refuse(refusal)));
}

#[test]
fn a_refused_app_leaves_the_grant_alone() {
    let mut protocol = refreshing(Standing::Active);
    let step = protocol.step(Event::Failed(Failure::AppRefused), T0, &limits());
    assert_eq!(step, Step::Settle(Settlement::Release));
}

#[test]
fn a_doubt_that_another_left_before_the_claim_counts() {
    let mut protocol = newer();
    assert_eq!(look(&mut protocol, view(Standing::Active, true), T0), Step::Claim);
    assert_eq!(protocol.step(Event::Claimed(later(40)), T0, &limits()), Step::Look);
    assert_eq!(look(&mut protocol, view(Standing::Uncertain, true), T0), Step::Refresh);
    assert_eq!(protocol.step(Event::Failed(Failure::Ended), T0, &limits()), Step::Look);
    let step = look(&mut protocol, view(Standing::Uncertain, true), T0);
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(Reason::AnswerLost)));
}
