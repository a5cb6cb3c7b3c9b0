use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use store::owner_policy::{OwnerChoice, OwnerReason};
use store::{
    BeginOutcome, ConnectionId, Deferrals, Error, ListedState, NewWrite, Obstacle, QueuedState, WaitingFor, Write,
    WriteFilter, WriteId, WriteKind, WriteRoute, WriteState, WriteTask, Writes,
};

use crate::harness::{at, org, run, tables};

async fn writes() -> Writes {
    let (client, tables) = tables().await;
    Writes::new(client, tables.name("writes"))
}

const CLAIM_TTL: SignedDuration = SignedDuration::from_secs(30);

fn request(seconds: i64) -> NewWrite {
    NewWrite {
        org_id: org(),
        idempotency_key: "key-1".parse().unwrap(),
        kind: WriteKind::Records,
        object: Some("Account".parse().unwrap()),
        platform_user: Some("rep".parse().unwrap()),
        request: json!({"records": [{"Name": "Acme"}]}),
        retry_of: None,
        now: at(seconds),
        claim_ttl: CLAIM_TTL,
    }
}

fn task(write: &Write) -> WriteTask {
    WriteTask { org_id: write.org_id, write_id: write.write_id, deferrals: 1, postponed_since: None }
}

/// Queues the write as after one failed attempt.
async fn queue(writes: &Writes, write: &Write, request: &serde_json::Value, seconds: i64) -> Result<Write, Error> {
    let obstacle =
        Obstacle { waiting_for: WaitingFor::Salesforce, reason: None, next: None, waits_for: vec![write.write_id] };
    let deferrals = Deferrals { count: 1, since: Some(at(seconds)), ..Deferrals::default() };
    let queued =
        QueuedState { request, deferrals, obstacle: &obstacle, next_attempt_at: at(seconds + 15), outcome: None };
    writes.queue(write, &queued, at(seconds)).await
}

async fn begin(writes: &Writes, seconds: i64) -> Write {
    match writes.begin(&request(seconds)).await.unwrap() {
        BeginOutcome::Started(write) => write,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_of_sixteen_requests_owns_the_write() {
    run(async {
        let writes = writes().await;

        let requests: Vec<_> = (0..16).map(|_| request(0)).collect();
        let begins = join_all(requests.iter().map(|request| writes.begin(request))).await;

        let owners = begins.iter().filter(|begin| matches!(begin, Ok(BeginOutcome::Started(_)))).count();
        let waiting = begins.iter().filter(|begin| matches!(begin, Ok(BeginOutcome::InProgress(_)))).count();
        assert_eq!((owners, waiting), (1, 15));
    });
}

#[test]
fn every_later_caller_gets_the_first_response() {
    run(async {
        let writes = writes().await;
        let write = begin(&writes, 0).await;
        let route = WriteRoute {
            connection_id: ConnectionId::team(),
            owner_choice: OwnerChoice::Team,
            owner_reason: OwnerReason::NoActingUser,
        };
        let response = json!({"records": [{"id": "0015e00000ZkM3hAAF", "success": true}]});

        let finished = writes.finish(&write, Some(&route), &response, at(2)).await.unwrap();

        let BeginOutcome::Replay(replay) = writes.begin(&request(99)).await.unwrap() else { panic!("no replay") };
        assert_eq!((&replay, &replay.response, &replay.route), (&finished, &Some(response), &Some(route)));
        assert_eq!(writes.load(org(), write.write_id).await.unwrap(), Some(finished));
    });
}

#[test]
fn a_key_reused_for_another_request_is_refused() {
    run(async {
        let writes = writes().await;
        begin(&writes, 0).await;
        let other = NewWrite { request: json!({"records": []}), ..request(1) };
        let refused = writes.begin(&other).await;
        assert!(matches!(refused, Err(Error::IdempotencyKeyReused)), "{refused:?}");
    });
}

#[test]
fn one_caller_takes_over_an_expired_write() {
    run(async {
        let writes = writes().await;
        let expired = begin(&writes, 0).await;

        let requests: Vec<_> = (0..8).map(|_| request(30)).collect();
        let begins = join_all(requests.iter().map(|request| writes.begin(request))).await;

        let new = |begin: Result<BeginOutcome, Error>| match begin.unwrap() {
            BeginOutcome::Started(write) => Some(write),
            _ => None,
        };
        let owners: Vec<_> = begins.into_iter().filter_map(new).collect();
        let [second] = owners.as_slice() else { panic!("{owners:?}") };
        assert_eq!(second.attempt, 2);
        let late = writes.finish(&expired, None, &json!({}), at(31)).await;
        assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
        writes.finish(second, None, &json!({"done": true}), at(32)).await.unwrap();
    });
}

#[test]
fn a_queued_write_keeps_its_request_until_it_is_finished() {
    run(async {
        let writes = writes().await;
        let write = begin(&writes, 0).await;
        queue(&writes, &write, &request(0).request, 1).await.unwrap();
        let BeginOutcome::Replay(queued) = writes.begin(&request(2)).await.unwrap() else { panic!("no replay") };
        assert_eq!((queued.state, queued.request), (WriteState::Queued, Some(request(0).request)));
        assert_eq!((queued.queued_at, queued.next_attempt_at), (Some(at(1)), Some(at(16))));
        assert_eq!(queued.deferrals, Deferrals { count: 1, since: Some(at(1)), ..Deferrals::default() });
        assert_eq!(queued.obstacle.unwrap().waits_for, [write.write_id]);
        let superseded = WriteTask { deferrals: 0, ..task(&write) };
        let replay = writes.resume(&superseded, at(2), CLAIM_TTL).await.unwrap();
        assert!(matches!(replay, BeginOutcome::Replay(_)), "{replay:?}");

        let BeginOutcome::Started(owners) = writes.resume(&task(&write), at(3), CLAIM_TTL).await.unwrap() else {
            panic!()
        };
        let twice = writes.resume(&task(&write), at(4), CLAIM_TTL).await.unwrap();
        assert!(matches!(twice, BeginOutcome::InProgress(_)), "{twice:?}");
        let finished = writes.finish(&owners, None, &json!({"done": true}), at(5)).await.unwrap();

        assert_eq!((finished.state, &finished.request), (WriteState::Finished, &None));
        let again = writes.resume(&task(&write), at(6), CLAIM_TTL).await.unwrap();
        assert_eq!(again, BeginOutcome::Replay(finished));
    });
}

#[test]
fn only_an_abandoned_key_can_be_used_again() {
    run(async {
        let writes = writes().await;
        let write = begin(&writes, 0).await;
        assert!(writes.abandon(&write, at(1)).await.unwrap());
        let second = begin(&writes, 1).await;
        let finished = writes.finish(&second, None, &json!({}), at(2)).await.unwrap();

        assert!(!writes.abandon(&second, at(3)).await.unwrap());

        assert_eq!(writes.load(org(), write.write_id).await.unwrap(), Some(finished));
    });
}

#[test]
fn a_write_that_may_take_effect_late_is_not_abandoned() {
    run(async {
        let writes = writes().await;
        let write = begin(&writes, 0).await;
        let marked = writes.mark_unsettled(&write).await.unwrap();
        // 11 minutes after the deadline of the attempt.
        assert_eq!(marked.unsettled_until, Some(at(30 + 11 * 60)));

        assert!(!writes.abandon(&write, at(1)).await.unwrap());

        assert_eq!(writes.load(org(), write.write_id).await.unwrap(), Some(marked));
        assert!(writes.abandon(&write, at(30 + 11 * 60)).await.unwrap());
    });
}

#[test]
fn only_a_killed_attempt_leaves_an_unsettled_request() {
    run(async {
        let writes = writes().await;
        let write = begin(&writes, 0).await;
        queue(&writes, &write, &request(0).request, 1).await.unwrap();
        let resume = async |seconds| match writes.resume(&task(&write), at(seconds), CLAIM_TTL).await.unwrap() {
            BeginOutcome::Started(write) => write,
            other => panic!("{other:?}"),
        };
        let second = resume(3).await;
        assert_eq!(second.unsettled_until, None, "the first attempt was recorded");

        let third = resume(33).await;

        assert_eq!(third.unsettled_until, Some(at(33 + 11 * 60)), "the second one was not");
        let finished = writes.finish(&third, None, &json!({}), at(34)).await.unwrap();
        assert_eq!(finished.unsettled_until, third.unsettled_until);
    });
}

#[test]
fn an_oversized_request_is_refused_before_it_is_sent() {
    run(async {
        let writes = writes().await;
        let write = begin(&writes, 0).await;
        let refused = queue(&writes, &write, &json!("x".repeat(400 * 1024)), 1).await;
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
        let other = store::WriteId::derive(org(), &"other".parse().unwrap());
        let unknown = writes.resume(&WriteTask { write_id: other, ..task(&write) }, at(1), CLAIM_TTL).await;
        assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
    });
}

/// Begins and ends a write of the given key, and returns it.
async fn ended(writes: &Writes, key: &str, seconds: i64, response: serde_json::Value) -> Write {
    let new = NewWrite { idempotency_key: key.parse().unwrap(), ..request(seconds) };
    let BeginOutcome::Started(write) = writes.begin(&new).await.unwrap() else { panic!("begun") };
    writes.finish(&write, None, &response, at(seconds + 1)).await.unwrap()
}

#[test]
fn a_page_that_ends_early_leads_to_every_write() {
    run(async {
        let writes = writes().await;
        let failed = json!({ "records": [{ "success": false }] });
        for n in 0..7 {
            // Two at a time.
            let response = if n % 3 == 0 { failed.clone() } else { json!({ "records": [{ "success": true }] }) };
            ended(&writes, &format!("key-{n}"), n / 2, response).await;
        }
        let filter = WriteFilter { states: vec![ListedState::WithFailures], ..WriteFilter::default() };
        for (filter, count) in [(filter, 3), (WriteFilter::default(), 7)] {
            let all = writes.list(org(), &filter, None, 100).await.unwrap();
            assert_eq!((all.writes.len(), all.next), (count, None));
            let times: Vec<_> = all.writes.iter().map(|write| write.created_at).collect();
            assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
            let (mut read, mut after) = (Vec::new(), None);
            loop {
                let page = writes.list(org(), &filter, after, 1).await.unwrap();
                read.extend(page.writes);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(read, all.writes);
        }
        let since = WriteFilter { since: Some(at(3)), ..WriteFilter::default() };
        assert_eq!(writes.list(org(), &since, None, 100).await.unwrap().writes.len(), 1);
    });
}

#[test]
fn a_write_is_made_again_by_one_other() {
    run(async {
        let writes = writes().await;
        let begun = begin(&writes, 0).await;
        let request = json!({ "records": [1] });
        let failed = Write { retry_request: Some(request.clone()), ..begun };
        writes.fail(&failed, &json!({ "problem": {} }), at(1)).await.unwrap();
        let stored = async || writes.load(org(), failed.write_id).await.unwrap().unwrap();
        assert_eq!(stored().await.retry_request, Some(request));
        let [one, two] = ["one", "two"].map(|key| WriteId::derive(org(), &key.parse().unwrap()));

        let write = stored().await;
        let marks = join_all([one, two].map(|by| writes.mark_retried(&write, by, at(2)))).await;
        assert_eq!(marks.iter().filter(|mark| mark.is_ok()).count(), 1, "{marks:?}");

        let write = stored().await;
        let by = write.retried.unwrap().by;
        let other = if by == one { two } else { one };
        writes.mark_retried(&write, by, at(3)).await.unwrap();
        assert!(writes.mark_retried(&write, other, at(61)).await.is_err(), "the first may be about to be stored");
        writes.mark_retried(&write, other, at(62)).await.unwrap();
        assert_eq!(stored().await.retried.unwrap().by, other, "the first was never stored");
    });
}

#[test]
fn a_request_that_does_not_fit_beside_its_outcome_is_not_kept() {
    run(async {
        let writes = writes().await;
        let long = "x".repeat(200 * 1024);
        let write = Write { retry_request: Some(json!([long])), ..begin(&writes, 0).await };
        let ended = writes.finish(&write, None, &json!({ "records": [], "note": long }), at(1)).await.unwrap();
        assert_eq!((ended.state, ended.retry_request), (WriteState::Finished, None));
    });
}
