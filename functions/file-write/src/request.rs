//! A file to write, or to upload: parses and validates the request before anything is stored or called.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use salesforce::RecordId;
use salesforce::files::MAX_DESCRIPTION_CHARS;
use salesforce::notes::ShareType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::StagedKey;
use store::staged_files::{ExpectedContent, Sha256Digest};
use uuid::Uuid;
use writes::{Defect, unknown_members};

/// The maximum number of records that a file is linked to.
pub const MAX_LINKS: usize = 100;
/// The largest content of a request: in base64 it has 5,000,000 characters, and the body has at most 5,242,880 bytes.
pub const MAX_CONTENT_BYTES: usize = 3_750_000;
/// The largest file: an attempt has 270 seconds to send it, which is enough at 1 MB in a second.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// The maximum length of a file name, in characters.
const MAX_NAME_CHARS: usize = 255;
/// The extension of enhanced notes: Salesforce would take the file for one.
const NOTE: &str = "snote";

/// A file to create, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRequest {
    /// The title.
    pub title: String,
    /// The name with its extension, which decides the type of the file.
    pub file_name: String,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The record that has the file from the beginning.
    record: RecordId,
    /// Every record that gets the file, each once, the first one included.
    pub links: Vec<RecordId>,
    /// The access that the links give.
    #[serde(default)]
    pub share_type: ShareType,
    /// The place of the content.
    pub content: StagedKey,
}

impl FileRequest {
    /// Returns the record that has the file from the beginning.
    #[must_use]
    pub fn record(&self) -> RecordId {
        self.record
    }
}

/// A file to create, without the place of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFields {
    title: String,
    file_name: String,
    description: Option<String>,
    record: RecordId,
    links: Vec<RecordId>,
    share_type: ShareType,
}

impl FileFields {
    /// Adds the place of the content.
    #[must_use]
    pub fn with(self, content: StagedKey) -> FileRequest {
        let Self { title, file_name, description, record, links, share_type } = self;
        FileRequest { title, file_name, description, record, links, share_type, content }
    }
}

/// The content that a request has or names.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes.
    Bytes(Vec<u8>),
    /// The id of an upload.
    Upload(Uuid),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Self::Upload(id) => f.debug_tuple("Upload").field(id).finish(),
        }
    }
}

/// The body of `POST /v1/orgs/{org}/files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFileRequest {
    /// The file.
    pub file: FileFields,
    /// Its content.
    pub content: Content,
}

#[derive(Deserialize)]
struct FileBody {
    title: String,
    file_name: String,
    content_base64: Option<String>,
    upload_id: Option<String>,
    links: Vec<String>,
    description: Option<String>,
    share_type: Option<String>,
}

impl NewFileRequest {
    /// Parses the body.
    ///
    /// # Errors
    /// All defects of the body, at least one.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let known = ["title", "file_name", "content_base64", "upload_id", "links", "description", "share_type"];
        let unknown = unknown_members(
            &body,
            &known,
            "there is no such member; allowed: title, file_name, content_base64, upload_id, links, description, share_type",
        );
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: FileBody = serde_json::from_value(body).map_err(|_| {
            vec![Defect::whole(
                "the body must be an object with title, file_name, content_base64 or upload_id, and links",
            )]
        })?;
        let mut defects = Vec::new();
        let title = collect(&mut defects, writes::title(&body.title));
        let file_name = collect(&mut defects, validate_file_name(body.file_name));
        let content = collect(&mut defects, validate_content(body.content_base64, body.upload_id));
        let description = collect(&mut defects, validate_description(body.description));
        let share_type = collect(&mut defects, validate_share_type(body.share_type.as_deref()));
        let links = validate_links(&body.links, &mut defects);
        match (title, file_name, content, description, share_type, links.first().copied()) {
            (Some(title), Some(file_name), Some(content), Some(description), Some(share_type), Some(record))
                if defects.is_empty() =>
            {
                let file = FileFields { title, file_name, description, record, links, share_type };
                Ok(Self { file, content })
            }
            _ => Err(defects),
        }
    }
}

/// The body of `POST /v1/orgs/{org}/file-uploads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRequest(pub ExpectedContent);

#[derive(Deserialize)]
struct UploadBody {
    file_name: String,
    content_type: String,
    size: u64,
    sha256: Option<String>,
}

impl UploadRequest {
    /// Parses the body.
    ///
    /// # Errors
    /// All defects of the body, at least one.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let known = ["file_name", "content_type", "size", "sha256"];
        let unknown =
            unknown_members(&body, &known, "there is no such member; allowed: file_name, content_type, size, sha256");
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: UploadBody = serde_json::from_value(body)
            .map_err(|_| vec![Defect::whole("the body must be an object with file_name, content_type and size")])?;
        let mut defects = Vec::new();
        collect(&mut defects, validate_file_name(body.file_name));
        if !is_media_type(&body.content_type) {
            defects.push(Defect::field("content_type", "must be a media type without parameters, such as video/mp4"));
        }
        if !(1..=MAX_FILE_BYTES).contains(&body.size) {
            defects.push(Defect::field("size", "must be 1 to 268,435,456 bytes"));
        }
        let sha256 = body.sha256.map(|hex| {
            Sha256Digest::parse(&hex).ok_or_else(|| Defect::field("sha256", "must be 64 hexadecimal digits"))
        });
        let sha256 = collect(&mut defects, sha256.transpose()).flatten();
        if !defects.is_empty() {
            return Err(defects);
        }
        Ok(Self(ExpectedContent { size: body.size, content_type: body.content_type, sha256 }))
    }
}

/// Returns the valid value, or adds the defect to the list.
fn collect<T>(defects: &mut Vec<Defect>, validated: Result<T, Defect>) -> Option<T> {
    validated.map_err(|defect| defects.push(defect)).ok()
}

fn validate_file_name(name: String) -> Result<String, Defect> {
    let is_in_path = |char: char| char.is_control() || matches!(char, '/' | '\\');
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let detail = match name.chars().count() {
        0 => "the file name is empty",
        count if count > MAX_NAME_CHARS => "the file name is longer than 255 characters",
        _ if name.contains(is_in_path) => "must be a name without a path: no slashes or control characters",
        _ if extension.eq_ignore_ascii_case(NOTE) => {
            "a file with the extension snote is a note: POST /v1/orgs/{org}/notes"
        }
        _ => return Ok(name),
    };
    Err(Defect::field("file_name", detail))
}

fn validate_content(base64: Option<String>, upload: Option<String>) -> Result<Content, Defect> {
    match (base64, upload) {
        (Some(_), Some(_)) => Err(Defect::field("upload_id", "content_base64 and upload_id must not both be present")),
        (None, None) => Err(Defect::field("content_base64", "content_base64 or upload_id is required")),
        (None, Some(id)) => {
            id.parse().map(Content::Upload).map_err(|_| Defect::field("upload_id", "must be the id of an upload"))
        }
        (Some(base64), None) => match BASE64_STANDARD.decode(base64) {
            Err(_) => Err(Defect::field("content_base64", "must be base64 with padding")),
            Ok(bytes) if bytes.is_empty() => Err(Defect::field("content_base64", "the file is empty")),
            Ok(bytes) if bytes.len() > MAX_CONTENT_BYTES => Err(Defect::field(
                "content_base64",
                "the file is larger than 3,750,000 bytes: upload it (POST /v1/orgs/{org}/file-uploads)",
            )),
            Ok(bytes) => Ok(Content::Bytes(bytes)),
        },
    }
}

fn validate_description(description: Option<String>) -> Result<Option<String>, Defect> {
    match &description {
        Some(text) if text.chars().count() > MAX_DESCRIPTION_CHARS => {
            Err(Defect::field("description", "the description is longer than 1,000 characters"))
        }
        _ => Ok(description.filter(|text| !text.trim().is_empty())),
    }
}

fn validate_share_type(share_type: Option<&str>) -> Result<ShareType, Defect> {
    match share_type {
        None | Some("viewer") => Ok(ShareType::Viewer),
        Some("inferred") => Ok(ShareType::Inferred),
        Some(_) => Err(Defect::field("share_type", "must be viewer or inferred")),
    }
}

fn validate_links(links: &[String], defects: &mut Vec<Defect>) -> Vec<RecordId> {
    if links.is_empty() {
        defects.push(Defect::field("links", "at least one record is required"));
    }
    if links.len() > MAX_LINKS {
        defects.push(Defect::field("links", "a file must not be linked to more than 100 records"));
    }
    let mut ids: Vec<RecordId> = Vec::with_capacity(links.len());
    for (index, link) in links.iter().enumerate() {
        let name = format!("links[{index}]");
        match link.parse() {
            Err(_) => defects.push(Defect::field(name, "must be a record id")),
            Ok(id) if ids.contains(&id) => {
                defects.push(Defect::field(name, "the record is linked more than once"));
            }
            Ok(id) => ids.push(id),
        }
    }
    ids
}

/// Returns whether a text is `type/subtype` (RFC 6838).
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        (1..=127).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

#[cfg(test)]
mod tests;
