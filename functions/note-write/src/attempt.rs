//! One attempt at a write: choose the connection, then do what [`crate::creation`] says.

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use salesforce::{Client, NewNote, NoteHtml, NoteUpdate, OrgId, RecordId};
use serde::{Deserialize, Serialize};
use store::budgets::Observation;
use store::owner_policy::{Route, choose};
use store::writes::WriteRoute;
use store::{Lane, OrgState, PlatformUser, Write};

use crate::creation::{self, Step};
use crate::matching::is_same;
use crate::request::{Content, NewNoteRequest, NoteChange};
use crate::{Deps, Error};

/// How far Salesforce's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// Everything that was asked for, as the ledger and the queue keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// On whose behalf.
    pub(crate) platform_user: Option<PlatformUser>,
    /// What.
    pub(crate) operation: Operation,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// A new note.
    Create(NewNoteRequest),
    /// A change to the note with this id.
    Change(RecordId, NoteChange),
}

/// The note that was written, and who wrote it.
pub(crate) struct Done {
    pub(crate) way: WriteRoute,
    pub(crate) note_id: RecordId,
}

/// Carries the write out, once. When the rep's session turns out to be dead, the owner policy is asked again: the token
/// broker has marked the connection by then.
pub(crate) async fn attempt(deps: &Deps, write: &Write, asked: &Asked) -> Result<Done, Error> {
    let first = find_route(deps, write.org_id, asked).await?;
    match write_through(deps, &first, write, asked).await {
        Err(error) if error.blames_the_connection() => {
            let second = find_route(deps, write.org_id, asked).await?;
            if second == first { Err(error) } else { write_through(deps, &second, write, asked).await }
        }
        outcome => outcome,
    }
}

/// Refuses orgs that are unknown or not active.
pub(crate) async fn require_active(deps: &Deps, org: OrgId) -> Result<(), Error> {
    match deps.orgs.load(org).await?.map(|org| org.state) {
        Some(OrgState::Active) => Ok(()),
        Some(state) => Err(Error::OrgNotActive(state)),
        None => Err(Error::UnknownOrg),
    }
}

/// Feeds the org's budget. A count that is lost does not undo a write.
pub(crate) async fn count(deps: &Deps, org: OrgId, client: &Client) {
    let Some(usage) = client.api_usage() else { return };
    let seen = Observation { used: usage.used, max: usage.max, lane: Lane::Interactive, calls: 1 };
    if let Err(error) = deps.budgets.observe(org, seen, deps.clock.now()).await {
        tracing::warn!(org.id = %org, error = %Chain(&error), "the org's budget was not updated");
    }
}

async fn find_route(deps: &Deps, org: OrgId, asked: &Asked) -> Result<Route, Error> {
    let user = asked.platform_user.as_ref();
    choose(deps.owner_policy, &deps.connections, org, user).await?.map_err(Error::NoRoute)
}

async fn write_through(deps: &Deps, route: &Route, write: &Write, asked: &Asked) -> Result<Done, Error> {
    let client = deps.salesforce.client(write.org_id, &route.way.connection_id);
    let note_id = match &asked.operation {
        Operation::Create(request) => create(&client, write, &new_note(request)).await,
        Operation::Change(id, change) => {
            client.update_note(id, &note_update(change)).await.map(|()| *id).map_err(Error::Salesforce)
        }
    };
    count(deps, write.org_id, &client).await;
    Ok(Done { way: route.way.clone(), note_id: note_id? })
}

/// Does what the state machine says until it has an answer.
async fn create(client: &Client, write: &Write, note: &NewNote) -> Result<RecordId, Error> {
    let since = write.created_at - CLOCK_SKEW;
    let mut step = creation::begin(has_earlier(write));
    loop {
        step = match step {
            Step::LookForEarlier => creation::after_looking_for_earlier(look(client, note, since).await),
            Step::Create => creation::after_creating(client.create_note(note).await),
            Step::LookForLost(lost) => creation::after_looking_for_lost(lost, look(client, note, since).await),
            Step::Done(id) => return Ok(id),
            Step::Later(error) => return Err(Error::Unfinished(error)),
            Step::Refuse(error) => return Err(Error::Salesforce(error)),
        };
    }
}

/// Whether an attempt before this one may have left a note.
pub(crate) fn has_earlier(write: &Write) -> bool {
    write.attempt > 1
}

async fn look(client: &Client, note: &NewNote, since: Timestamp) -> Result<Option<RecordId>, salesforce::Error> {
    let Some(record) = note.links.first() else { return Ok(None) };
    for found in client.find_notes(record, &note.title, since).await? {
        if client.fetch_note(&found.id).await?.is_some_and(|found| is_same(&found, note)) {
            return Ok(Some(found.id));
        }
    }
    Ok(None)
}

fn new_note(request: &NewNoteRequest) -> NewNote {
    NewNote { title: request.title.clone(), html: html(&request.content), links: request.links.clone() }
}

fn note_update(change: &NoteChange) -> NoteUpdate {
    NoteUpdate { title: change.title.clone(), html: change.content.as_ref().map(html) }
}

fn html(content: &Content) -> NoteHtml {
    match content {
        Content::Text(text) => NoteHtml::from_text(text),
        Content::Html(html) => NoteHtml::sanitised(html),
    }
}
