//! Reads a note.

use salesforce::{Note, RecordId};
use serde::Serialize;
use store::owner_policy::choose_reader;
use store::{Org, PlatformUser};
use writes::{Deps, Error, require_active};

/// Fetches a note through the acting user's connection, or the team's without one.
pub(crate) async fn read(
    deps: &Deps,
    org: &Org,
    id: RecordId,
    platform_user: Option<&PlatformUser>,
) -> Result<NoteView, Error> {
    require_active(org)?;
    let org = org.org_id;
    let reader = choose_reader(&deps.connections, org, platform_user).await?.map_err(Error::NoRoute)?;
    let client = deps.salesforce.client(org, &reader);
    let note = client.fetch_note(&id).await;
    deps.count_calls(org, &client).await;
    note?.map(NoteView::from).ok_or(Error::NotFound("note"))
}

/// The JSON view of a note.
#[derive(Serialize)]
pub(crate) struct NoteView {
    note_id: RecordId,
    title: String,
    html: String,
    links: Vec<RecordId>,
    last_modified: String,
}

impl From<Note> for NoteView {
    fn from(note: Note) -> Self {
        Self {
            note_id: note.id,
            title: note.title,
            html: note.html,
            links: note.links,
            last_modified: store::time::format(note.last_modified),
        }
    }
}
