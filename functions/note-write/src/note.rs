//! The write of a note: carries out the steps of [`writes::creation`].

use jiff::{SignedDuration, Timestamp};
use salesforce::notes::FoundNote;
use salesforce::{Client, NewNote, NoteHtml, NoteUpdate, ObjectName, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteId, WriteKind};
use writes::creation::{self, Step};
use writes::{Attempted, Deps, Error, WriteOperation};

use crate::matching::{self, Candidate, is_same};
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

    async fn execute(&self, deps: &Deps, client: &Client, _: &Route, write: &Write) -> Result<Attempted, Error> {
        match &self.operation {
            Operation::Create(request) => {
                let note = new_note(request, write.write_id);
                let note_id = Creation { deps, client, write, note: &note }.run().await?;
                Ok(Attempted::Completed(json!({ "note_id": note_id, "links": request.links })))
            }
            Operation::Change(id, change) => {
                change_note(client, id, change).await?;
                Ok(Attempted::Completed(json!({ "note_id": id })))
            }
        }
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        write.may_be_sent()
    }
}

/// Changes a note. That it does not exist is final only if a second request confirms it.
async fn change_note(client: &Client, id: &RecordId, change: &NoteChange) -> Result<(), Error> {
    match client.update_note(id, &note_update(change)).await {
        Err(error) if error.is_deleted() || error.is_not_found() => match client.fetch_note(id).await? {
            Some(_) => Err(error.contradicted().into()),
            None => Err(Error::NotFound("note")),
        },
        changed => Ok(changed?),
    }
}

/// One attempt to create a note.
struct Creation<'a> {
    deps: &'a Deps,
    client: &'a Client,
    write: &'a Write,
    note: &'a NewNote,
}

impl Creation<'_> {
    /// Carries out the steps of the state machine until it ends.
    async fn run(&self) -> Result<RecordId, Error> {
        let mut step = creation::begin(self.write.may_be_sent());
        loop {
            step = match step {
                Step::LookForEarlier => {
                    let searched_at = self.deps.clock.now();
                    let settled_at = creation::no_effect_from(self.sent_at().await?);
                    creation::after_looking_for_earlier(self.search().await, searched_at, settled_at)
                }
                Step::Create => {
                    self.mark_sent(Some(self.deps.clock.now())).await?;
                    creation::after_creating(self.client.create_note(self.note).await)
                }
                Step::LookForLost(lost) => creation::after_looking_for_lost(lost, self.search().await),
                Step::Done(id) => return Ok(id),
                Step::Wait(pause) => return Err(Error::MayTakeEffect { pause }),
                Step::NotSent(error) => {
                    self.mark_sent(None).await?;
                    return Err(Error::Salesforce(error));
                }
                Step::Defer(error) => return Err(Error::OutcomeUnknown(error)),
                Step::Refuse(error) => return Err(Error::Salesforce(error)),
            };
        }
    }

    /// Returns the last time at which an attempt began to create the note. A write that version 0.1.0 stored does not have it:
    /// then it is now.
    async fn sent_at(&self) -> Result<Timestamp, Error> {
        let now = self.deps.clock.now();
        if self.write.sent_at.is_none() {
            self.mark_sent(Some(now)).await?;
        }
        Ok(self.write.sent_at.unwrap_or(now))
    }

    async fn mark_sent(&self, sent_at: Option<Timestamp>) -> Result<(), Error> {
        Ok(self.deps.writes.mark_sent(self.write, sent_at).await.map(drop)?)
    }

    /// Searches for the note that an earlier request may have created.
    async fn search(&self) -> Result<Option<RecordId>, salesforce::Error> {
        let Some(record) = self.note.links.first() else { return Ok(None) };
        let since = self.write.created_at - CLOCK_SKEW;
        let found = self.client.find_notes(record, since).await?;
        let own = matching::mark(self.write.write_id);
        if let Some(note) = found.iter().find(|note| matching::by_mark(&note.marks, &own) == Candidate::Own) {
            return Ok(Some(note.id));
        }
        let is_candidate = |note: &&FoundNote| {
            matching::by_mark(&note.marks, &own) == Candidate::Unmarked && note.title == self.note.title
        };
        for note in found.iter().filter(is_candidate) {
            if self.client.fetch_note(&note.id).await?.is_some_and(|found| is_same(&found, self.note)) {
                return Ok(Some(note.id));
            }
        }
        Ok(None)
    }
}

fn new_note(request: &NewNoteRequest, write: WriteId) -> NewNote {
    NewNote {
        title: request.title.clone(),
        html: html(&request.content),
        links: request.links.clone(),
        mark: Some(matching::mark(write)),
    }
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
