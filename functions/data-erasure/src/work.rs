//! Works on erasures: deletes page after page, stores the place, and queues the rest.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use runtime::sqs::{Batch, BatchReport};
use salesforce::{OrgId, RecordId};
use store::org_data::DeletedPage;
use store::{Connection, DeadLetter, DeadLetters, Erasure, ErasureState, ErasureTask, PageKey};

use crate::http::person;
use crate::steps::{Checkpoint, Decision, Step, decide};
use crate::{Deps, Error};

/// The time of an invocation in which no further page is begun.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);
/// The number of connections that are revoked at the same time.
const CONNECTIONS_AT_ONCE: usize = 10;
/// The number of writes that are changed at the same time.
const WRITES_AT_ONCE: usize = 16;
/// The number of dead letters of one queue that are looked at.
const MAX_LETTERS: usize = 2_000;
/// The time for which the dead letters of other orgs are hidden while a queue is looked through.
const HOLD: SignedDuration = SignedDuration::from_secs(60);

pub(crate) async fn handle(deps: &Deps, event: SqsEvent, deadline: Timestamp) -> BatchReport {
    let Batch { messages, unreadable } = Batch::<ErasureTask>::parse(event);
    let mut failed: Vec<String> = unreadable.into_iter().map(|message| message.id).collect();
    let now = deps.clock.now();
    let reserve = RESERVE.min(deadline.duration_since(now) / 4);
    let stop_at = deadline.saturating_sub(reserve).unwrap_or(now);
    let mut deleted = 0;
    for message in messages {
        let task = message.body;
        match Box::pin(go_on(deps, &task, stop_at, &mut deleted)).await {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(org.id = %task.org_id, error = %Chain(&error), "could not go on with an erasure");
                failed.push(message.id);
            }
        }
    }
    BatchReport { failed, counts: vec![("rows.deleted", deleted)], ..BatchReport::default() }
}

/// Goes on with an erasure until it is over, or the time is up. At least one page is deleted.
async fn go_on(deps: &Deps, task: &ErasureTask, stop_at: Timestamp, deleted: &mut u64) -> Result<(), Error> {
    let Some(mut erasure) = deps.erasures.load(task.org_id, task.erasure_id).await? else {
        return Err(Error::NotFound("erasure"));
    };
    loop {
        let org = deps.orgs.load(task.org_id).await?;
        match decide(&erasure, org.as_ref(), deps.clock.now()) {
            Decision::Nothing => return Ok(()),
            Decision::Wait(pause) => return Ok(deps.tasks.send(task, pause).await?),
            Decision::Stop => {
                erasure.state = ErasureState::Stopped;
                tracing::warn!(org.id = %task.org_id, "stopped an erasure: org {} was connected again", task.org_id);
                return save(deps, &mut erasure).await.map(drop);
            }
            Decision::GoOn => {}
        }
        let place = Checkpoint::of(&erasure);
        let page = delete_page(deps, &mut erasure, &place).await?;
        *deleted += page.deleted;
        let Some(next) = place.advance(erasure.of_record, page.next) else {
            return finish(deps, erasure).await;
        };
        erasure.checkpoint = serde_json::to_string(&next).ok();
        erasure.state = ErasureState::Running;
        if !save(deps, &mut erasure).await? {
            return Ok(());
        }
        if deps.clock.now() >= stop_at {
            return Ok(deps.tasks.send(task, Duration::ZERO).await?);
        }
    }
}

/// Stores the progress. Returns `false` if another worker has the erasure, and goes on with it.
async fn save(deps: &Deps, erasure: &mut Erasure) -> Result<bool, Error> {
    match deps.erasures.save(erasure, deps.clock.now()).await {
        Ok(()) => Ok(true),
        Err(store::Error::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Deletes one page of a step, and counts it in the erasure.
async fn delete_page(deps: &Deps, erasure: &mut Erasure, place: &Checkpoint) -> Result<DeletedPage, Error> {
    let (org, record, after) = (erasure.org_id, erasure.record_id, place.after.clone());
    let (what, page) = match place.step {
        Step::Table(table) => (table.name(), deps.data.delete_page(org, table, after).await?),
        Step::StagedFiles => ("staged_files", whole(delete_staged_files(deps, org).await?)),
        Step::Row => ("records", whole(erase_row(deps, org, record).await?)),
        Step::Ledger(ledger) => match record {
            Some(record) => (ledger.name(), deps.data.delete_record_page(org, record, ledger, after).await?),
            None => (ledger.name(), whole(0)),
        },
        Step::Writes => ("writes", erase_from_writes(deps, org, record, after).await?),
        Step::DeadLetters => ("dead_letters", whole(delete_letters(deps, org, record).await?)),
        Step::Connections => {
            let (deleted, left) = delete_connections(deps, org, erasure.requested_at).await?;
            erasure.connections_left = left;
            ("connections", whole(deleted))
        }
    };
    erasure.count(what, page.deleted);
    Ok(page)
}

/// Returns the result of a step that has one page.
fn whole(deleted: u64) -> DeletedPage {
    DeletedPage { deleted, next: None }
}

async fn finish(deps: &Deps, mut erasure: Erasure) -> Result<(), Error> {
    // With connections left, the next nightly schedule starts the erasure again.
    if !erasure.of_record && erasure.connections_left == 0 {
        deps.orgs.mark_erased(erasure.org_id, deps.clock.now()).await?;
    }
    erasure.state = ErasureState::Finished;
    erasure.checkpoint = None;
    erasure.record_id = None;
    if !save(deps, &mut erasure).await? {
        return Ok(());
    }
    let deleted = serde_json::to_string(&erasure.deleted).unwrap_or_default();
    tracing::info!(org.id = %erasure.org_id, erasure.id = %erasure.erasure_id, %deleted, "finished an erasure");
    Ok(())
}

async fn erase_row(deps: &Deps, org: OrgId, record: Option<RecordId>) -> Result<u64, Error> {
    let Some((id, object)) = record.and_then(|id| Some((id, person(id)?))) else { return Ok(0) };
    Ok(u64::from(deps.records.erase(org, &object, id).await?))
}

/// Removes the record from a page of the writes whose outcomes name it. Returns their number.
async fn erase_from_writes(
    deps: &Deps,
    org: OrgId,
    record: Option<RecordId>,
    after: Option<PageKey>,
) -> Result<DeletedPage, Error> {
    let Some(record) = record else { return Ok(whole(0)) };
    let (found, next) = deps.data.writes_of_record(org, record, after).await?;
    let erasures = found.into_iter().map(|write| deps.writes.erase_record(org, write, record));
    let erased: Vec<bool> = stream::iter(erasures).buffer_unordered(WRITES_AT_ONCE).try_collect().await?;
    Ok(DeletedPage { deleted: erased.into_iter().filter(|erased| *erased).count() as u64, next })
}

/// Revokes what is left of the org's grants, and deletes the rows of the connections whose tokens are deleted. A consent
/// that is newer than the request, or under way, is kept. Returns the numbers of deleted and of remaining connections.
async fn delete_connections(deps: &Deps, org: OrgId, requested_at: Timestamp) -> Result<(u64, u64), Error> {
    let connections = deps.connections.list(org).await?;
    let is_new = |connection: &Connection| connection.pending.is_some() || connection.connected_at > requested_at;
    let ends = connections.iter().map(|connection| async move {
        if is_new(connection) { Ok(false) } else { delete_connection(deps, connection).await }
    });
    let deleted: Vec<Result<bool, Error>> = stream::iter(ends).buffered(CONNECTIONS_AT_ONCE).collect().await;
    let deleted = deleted.into_iter().collect::<Result<Vec<_>, _>>()?;
    let count = |outcome| deleted.iter().filter(|deleted| **deleted == outcome).count() as u64;
    Ok((count(true), count(false)))
}

async fn delete_connection(deps: &Deps, connection: &Connection) -> Result<bool, Error> {
    let (org, id) = (connection.org_id, &connection.connection_id);
    if let Err(error) = deps.connection_manager.revoke(org, id).await {
        tracing::warn!(org.id = %org, error = %Chain(&error), "could not revoke a grant of org {org}; its connection is kept");
        return Ok(false);
    }
    Ok(deps.connections.delete_revoked(org, id).await?)
}

/// Deletes the contents of the org's files that were not written to Salesforce yet.
async fn delete_staged_files(deps: &Deps, org: OrgId) -> Result<u64, Error> {
    let mut deleted = 0;
    loop {
        let (count, has_more) = deps.staged_files.delete_page(org).await?;
        deleted += count;
        if !has_more {
            return Ok(deleted);
        }
    }
}

/// Deletes the dead letters that name the org, or the record of it. Letters that another reader holds are not found.
async fn delete_letters(deps: &Deps, org: OrgId, record: Option<RecordId>) -> Result<u64, Error> {
    let mut deleted = 0;
    for queue in &deps.dead_letters {
        deleted += delete_letters_of(queue, org, record).await?;
    }
    Ok(deleted)
}

async fn delete_letters_of(queue: &DeadLetters, org: OrgId, record: Option<RecordId>) -> Result<u64, Error> {
    let (mut seen, mut deleted) = (0, 0);
    while seen < MAX_LETTERS {
        let letters = queue.receive(LETTERS_AT_ONCE, HOLD).await?;
        let received = letters.len();
        let named: Vec<DeadLetter> = letters.into_iter().filter(|letter| names(&letter.body, org, record)).collect();
        queue.delete(&named).await?;
        seen += received;
        deleted += named.len() as u64;
        if received < LETTERS_AT_ONCE {
            break;
        }
    }
    Ok(deleted)
}

const LETTERS_AT_ONCE: usize = 10;

/// Returns whether a dead letter names the org, and the record if one is given. Both forms of an id begin with the same 15
/// characters.
fn names(body: &str, org: OrgId, record: Option<RecordId>) -> bool {
    let has = |id: &str| id.get(..15).is_some_and(|prefix| body.contains(prefix));
    has(org.as_str()) && record.is_none_or(|record| has(record.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_names_an_org_by_either_form_of_its_id() {
        let (org, other) = ("00D5e000000KQ2eEAG".parse().unwrap(), "00D79000000exLEEAY".parse().unwrap());
        let contact = Some("0035e00000ZkM3hAAF".parse().unwrap());
        let hint = r#"{"org_id":"00D5e000000KQ2eEAG","record":{"object":"Contact","record_id":"0035e00000ZkM3hAAF"}}"#;
        assert!(names(hint, org, None) && names(hint, org, contact));
        assert!(names(r#"{"organizationId":"00D5e000000KQ2e"}"#, org, None));
        assert!(!names(hint, other, None) && !names(hint, other, contact));
        assert!(!names(hint, org, Some("0035e00000ZkM3iAAF".parse().unwrap())));
    }
}
