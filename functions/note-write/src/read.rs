//! Reads of notes, through the acting user's connection, or the team's without one.

use std::time::Duration;

use salesforce::notes::{ListedNote, NoteKind, NoteVersion, ShareType};
use salesforce::{Client, Note, NoteHtml, RecordId, Retry};
use serde::{Deserialize, Serialize};
use store::owner_policy::choose_reader;
use store::{ConnectionId, Org, PlatformUser};
use writes::{Deps, Error, require_active};

use crate::change::absent;

/// The pause before a note is read again that was not found and is there.
const SECOND_LOOK_PAUSE: Duration = Duration::from_secs(2);
/// The number of notes of each kind that the list of a record has.
const MAX_LISTED: u32 = 200;
/// The number of versions that the list of a note has.
const MAX_VERSIONS: u32 = 200;

/// The format of a note's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    #[default]
    Html,
    Text,
    Markdown,
}

/// A reader of an org.
pub(crate) struct Reader<'a> {
    deps: &'a Deps,
    org: salesforce::OrgId,
    connection: ConnectionId,
    client: Client,
}

impl<'a> Reader<'a> {
    /// Chooses the connection.
    pub(crate) async fn new(deps: &'a Deps, org: &Org, platform_user: Option<&PlatformUser>) -> Result<Self, Error> {
        require_active(org)?;
        let org = org.org_id;
        let connection = choose_reader(&deps.connections, org, platform_user).await?.map_err(Error::NoRoute)?;
        let client = deps.salesforce.client(org, &connection);
        Ok(Self { deps, org, connection, client })
    }

    /// Fetches a note, with the content of its latest version or of another one.
    pub(crate) async fn note(
        &self,
        id: RecordId,
        format: Format,
        version: Option<RecordId>,
    ) -> Result<NoteView, Error> {
        let note = self.fetch(id, version).await;
        self.deps.count_calls(self.org, &self.client).await;
        Ok(NoteView::new(note?, format))
    }

    async fn fetch(&self, id: RecordId, version: Option<RecordId>) -> Result<Note, Error> {
        let note = match self.client.fetch_note(&id).await {
            Ok(Some(note)) => note,
            Err(error) if !error.has_code("INVALID_TYPE") => return Err(error.into()),
            Ok(None) | Err(_) => return Err(self.absent(id).await?),
        };
        match version {
            None => Ok(note),
            Some(version) => {
                let html = self.client.fetch_note_version(&id, &version).await?;
                Ok(Note { html: html.ok_or(Error::NotFound("version"))?, ..note })
            }
        }
    }

    /// Lists the versions of a note, the latest first.
    pub(crate) async fn versions(&self, id: RecordId) -> Result<VersionsView, Error> {
        let versions = self.list_versions(id).await;
        self.deps.count_calls(self.org, &self.client).await;
        let mut versions = versions?;
        let more = versions.len() > usize::try_from(MAX_VERSIONS).unwrap_or(usize::MAX);
        versions.truncate(usize::try_from(MAX_VERSIONS).unwrap_or(usize::MAX));
        Ok(VersionsView { versions: versions.into_iter().map(VersionView::from).collect(), more })
    }

    async fn list_versions(&self, id: RecordId) -> Result<Vec<NoteVersion>, Error> {
        let versions = self.client.note_versions(&id, MAX_VERSIONS + 1).await;
        match versions {
            Ok(versions) if versions.is_empty() => Err(self.absent(id).await?),
            Err(error) if error.has_code("INVALID_TYPE") => Err(self.absent(id).await?),
            versions => Ok(versions?),
        }
    }

    /// Lists the notes of a record, the latest first.
    pub(crate) async fn notes(&self, record: RecordId) -> Result<NotesView, Error> {
        let listed = self.client.list_notes(&record, MAX_LISTED).await;
        self.deps.count_calls(self.org, &self.client).await;
        let (notes, more) = listed?;
        Ok(NotesView { notes: notes.into_iter().map(ListedView::from).collect(), more })
    }

    /// Returns the error of a note that was not found.
    async fn absent(&self, id: RecordId) -> Result<Error, Error> {
        match self.client.note_absence(&id).await? {
            Some(absence) => absent(self.deps, self.org, &self.connection, &id, absence).await,
            // It is there by now.
            None => Ok(Error::Salesforce(salesforce::Error::Unavailable {
                operation: "fetch the note",
                status: 404,
                code: None,
                retry: Retry::After(SECOND_LOOK_PAUSE),
            })),
        }
    }
}

/// The JSON view of a note. It has the content in the format of the request.
#[derive(Serialize)]
pub(crate) struct NoteView {
    note_id: RecordId,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<String>,
    links: Vec<RecordId>,
    last_modified: String,
}

impl NoteView {
    fn new(note: Note, format: Format) -> Self {
        let content = NoteHtml::from_html(&note.html).html;
        let is = |wanted| format == wanted;
        Self {
            note_id: note.id,
            title: note.title,
            html: is(Format::Html).then(|| content.as_str().to_owned()),
            text: is(Format::Text).then(|| content.to_text()),
            markdown: is(Format::Markdown).then(|| content.to_markdown()),
            links: note.links,
            last_modified: store::time::format(note.last_modified),
        }
    }
}

/// The JSON view of the notes of a record.
#[derive(Serialize)]
pub(crate) struct NotesView {
    notes: Vec<ListedView>,
    more: bool,
}

#[derive(Serialize)]
struct ListedView {
    kind: NoteKind,
    note_id: RecordId,
    title: String,
    preview: Option<String>,
    last_modified: Option<String>,
    owner_id: Option<RecordId>,
    owner_name: Option<String>,
    share_type: Option<ShareType>,
    version_id: Option<RecordId>,
}

impl From<ListedNote> for ListedView {
    fn from(note: ListedNote) -> Self {
        Self {
            kind: note.kind,
            note_id: note.id,
            title: note.title,
            preview: note.preview,
            last_modified: note.last_modified.map(store::time::format),
            owner_id: note.owner,
            owner_name: note.owner_name,
            share_type: note.share_type,
            version_id: note.version,
        }
    }
}

/// The JSON view of the versions of a note.
#[derive(Serialize)]
pub(crate) struct VersionsView {
    versions: Vec<VersionView>,
    more: bool,
}

#[derive(Serialize)]
struct VersionView {
    version_id: RecordId,
    number: Option<u32>,
    modified: Option<String>,
    modified_by_id: Option<RecordId>,
    modified_by_name: Option<String>,
    bytes: Option<u64>,
    is_latest: bool,
}

impl From<NoteVersion> for VersionView {
    fn from(version: NoteVersion) -> Self {
        Self {
            version_id: version.id,
            number: version.number,
            modified: version.modified.map(store::time::format),
            modified_by_id: version.by,
            modified_by_name: version.by_name,
            bytes: version.bytes,
            is_latest: version.is_latest,
        }
    }
}
