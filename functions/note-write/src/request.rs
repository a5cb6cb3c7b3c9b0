//! A note to create or to change: parses and validates the request before Salesforce is called.

use salesforce::RecordId;
use salesforce::notes::{MAX_LINKS, MAX_TITLE_CHARS};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use writes::Defect;

/// The maximum size of a note's content; larger texts belong into files.
const MAX_CONTENT_BYTES: usize = 100_000;

/// A note to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNoteRequest {
    /// The title, without surrounding white space.
    pub title: String,
    /// The text.
    pub content: Content,
    /// The records that the note is linked to, each once, at least one.
    pub links: Vec<RecordId>,
}

/// A change of a note: a new title, a new text, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteChange {
    /// The new title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The new text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A note's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Plain text, with line breaks.
    Text(String),
    /// An HTML fragment.
    Html(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    title: String,
    text: Option<String>,
    html: Option<String>,
    links: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
        let body: CreateBody = serde_json::from_value(body)
            .map_err(|_| vec![Defect::whole("the body is an object of title, text or html, and links")])?;
        let mut faults = Vec::new();
        let title = keep(&mut faults, judge_title(&body.title));
        let content = keep(&mut faults, judge_content(body.text, body.html));
        if matches!(content, Some(None)) {
            faults.push(Defect::field("text", "a note needs text or html"));
        }
        let links = judge_links(&body.links, &mut faults);
        match (title, content.flatten()) {
            (Some(title), Some(content)) if faults.is_empty() => Ok(Self { title, content, links }),
            _ => Err(faults),
        }
    }
}

impl NoteChange {
    /// Parses the body of a change.
    ///
    /// # Errors
    /// All defects of the body, at least one.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let body: ChangeBody = serde_json::from_value(body)
            .map_err(|_| vec![Defect::whole("the body is an object of title, and text or html")])?;
        let mut faults = Vec::new();
        let title = body.title.and_then(|title| keep(&mut faults, judge_title(&title)));
        let content = keep(&mut faults, judge_content(body.text, body.html)).flatten();
        if faults.is_empty() && title.is_none() && content.is_none() {
            faults.push(Defect::whole("there is nothing to change: give title, text or html"));
        }
        if faults.is_empty() { Ok(Self { title, content }) } else { Err(faults) }
    }
}

fn keep<T>(faults: &mut Vec<Defect>, judged: Result<T, Defect>) -> Option<T> {
    judged.map_err(|fault| faults.push(fault)).ok()
}

fn judge_title(title: &str) -> Result<String, Defect> {
    let title = title.trim();
    match title.chars().count() {
        0 => Err(Defect::field("title", "the title is empty")),
        1..=MAX_TITLE_CHARS if title.chars().any(char::is_control) => {
            Err(Defect::field("title", "the title has control characters in it"))
        }
        1..=MAX_TITLE_CHARS => Ok(title.to_owned()),
        _ => Err(Defect::field("title", "the title is longer than 255 characters")),
    }
}

fn judge_content(text: Option<String>, html: Option<String>) -> Result<Option<Content>, Defect> {
    let content = match (text, html) {
        (Some(_), Some(_)) => return Err(Defect::field("html", "give text or html, not both")),
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

fn judge_links(links: &[String], faults: &mut Vec<Defect>) -> Vec<RecordId> {
    if links.is_empty() {
        faults.push(Defect::field("links", "a note is linked to at least one record"));
    }
    if links.len() > MAX_LINKS {
        faults.push(Defect::field("links", "a note is linked to at most 24 records"));
    }
    let mut ids: Vec<RecordId> = Vec::with_capacity(links.len());
    for (index, link) in links.iter().enumerate() {
        let name = || format!("links[{index}]");
        match link.parse() {
            Err(_) => faults.push(Defect { record: None, field: Some(name()), detail: "not a record id" }),
            Ok(id) if ids.contains(&id) => {
                faults.push(Defect { record: None, field: Some(name()), detail: "the record is linked twice" })
            }
            Ok(id) => ids.push(id),
        }
    }
    ids
}

#[cfg(test)]
mod tests;
