//! Operations on a note that exists. Each is safe to repeat. That the note does not exist is final only if other requests confirm
//! it.

use salesforce::notes::{Absence, NoteLink};
use salesforce::{Client, NoteUpdate, ObjectName, RecordId};
use store::owner_policy::choose_reader;
use store::{ConnectionId, Write};
use writes::{Deps, Error, NoteError};

use crate::request::NoteChange;

const DOCUMENT: ObjectName = ObjectName::from_static("ContentDocument");

/// A note that exists, and the connection through which it is used.
pub(crate) struct Existing<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) client: &'a Client,
    pub(crate) connection: &'a ConnectionId,
    pub(crate) write: &'a Write,
    pub(crate) id: RecordId,
}

impl Existing<'_> {
    /// Changes its title or content.
    pub(crate) async fn change(&self, change: &NoteChange) -> Result<(), Error> {
        let html = change.content.as_ref().map(|content| content.map().html);
        let update = NoteUpdate { title: change.title.clone(), html };
        match self.client.update_note(&self.id, &update).await {
            Err(error) if error.is_deleted() || error.is_not_found() => Err(self.confirmed(error).await?),
            changed => Ok(changed?),
        }
    }

    /// Deletes it. A note that was deleted already is deleted.
    pub(crate) async fn delete(&self) -> Result<(), Error> {
        match self.client.delete_note(&self.id).await {
            Err(error) if error.is_deleted() || error.is_not_found() => match self.confirmed(error).await? {
                Error::Note(NoteError::Deleted) => Ok(()),
                // An earlier request of this write may have deleted it, and the recycle bin does not show it.
                Error::NotFound(_) if self.write.attempt > 1 || self.client.has_lost_write() => Ok(()),
                error => Err(error),
            },
            deleted => Ok(deleted?),
        }
    }

    /// Links it to a record, or changes the share type of the link.
    pub(crate) async fn link(&self, link: NoteLink) -> Result<(), Error> {
        let found = self.client.note_links(&self.id, Some(&link.record)).await?;
        match found.first() {
            Some((_, existing)) if existing.share_type == link.share_type => Ok(()),
            Some((id, _)) => match self.client.change_note_link(id, link.share_type).await {
                Err(error) if error.is_deleted() || error.is_not_found() => Err(error.contradicted().into()),
                changed => changed.map_err(|error| refused(link.record, error)),
            },
            None => match self.client.add_note_links(&self.id, &[link]).await {
                Err(failed) => match (failed.link, self.absence().await?) {
                    (Some(_), Some(absent)) => Err(absent),
                    (Some(record), None) => Err(refused(record, failed.error)),
                    (None, _) => Err(failed.error.into()),
                },
                Ok(()) => Ok(()),
            },
        }
    }

    /// Removes its link to a record. A link that does not exist is removed.
    pub(crate) async fn unlink(&self, record: RecordId) -> Result<(), Error> {
        let found = self.client.note_links(&self.id, Some(&record)).await?;
        let Some((link, _)) = found.first() else {
            return self.absence().await?.map_or(Ok(()), Err);
        };
        match self.client.remove_note_link(link).await {
            Err(error) if error.is_deleted() || error.is_not_found() => {
                let is_removed = self.client.note_links(&self.id, Some(&record)).await?.is_empty();
                if is_removed { Ok(()) } else { Err(error.contradicted().into()) }
            }
            removed => removed.map_err(|error| refused(record, error)),
        }
    }

    /// Returns the confirmed reason of a refusal that says that the note does not exist.
    async fn confirmed(&self, error: salesforce::Error) -> Result<Error, Error> {
        Ok(self.absence().await?.unwrap_or_else(|| error.contradicted().into()))
    }

    async fn absence(&self) -> Result<Option<Error>, Error> {
        let absence = self.client.note_absence(&self.id).await?;
        Ok(match absence {
            Some(absence) => Some(absent(self.deps, self.write.org_id, self.connection, &self.id, absence).await?),
            None => None,
        })
    }
}

fn refused(record: RecordId, error: salesforce::Error) -> Error {
    match error {
        error @ salesforce::Error::Rejected { .. } => NoteError::Link { record, error }.into(),
        error => error.into(),
    }
}

/// Returns the error of a note that this connection's user does not find. If it is a rep's, the team's connection may show that
/// the note exists, and is not shared with the rep.
pub(crate) async fn absent(
    deps: &Deps,
    org: salesforce::OrgId,
    connection: &ConnectionId,
    id: &RecordId,
    absence: Absence,
) -> Result<Error, Error> {
    match absence {
        Absence::NotesDisabled => return Ok(NoteError::Disabled.into()),
        Absence::Deleted => return Ok(NoteError::Deleted.into()),
        Absence::NotVisible if connection.is_team() => return Ok(Error::NotFound("note")),
        Absence::NotVisible => {}
    }
    let Ok(team) = choose_reader(&deps.connections, org, None).await? else {
        return Ok(Error::NotFound("note"));
    };
    let client = deps.salesforce.client(org, &team);
    let exists = client.record_exists(&DOCUMENT, id).await;
    deps.count_calls(org, &client).await;
    // What the team cannot say is no failure of the request.
    Ok(if exists.unwrap_or_default() { NoteError::NotShared.into() } else { Error::NotFound("note") })
}
