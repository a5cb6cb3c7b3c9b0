//! The write of a note.

use salesforce::notes::{NOTE, NoteLink};
use salesforce::{Client, ObjectName, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, WriteOperation};

use crate::change::Existing;
use crate::config::{Action, Deps};
use crate::create::Creation;
use crate::request::{LinkRequest, NewNoteRequest, NoteChange};

/// The request, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteWrite {
    /// The operation.
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
    /// The deletion of the note.
    Delete(RecordId),
    /// A link of the note.
    Link(RecordId, LinkRequest),
    /// The removal of the note's link to a record.
    Unlink(RecordId, RecordId),
}

impl WriteOperation for NoteWrite {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        match self.operation {
            Operation::Create(_) => WriteKind::Note,
            Operation::Change(..) => WriteKind::NoteUpdate,
            Operation::Delete(_) => WriteKind::NoteDeletion,
            Operation::Link(..) => WriteKind::NoteLink,
            Operation::Unlink(..) => WriteKind::NoteLinkRemoval,
        }
    }

    fn object(&self) -> Option<&ObjectName> {
        None
    }

    /// A note cannot name its owner: the user who saves it owns it.
    fn names_owner(&self) -> bool {
        false
    }

    /// All but a creation concern one note. A new note is no record that another write can name.
    fn records(&self) -> Vec<RecordKey> {
        match self.operation {
            Operation::Create(_) => Vec::new(),
            Operation::Change(id, _) | Operation::Delete(id) | Operation::Link(id, _) | Operation::Unlink(id, _) => {
                vec![RecordKey::of_id(&NOTE, id)]
            }
        }
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let connection = &route.write_route.connection_id;
        let action = match self.operation {
            Operation::Create(_) => Action::Create,
            Operation::Change(..) => Action::Change,
            Operation::Delete(_) | Operation::Link(..) | Operation::Unlink(..) => Action::Other,
        };
        deps.require_notes(client, (write.org_id, connection), action).await?;
        let existing = |id| Existing { deps: &deps.ledger, client, connection, write, id };
        let outcome = match &self.operation {
            Operation::Create(request) => {
                let note_id = Creation::new(&deps.ledger, client, write, request).run().await?;
                json!({ "note_id": note_id, "links": request.links, "changes": request.content.changes() })
            }
            Operation::Change(id, change) => {
                existing(*id).change(change).await?;
                let changes = change.content.as_ref().map(|content| content.changes());
                json!({ "note_id": id, "changes": changes.unwrap_or_default() })
            }
            Operation::Delete(id) => {
                existing(*id).delete().await?;
                json!({ "note_id": id })
            }
            Operation::Link(id, link) => {
                let NoteLink { record, share_type } = link.link();
                existing(*id).link(link.link()).await?;
                json!({ "note_id": id, "record": record, "share_type": share_type })
            }
            Operation::Unlink(id, record) => {
                existing(*id).unlink(*record).await?;
                json!({ "note_id": id, "record": record })
            }
        };
        Ok(Attempted::Completed(outcome))
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        matches!(self.operation, Operation::Create(_)) && write.may_be_sent()
    }
}

#[cfg(test)]
mod tests;
