//! A note to create or to change: parses and validates the request before Salesforce is called.

use salesforce::RecordId;
use salesforce::notes::html::{Change, Mapped};
use salesforce::notes::{MAX_LINKS, NoteHtml, NoteLink, ShareType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use writes::{Defect, unknown_members};

/// The maximum size of a note's content. A larger text belongs in a file.
const MAX_CONTENT_BYTES: usize = 100_000;

/// A note to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNoteRequest {
    /// The title, without surrounding white space.
    pub title: String,
    /// The content.
    pub content: Content,
    /// The records that the note is linked to, each once, 1 to 100.
    pub links: Vec<LinkRequest>,
}

/// A link of a note, as a request has it: the id of the record, or an object with the share type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LinkRequest {
    /// The record, whose viewers may read the note. Requests that say so in two ways are one request.
    Viewer(RecordId),
    /// The record and the share type.
    Shared {
        /// The record.
        record: RecordId,
        /// The access to the note.
        share_type: ShareType,
    },
}

impl LinkRequest {
    /// Returns the request of a link.
    #[must_use]
    pub fn of(record: RecordId, share_type: ShareType) -> Self {
        match share_type {
            ShareType::Viewer => Self::Viewer(record),
            share_type => Self::Shared { record, share_type },
        }
    }

    /// Returns the record and the share type.
    #[must_use]
    pub fn link(self) -> NoteLink {
        match self {
            Self::Viewer(record) => NoteLink { record, share_type: ShareType::Viewer },
            Self::Shared { record, share_type } => NoteLink { record, share_type },
        }
    }
}

/// A change of a note: a new title, new content, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteChange {
    /// The new title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The new content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A note's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Plain text, with line breaks.
    Text(String),
    /// An HTML fragment.
    Html(String),
    /// Markdown.
    Markdown(String),
}

impl Content {
    /// Returns the content as a note has it, and the differences.
    #[must_use]
    pub fn map(&self) -> Mapped {
        match self {
            Self::Text(text) => NoteHtml::from_text(text),
            Self::Html(html) => NoteHtml::from_html(html),
            Self::Markdown(markdown) => NoteHtml::from_markdown(markdown),
        }
    }

    /// Returns the differences between the content and the note.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.map().changes
    }
}

#[derive(Deserialize)]
struct CreateBody {
    title: String,
    #[serde(flatten)]
    content: ContentBody,
    links: Vec<Value>,
}

#[derive(Deserialize)]
struct ChangeBody {
    title: Option<String>,
    #[serde(flatten)]
    content: ContentBody,
}

#[derive(Deserialize)]
struct ContentBody {
    text: Option<String>,
    html: Option<String>,
    markdown: Option<String>,
}

impl NewNoteRequest {
    /// Parses the body of a creation.
    ///
    /// # Errors
    /// All defects of the body, at least one.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let unknown = unknown_members(
            &body,
            &["title", "text", "html", "markdown", "links"],
            "there is no such member; allowed: title, text, html, markdown, links",
        );
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: CreateBody = serde_json::from_value(body).map_err(|_| {
            vec![Defect::whole("the body must be an object with title, text, html or markdown, and links")]
        })?;
        let mut defects = Vec::new();
        let title = collect_defect(&mut defects, writes::title(&body.title));
        let content = collect_defect(&mut defects, validate_content(body.content));
        if matches!(content, Some(None)) {
            defects.push(Defect::field("text", "text, html or markdown is required"));
        }
        let links = validate_links(&body.links, &mut defects);
        match (title, content.flatten()) {
            (Some(title), Some(content)) if defects.is_empty() => Ok(Self { title, content, links }),
            _ => Err(defects),
        }
    }
}

impl NoteChange {
    /// Parses the body of a change.
    ///
    /// # Errors
    /// All defects of the body, at least one.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let known = ["title", "text", "html", "markdown"];
        let unknown = unknown_members(&body, &known, "there is no such member; allowed: title, text, html, markdown");
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: ChangeBody = serde_json::from_value(body)
            .map_err(|_| vec![Defect::whole("the body must be an object with title, text, html or markdown")])?;
        let mut defects = Vec::new();
        let title = body.title.and_then(|title| collect_defect(&mut defects, writes::title(&title)));
        let content = collect_defect(&mut defects, validate_content(body.content)).flatten();
        if defects.is_empty() && title.is_none() && content.is_none() {
            defects.push(Defect::whole("at least one of title, text, html and markdown is required"));
        }
        if defects.is_empty() { Ok(Self { title, content }) } else { Err(defects) }
    }
}

/// Returns the valid value, or adds the defect to the list.
fn collect_defect<T>(defects: &mut Vec<Defect>, validated: Result<T, Defect>) -> Option<T> {
    validated.map_err(|defect| defects.push(defect)).ok()
}

fn validate_content(body: ContentBody) -> Result<Option<Content>, Defect> {
    let given = [
        body.text.map(|text| ("text", Content::Text(text))),
        body.html.map(|html| ("html", Content::Html(html))),
        body.markdown.map(|markdown| ("markdown", Content::Markdown(markdown))),
    ];
    let mut given = given.into_iter().flatten();
    let Some((name, content)) = given.next() else { return Ok(None) };
    if let Some((other, _)) = given.next() {
        return Err(Defect::field(other, "only one of text, html and markdown may be present"));
    }
    let (Content::Text(value) | Content::Html(value) | Content::Markdown(value)) = &content;
    if value.len() > MAX_CONTENT_BYTES {
        return Err(Defect::field(name, "the note is longer than 100,000 bytes"));
    }
    if content.map().html.is_empty() {
        return Err(Defect::field(name, "the note is empty"));
    }
    Ok(Some(content))
}

fn validate_links(links: &[Value], defects: &mut Vec<Defect>) -> Vec<LinkRequest> {
    if links.is_empty() {
        defects.push(Defect::field("links", "at least one record is required"));
    }
    if links.len() > MAX_LINKS {
        defects.push(Defect::field("links", "a note must not be linked to more than 100 records"));
    }
    let mut valid: Vec<LinkRequest> = Vec::with_capacity(links.len().min(MAX_LINKS));
    for (index, link) in links.iter().take(MAX_LINKS).enumerate() {
        let is_known = |link: &LinkRequest| valid.iter().any(|known| known.link().record == link.link().record);
        let validated = match parse_link(link) {
            Ok(link) if is_known(&link) => Err("the record is linked more than once"),
            validated => validated,
        };
        match validated {
            Ok(link) => valid.push(link),
            Err(detail) => defects.push(Defect::field(format!("links[{index}]"), detail)),
        }
    }
    valid
}

fn parse_link(link: &Value) -> Result<LinkRequest, &'static str> {
    const NOT_AN_ID: &str = "must be a record id";
    let id = |value: &Value| value.as_str().and_then(|id| id.parse().ok()).ok_or(NOT_AN_ID);
    let Value::Object(members) = link else { return id(link).map(LinkRequest::Viewer) };
    if members.keys().any(|name| !["record", "share_type"].contains(&name.as_str())) {
        return Err("must have no other members than record and share_type");
    }
    let record = id(members.get("record").unwrap_or(&Value::Null)).map_err(|_| "record must be a record id")?;
    let share_type = members.get("share_type").map_or(Ok(ShareType::default()), |given| parse_share_type(given))?;
    Ok(LinkRequest::of(record, share_type))
}

/// Reads the body of a request that links a note: an object, with or without a share type.
///
/// # Errors
/// All defects of the body, at least one.
pub fn parse_link_body(body: &Value) -> Result<ShareType, Vec<Defect>> {
    let unknown = unknown_members(body, &["share_type"], "there is no such member; allowed: share_type");
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let Value::Object(members) = body else {
        return Err(vec![Defect::whole("the body must be an object, with or without share_type")]);
    };
    let share_type = members.get("share_type").map_or(Ok(ShareType::default()), parse_share_type);
    share_type.map_err(|detail| vec![Defect::field("share_type", detail)])
}

fn parse_share_type(given: &Value) -> Result<ShareType, &'static str> {
    ShareType::deserialize(given).map_err(|_| "share_type must be viewer, collaborator or inferred")
}

#[cfg(test)]
mod tests;
