use super::*;

fn view(standing: Standing, refused: bool) -> Event {
    Event::Looked(View { standing, lease_until: None, refused, stale: false })
}

fn later(seconds: i64) -> Timestamp {
    after(T0, SignedDuration::from_secs(seconds))
}

/// A machine that holds the lease and has just been told to refresh.
fn refreshing(standing: Standing) -> Protocol {
    let mut protocol = Protocol::new(T0, &limits());
    assert_eq!(protocol.step(view(standing, true), T0, &limits()), Step::Claim);
    assert_eq!(protocol.step(Event::Claimed(later(40)), T0, &limits()), Step::Look);
    assert_eq!(protocol.step(view(standing, true), T0, &limits()), Step::Refresh);
    protocol
}

#[test]
fn an_accepted_token_is_served_without_a_lease() {
    for standing in [Standing::Active, Standing::Uncertain] {
        let mut protocol = Protocol::new(T0, &limits());
        assert_eq!(protocol.step(view(standing, false), T0, &limits()), Step::Done(Outcome::Serve));
    }
}

#[test]
fn a_dead_connection_is_refused_without_asking_salesforce() {
    for (standing, refusal) in
        [(Standing::ReauthRequired, Refusal::ReauthRequired), (Standing::Revoked, Refusal::Revoked)]
    {
        let mut protocol = Protocol::new(T0, &limits());
        let step = protocol.step(view(standing, true), T0, &limits());
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
    let step = protocol.step(view(Standing::Active, true), T0, &limits());
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(Reason::GrantEnded)));
}

#[test]
fn a_grant_that_was_replaced_meanwhile_is_served() {
    let mut protocol = refreshing(Standing::Active);
    assert_eq!(protocol.step(Event::Failed(Failure::Ended), T0, &limits()), Step::Look);
    let step = protocol.step(view(Standing::Active, false), T0, &limits());
    assert_eq!(step, Step::Settle(Settlement::Active));
    assert_eq!(protocol.step(Event::Settled, T0, &limits()), Step::Done(Outcome::Serve));
}

#[test]
fn an_uncertain_connection_tries_the_old_token_and_names_the_lost_answer() {
    let mut protocol = refreshing(Standing::Uncertain);
    assert_eq!(protocol.step(Event::Failed(Failure::Ended), T0, &limits()), Step::Look);
    let step = protocol.step(view(Standing::Uncertain, true), T0, &limits());
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(Reason::AnswerLost)));
}

#[test]
fn a_lease_that_was_never_given_back_means_doubt() {
    let mut protocol = Protocol::new(T0, &limits());
    let abandoned = View { standing: Standing::Active, lease_until: Some(T0), refused: true, stale: false };
    assert_eq!(protocol.step(Event::Looked(abandoned), later(1), &limits()), Step::Claim);
    assert_eq!(protocol.step(Event::Claimed(later(41)), later(1), &limits()), Step::Look);
    assert_eq!(protocol.step(view(Standing::Active, true), later(1), &limits()), Step::Refresh);
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
        match protocol.step(view(Standing::Active, true), now, &limits()) {
            Step::Refresh => refreshes += 1,
            other => break other,
        }
    };
    assert_eq!((end, refreshes), (Step::Settle(Settlement::Uncertain), 7));
}

#[test]
fn others_wait_for_the_holder_and_adopt_what_it_stored() {
    let mut protocol = Protocol::new(T0, &limits());
    let held = View { standing: Standing::Active, lease_until: Some(later(40)), refused: true, stale: false };
    assert_eq!(protocol.step(Event::Looked(held), T0, &limits()), Step::Wait(limits().pause));
    assert_eq!(protocol.step(Event::Waited, later(1), &limits()), Step::Look);
    let stored = View { refused: false, ..held };
    assert_eq!(protocol.step(Event::Looked(stored), later(1), &limits()), Step::Done(Outcome::Serve));
}

#[test]
fn tokens_that_were_replaced_already_are_never_sent_again() {
    let mut protocol = Protocol::new(T0, &limits());
    let stale = View { standing: Standing::Active, lease_until: None, refused: true, stale: true };
    assert_eq!(protocol.step(Event::Looked(stale), T0, &limits()), Step::Wait(limits().pause));
    assert_eq!(protocol.step(Event::Waited, later(1), &limits()), Step::Look);
    let step = protocol.step(Event::Looked(stale), later(8), &limits());
    assert_eq!(step, Step::Done(Outcome::Refuse(Refusal::Busy(limits().pause))));
}

#[test]
fn waiting_for_a_holder_ends_with_the_callers_patience() {
    let mut protocol = Protocol::new(T0, &limits());
    let held =
        Event::Looked(View { standing: Standing::Active, lease_until: Some(later(40)), refused: true, stale: false });
    let step = protocol.step(held, later(8), &limits());
    assert_eq!(step, Step::Done(Outcome::Refuse(Refusal::Busy(limits().pause))));
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
    let mut protocol = Protocol::new(T0, &limits());
    assert_eq!(protocol.step(view(Standing::Active, true), T0, &limits()), Step::Claim);
    assert_eq!(protocol.step(Event::Claimed(later(40)), T0, &limits()), Step::Look);
    assert_eq!(protocol.step(view(Standing::Uncertain, true), T0, &limits()), Step::Refresh);
    assert_eq!(protocol.step(Event::Failed(Failure::Ended), T0, &limits()), Step::Look);
    let step = protocol.step(view(Standing::Uncertain, true), T0, &limits());
    assert_eq!(step, Step::Settle(Settlement::ReauthRequired(Reason::AnswerLost)));
}
