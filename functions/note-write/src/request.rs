//! A note to create or to change: parses and validates the request before Salesforce is called.

use salesforce::RecordId;
use salesforce::notes::{MAX_LINKS, MAX_TITLE_CHARS};
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
    /// The records that the note is linked to, each once, at least one.
    pub links: Vec<RecordId>,
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
}

#[derive(Deserialize)]
struct CreateBody {
    title: String,
    text: Option<String>,
    html: Option<String>,
    links: Vec<String>,
}

#[derive(Deserialize)]
struct ChangeBody {
    title: Option<String>,
    text: Option<String>,
    html: Option<String>,
}

impl NewNoteRequest {
    /// Parses the body of a creation.
    ///
    /// # Errors
    /// All defects of the body, at least one.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let unknown = unknown_members(
            &body,
            &["title", "text", "html", "links"],
            "there is no such member; allowed: title, text, html, links",
        );
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: CreateBody = serde_json::from_value(body)
            .map_err(|_| vec![Defect::whole("the body must be an object with title, text or html, and links")])?;
        let mut defects = Vec::new();
        let title = collect_defect(&mut defects, validate_title(&body.title));
        let content = collect_defect(&mut defects, validate_content(body.text, body.html));
        if matches!(content, Some(None)) {
            defects.push(Defect::field("text", "text or html is required"));
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
        let known = ["title", "text", "html"];
        let unknown = unknown_members(&body, &known, "there is no such member; allowed: title, text, html");
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: ChangeBody = serde_json::from_value(body)
            .map_err(|_| vec![Defect::whole("the body must be an object with title, text or html")])?;
        let mut defects = Vec::new();
        let title = body.title.and_then(|title| collect_defect(&mut defects, validate_title(&title)));
        let content = collect_defect(&mut defects, validate_content(body.text, body.html)).flatten();
        if defects.is_empty() && title.is_none() && content.is_none() {
            defects.push(Defect::whole("at least one of title, text and html is required"));
        }
        if defects.is_empty() { Ok(Self { title, content }) } else { Err(defects) }
    }
}

/// Returns the valid value, or adds the defect to the list.
fn collect_defect<T>(defects: &mut Vec<Defect>, validated: Result<T, Defect>) -> Option<T> {
    validated.map_err(|defect| defects.push(defect)).ok()
}

fn validate_title(title: &str) -> Result<String, Defect> {
    let title = title.trim();
    match title.chars().count() {
        0 => Err(Defect::field("title", "the title is empty")),
        1..=MAX_TITLE_CHARS if title.chars().any(char::is_control) => {
            Err(Defect::field("title", "the title contains control characters"))
        }
        1..=MAX_TITLE_CHARS => Ok(title.to_owned()),
        _ => Err(Defect::field("title", "the title is longer than 255 characters")),
    }
}

fn validate_content(text: Option<String>, html: Option<String>) -> Result<Option<Content>, Defect> {
    let content = match (text, html) {
        (Some(_), Some(_)) => return Err(Defect::field("html", "text and html must not both be present")),
        (Some(text), None) => Content::Text(text),
        (None, Some(html)) => Content::Html(html),
        (None, None) => return Ok(None),
    };
    let (name, value) = match &content {
        Content::Text(text) => ("text", text),
        Content::Html(html) => ("html", html),
    };
    match value.trim().len() {
        0 => Err(Defect::field(name, "the note is empty")),
        1..=MAX_CONTENT_BYTES => Ok(Some(content)),
        _ => Err(Defect::field(name, "the note is longer than 100,000 bytes")),
    }
}

fn validate_links(links: &[String], defects: &mut Vec<Defect>) -> Vec<RecordId> {
    if links.is_empty() {
        defects.push(Defect::field("links", "at least one record is required"));
    }
    if links.len() > MAX_LINKS {
        defects.push(Defect::field("links", "a note must not be linked to more than 24 records"));
    }
    let mut ids: Vec<RecordId> = Vec::with_capacity(links.len());
    for (index, link) in links.iter().enumerate() {
        let name = || format!("links[{index}]");
        match link.parse() {
            Err(_) => defects.push(Defect::field(name(), "must be a record id")),
            Ok(id) if ids.contains(&id) => {
                defects.push(Defect::field(name(), "the record is linked more than once"));
            }
            Ok(id) => ids.push(id),
        }
    }
    ids
}

#[cfg(test)]
mod tests;
