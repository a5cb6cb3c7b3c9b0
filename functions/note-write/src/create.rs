//! The creation of a note: carries out the steps of [`writes::creation`], and makes the links that do not fit into one request.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::notes::{FoundNote, NoteError, NoteLink};
use salesforce::{Classify, Client, NewNote, RecordId, Retry};
use store::Write;
use writes::{Deps, Error};

use crate::matching::{self, Candidate, is_same};
use crate::request::NewNoteRequest;
use writes::creation::{self, Step};

/// The maximum by which Salesforce's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// The pause before a note that lacks links is looked for again, if the failure does not say.
const LINKS_PAUSE: Duration = Duration::from_secs(30);

/// One attempt to create a note with all its links.
pub(crate) struct Creation<'a> {
    deps: &'a Deps,
    client: &'a Client,
    write: &'a Write,
    note: NewNote,
}

impl<'a> Creation<'a> {
    pub(crate) fn new(deps: &'a Deps, client: &'a Client, write: &'a Write, request: &NewNoteRequest) -> Self {
        let note = NewNote {
            title: request.title.clone(),
            html: request.content.map().html,
            links: request.links.iter().map(|link| link.link()).collect(),
            mark: Some(matching::mark(write.write_id)),
        };
        Self { deps, client, write, note }
    }

    /// Creates the note with its first links in one request, or finds it, and makes the links that are missing.
    pub(crate) async fn run(&self) -> Result<RecordId, Error> {
        let id = self.create_or_find().await?;
        let missing = self.missing_links(&id).await.map_err(|error| incomplete(&error))?;
        match self.client.add_note_links(&id, &missing).await {
            Ok(()) => Ok(id),
            Err(refused) if is_final(&refused) => Err(self.undo(&id, refused).await),
            Err(failed) => Err(incomplete(&failed.error)),
        }
    }

    /// Returns the links that the note does not have. Costs a call if an earlier request may have made some.
    async fn missing_links(&self, id: &RecordId) -> Result<Vec<NoteLink>, salesforce::Error> {
        let first = self.note.first_links().len();
        let others = self.note.links.iter().skip(first);
        if others.len() == 0 {
            return Ok(Vec::new());
        }
        let existing = if self.write.may_be_sent() || self.client.has_lost_write() {
            self.client.note_links(id, None).await?
        } else {
            Vec::new()
        };
        let is_missing = |link: &&NoteLink| existing.iter().all(|(_, existing)| existing.record != link.record);
        Ok(others.filter(is_missing).copied().collect())
    }

    /// Returns whether this write has certainly created the note: one without a mark that a search found may be a person's.
    async fn is_own(&self, id: &RecordId) -> Result<bool, salesforce::Error> {
        if !self.write.may_be_sent() && !self.client.has_lost_write() {
            return Ok(true);
        }
        let Some(NoteLink { record, .. }) = self.note.links.first() else { return Ok(false) };
        let found = self.client.find_notes(record, self.write.created_at - CLOCK_SKEW).await?;
        let own = matching::mark(self.write.write_id);
        Ok(found.iter().any(|note| note.id == *id && matching::by_mark(&note.marks, &own) == Candidate::Own))
    }

    /// Deletes the note of which a link was refused: it is created with all links or not at all.
    async fn undo(&self, id: &RecordId, refused: NoteError) -> Error {
        match self.is_own(id).await {
            Ok(true) => {}
            Ok(false) => return refusal(refused),
            Err(error) => return incomplete(&error),
        }
        match self.client.delete_note(id).await {
            Err(error) if !error.is_deleted() => return incomplete(&error),
            _ => {}
        }
        match self.mark_sent(None).await {
            Ok(()) => refusal(refused),
            Err(error) => error,
        }
    }

    /// Carries out the steps of the state machine until it ends.
    async fn create_or_find(&self) -> Result<RecordId, Error> {
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
                    creation::after_creating(self.client.create_note(&self.note).await)
                }
                Step::LookForLost(lost) => creation::after_looking_for_lost(lost, self.search().await),
                Step::Done(id) => return Ok(id),
                Step::Wait(pause) => return Err(Error::MayTakeEffect { pause }),
                Step::NotSent(error) => {
                    self.mark_sent(None).await?;
                    return Err(refusal(error));
                }
                Step::Defer(failed) => return Err(Error::OutcomeUnknown(failed.error)),
                Step::Refuse(error) => return Err(refusal(error)),
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
    async fn search(&self) -> Result<Option<RecordId>, NoteError> {
        let Some(NoteLink { record, .. }) = self.note.links.first() else { return Ok(None) };
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
            if self.client.fetch_note(&note.id).await?.is_some_and(|found| is_same(&found, &self.note)) {
                return Ok(Some(note.id));
            }
        }
        Ok(None)
    }
}

/// Returns whether Salesforce refused a link for a reason that does not pass by itself.
fn is_final(refused: &NoteError) -> bool {
    let is_refusal = matches!(refused.error, salesforce::Error::Rejected { .. });
    is_refusal && matches!(refused.retry(), Retry::Never | Retry::NeedsHuman)
}

/// Returns the failure of an attempt after which the note exists, and may lack links. The next attempt finds it; another
/// connection must not be tried within this one, because it would create a second note.
fn incomplete(error: &salesforce::Error) -> Error {
    let pause = match error.retry() {
        Retry::After(pause) | Retry::Unknown(pause) => pause,
        Retry::Never | Retry::NeedsHuman => LINKS_PAUSE,
    };
    tracing::warn!("could not complete the links of a note: {error}");
    Error::MayTakeEffect { pause }
}

fn refusal(NoteError { link, error }: NoteError) -> Error {
    match link {
        Some(record) => writes::NoteError::Link { record, error }.into(),
        None => Error::Salesforce(error),
    }
}
