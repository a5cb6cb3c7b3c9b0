//! The write of a note: carries out the steps of [`crate::creation`].

use jiff::{SignedDuration, Timestamp};
use salesforce::{Client, NewNote, NoteHtml, NoteUpdate, ObjectName, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Deps, Error, WriteOperation};

use crate::creation::{self, Step};
use crate::matching::is_same;
use crate::request::{Content, NewNoteRequest, NoteChange};

/// The maximum by which Salesforce's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// The object of enhanced notes.
const NOTE: ObjectName = ObjectName::from_static("ContentNote");

/// The request, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteWrite {
    /// The creation or the change.
    pub operation: Operation,
}

/// The operation on a note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A new note.
    Create(NewNoteRequest),
    /// A change to the note with this id.
    Change(RecordId, NoteChange),
}

impl WriteOperation for NoteWrite {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        match self.operation {
            Operation::Create(_) => WriteKind::Note,
            Operation::Change(..) => WriteKind::NoteUpdate,
        }
    }

    fn object(&self) -> Option<&ObjectName> {
        None
    }

    /// A note cannot name its owner: the user who saves it owns it.
    fn names_owner(&self) -> bool {
        false
    }

    /// A change is made to one note. A new note is no record that another write can name.
    fn records(&self) -> Vec<RecordKey> {
        match self.operation {
            Operation::Create(_) => Vec::new(),
            Operation::Change(id, _) => vec![RecordKey::of_id(&NOTE, id)],
        }
    }

    async fn execute(&self, _: &Deps, client: &Client, _: &Route, write: &Write) -> Result<Attempted, Error> {
        let outcome = match &self.operation {
            Operation::Create(request) => {
                let note_id = create(client, write, &new_note(request)).await?;
                json!({ "note_id": note_id, "links": request.links })
            }
            Operation::Change(id, change) => {
                client.update_note(id, &note_update(change)).await?;
                json!({ "note_id": id })
            }
        };
        Ok(Attempted::Completed(outcome))
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        has_earlier(write)
    }
}

/// Carries out the steps of the state machine until it ends.
async fn create(client: &Client, write: &Write, note: &NewNote) -> Result<RecordId, Error> {
    let since = write.created_at - CLOCK_SKEW;
    let mut step = creation::begin(has_earlier(write));
    loop {
        step = match step {
            Step::LookForEarlier => creation::after_looking_for_earlier(search(client, note, since).await),
            Step::Create => creation::after_creating(client.create_note(note).await),
            Step::LookForLost(lost) => creation::after_looking_for_lost(lost, search(client, note, since).await),
            Step::Done(id) => return Ok(id),
            Step::Defer(error) => return Err(Error::OutcomeUnknown(error)),
            Step::Refuse(error) => return Err(Error::Salesforce(error)),
        };
    }
}

/// Returns whether an earlier attempt may have created a note.
fn has_earlier(write: &Write) -> bool {
    write.attempt > 1
}

/// Searches for the note that an earlier attempt, not older than `since`, may have created.
async fn search(client: &Client, note: &NewNote, since: Timestamp) -> Result<Option<RecordId>, salesforce::Error> {
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
        Content::Html(html) => NoteHtml::sanitized(html),
    }
}
