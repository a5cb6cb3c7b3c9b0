//! The write of a file: carries out the steps of [`writes::creation`], and then the links.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use salesforce::files::{NewFile, VERSION};
use salesforce::{Classify, Client, FileContent, ObjectName, RecordId, Retry};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::owner_policy::Route;
use store::{Write, WriteKind, writes::rule};
use writes::creation::{self, Step};
use writes::{Attempted, Defect, DefectCode, Error, Hidden, WriteOperation};

use crate::links::{self, LinkOutcome};
use crate::request::FileRequest;
use crate::staged::StagedContent;
use crate::{Deps, matching};

/// The maximum by which Salesforce's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);
/// The largest file that is written while its request waits: at 1.5 MB in a second it takes 22 seconds.
pub(crate) const MAX_IN_REQUEST_BYTES: u64 = 32 * 1024 * 1024;

/// The request, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileWrite {
    /// The file.
    pub file: FileRequest,
}

/// The outcome, as the ledger stores it and the platform reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Outcome {
    content_version_id: RecordId,
    /// `None` until it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_document_id: Option<RecordId>,
    links: Vec<LinkOutcome>,
}

impl WriteOperation for FileWrite {
    type Deps = Deps;

    /// The function has 300 seconds.
    const QUEUED_ATTEMPT_TIMEOUT: SignedDuration = SignedDuration::from_secs(330);

    fn kind(&self) -> WriteKind {
        WriteKind::File
    }

    fn object(&self) -> Option<&ObjectName> {
        None
    }

    /// The user who writes the file owns it.
    fn names_owner(&self) -> bool {
        false
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let this = Attempt { deps, client, route, write, file: &self.file };
        let known = write.response.as_ref().and_then(|outcome| Outcome::deserialize(outcome).ok());
        let (outcome, is_new) = match known {
            Some(outcome) => (outcome, false),
            None => this.create().await?,
        };
        Ok(this.complete(outcome, is_new).await)
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        write.may_be_sent()
    }
}

/// One attempt to write a file.
struct Attempt<'a> {
    deps: &'a Deps,
    client: &'a Client,
    route: &'a Route,
    write: &'a Write,
    file: &'a FileRequest,
}

impl Attempt<'_> {
    /// Carries out the steps of the state machine until the file exists. Returns whether this attempt created it.
    async fn create(&self) -> Result<(Outcome, bool), Error> {
        let mut step = creation::begin(self.write.may_be_sent());
        let mut is_new = false;
        loop {
            step = match step {
                Step::LookForEarlier => {
                    let searched_at = self.deps.ledger.clock.now();
                    let settled_at = no_effect_from(self.write.sent_at.unwrap_or(searched_at));
                    creation::after_looking_for_earlier(self.search().await, searched_at, settled_at)
                }
                Step::Create => {
                    let content = self.checked_content().await?;
                    self.mark_sent(Some(self.deps.ledger.clock.now())).await?;
                    let created = self.client.create_file(&self.new_file(), content).await;
                    is_new = created.is_ok();
                    creation::after_creating(created.map(|version| self.outcome(version, None)))
                }
                Step::LookForLost(lost) => creation::after_looking_for_lost(lost, self.search().await),
                Step::Done(outcome) => return Ok((outcome, is_new)),
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

    /// Reads the id of the document and makes the links that are missing. The file exists: whatever fails now is tried again
    /// with this outcome, and never creates another one.
    async fn complete(&self, mut outcome: Outcome, is_new: bool) -> Attempted {
        let document = match outcome.content_document_id {
            Some(document) => Ok(document),
            None => self.client.document_of(&outcome.content_version_id).await,
        };
        let retry = match document {
            Ok(document) => {
                outcome.content_document_id = Some(document);
                let share_type = self.file.share_type;
                links::complete(self.client, &document, share_type, &mut outcome.links, is_new).await
            }
            Err(error) => Some(after_creation(&error)),
        };
        match (retry, json!(outcome)) {
            (None, outcome) => {
                self.forget_content().await;
                Attempted::Completed(outcome)
            }
            (Some(retry), outcome) => Attempted::Partial { outcome, retry },
        }
    }

    /// Checks what the connection's user may do and what there is to send, before anything is sent.
    async fn checked_content(&self) -> Result<Arc<dyn FileContent>, Error> {
        let size = self.deps.staged_files.size(&self.file.content).await?.ok_or(Error::NotFound("uploaded content"))?;
        if size > MAX_IN_REQUEST_BYTES && self.write.accepted_at().is_none() {
            return Err(Error::ForQueue);
        }
        self.check_permissions().await?;
        self.check_records().await?;
        let (staged_files, key) = (self.deps.staged_files.clone(), self.file.content.clone());
        Ok(Arc::new(StagedContent { staged_files, key, size }))
    }

    async fn check_permissions(&self) -> Result<(), Error> {
        let key = (self.write.org_id, &self.route.write_route.connection_id);
        let now = self.deps.ledger.clock.now();
        let (schema, failed) = self.deps.schemas.load(self.client, key, &[VERSION], now).await?;
        if let Some((_, error)) = failed.into_iter().next() {
            return Err(Error::Salesforce(error));
        }
        let Some(version) = schema.object(&VERSION) else { return Err(Error::Hidden(Hidden::Object(VERSION))) };
        if !version.summary.createable {
            return Err(Error::MissingPermission { object: VERSION, permission: "Create" });
        }
        let needed = ["Title", "PathOnClient", "VersionData", "FirstPublishLocationId"];
        let needed = needed.into_iter().chain(self.file.description.as_ref().map(|_| "Description"));
        let defect = |name: &str| match schema.field(&VERSION, name) {
            None => Some((DefectCode::FieldNotVisible, "does not exist or is hidden from")),
            Some(field) if !field.createable => Some((DefectCode::FieldReadOnly, "may not be set by")),
            Some(_) => None,
        };
        let defects = needed.filter_map(|name| {
            let (code, reason) = defect(name)?;
            Some(Defect::field(name, format!("the field of {VERSION} {reason} the connection's user")).code(code))
        });
        let defects: Vec<Defect> = defects.collect();
        if defects.is_empty() { Ok(()) } else { Err(Error::Refused(defects)) }
    }

    /// Checks that the user sees every record. The link to the only one is made with the file, so that Salesforce checks it.
    async fn check_records(&self) -> Result<(), Error> {
        if self.file.links.len() < 2 {
            return Ok(());
        }
        let connection = &self.route.write_route.connection_id;
        let connection = self.deps.ledger.connections.load(self.write.org_id, connection).await?;
        let Some(connection) = connection else { return Ok(()) };
        let hidden = self.client.unreadable_records(&connection.user_id, &self.file.links).await?;
        let detail = "the record does not exist or is not visible to the connection's user";
        let defect = |(index, _)| Defect::field(format!("links[{index}]"), detail);
        let links = self.file.links.iter().enumerate();
        let defects: Vec<Defect> = links.filter(|(_, record)| hidden.contains(*record)).map(defect).collect();
        if defects.is_empty() { Ok(()) } else { Err(Error::Invalid(defects)) }
    }

    fn new_file(&self) -> NewFile {
        NewFile {
            title: self.file.title.clone(),
            path: matching::path(self.write.write_id, &self.file.file_name),
            description: self.file.description.clone(),
            record: self.file.record(),
        }
    }

    fn outcome(&self, version: RecordId, document: Option<RecordId>) -> Outcome {
        Outcome {
            content_version_id: version,
            content_document_id: document,
            links: links::of_new_file(&self.file.links),
        }
    }

    async fn mark_sent(&self, sent_at: Option<Timestamp>) -> Result<(), Error> {
        Ok(self.deps.ledger.writes.mark_sent(self.write, sent_at).await.map(drop)?)
    }

    /// Searches for the file that an earlier request may have created.
    async fn search(&self) -> Result<Option<Outcome>, salesforce::Error> {
        let found = self.client.find_files(&self.file.record(), self.write.created_at - CLOCK_SKEW).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let size = self.deps.staged_files.size(&self.file.content).await.unwrap_or_default();
        let wanted = (self.file.title.as_str(), self.file.file_name.as_str(), size);
        let own = matching::own(&found, self.write.write_id, wanted);
        Ok(own.map(|own| self.outcome(own.version, Some(own.document))))
    }

    /// Deletes the content, which nobody needs any more. One that stays expires.
    async fn forget_content(&self) {
        if let Err(error) = self.deps.staged_files.delete(&self.file.content).await {
            tracing::warn!(org.id = %self.write.org_id, write.id = %self.write.write_id, error = %Chain(&error),
                "could not delete the content of a file");
        }
    }
}

/// Returns the time from which no request can take effect that an attempt sent after it stored `sent_at`. The last byte of a file
/// may be sent when the attempt ends.
fn no_effect_from(sent_at: Timestamp) -> Timestamp {
    rule::settled_at(sent_at.saturating_add(FileWrite::QUEUED_ATTEMPT_TIMEOUT).unwrap_or(Timestamp::MAX))
}

/// Returns the retry of a call after the file was created: its failure is never final, because the file is there.
fn after_creation(error: &salesforce::Error) -> Retry {
    match error.retry() {
        Retry::Never => Retry::After(store::deferral::MAX_DELAY),
        retry => retry,
    }
}
