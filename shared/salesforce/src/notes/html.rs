//! The content of a note: an HTML fragment that Salesforce accepts, and the text that a user sees in one.
//!
//! Salesforce refuses a whole note for one unescaped character, and does not publish which tags it accepts
//! (Object Reference, ContentNote). So few tags are allowed, with no attribute but the `href` of a link, and everything else is
//! escaped. `ammonia` parses the HTML as a browser does and removes what is not allowed.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

/// Tags that are allowed.
const ALLOWED: [&str; 12] = ["a", "b", "br", "em", "i", "li", "ol", "p", "s", "strong", "u", "ul"];

/// Elements that are removed together with their content.
const REMOVED: [&str; 13] = [
    "script", "style", "head", "title", "iframe", "object", "embed", "svg", "math", "template", "noscript", "textarea",
    "select",
];

/// Blocks that are replaced by a line break and their content.
const BLOCKS: [&str; 13] =
    ["div", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "section", "article", "blockquote", "pre", "hr"];

/// URL schemes that a link may have.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// Keeps blocks too, which [`without_blocks`] replaces: `ammonia` cannot put a line break in their place.
static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(ALLOWED.into_iter().chain(BLOCKS).collect())
        .clean_content_tags(HashSet::from(REMOVED))
        .generic_attributes(HashSet::new())
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .link_rel(None)
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny);
    builder
});

/// An HTML fragment with nothing in it that Salesforce refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteHtml(String);

impl NoteHtml {
    /// Creates a fragment from plain text: escapes special characters and replaces line breaks by `<br>`.
    pub fn from_text(text: &str) -> Self {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<String> = text.split('\n').map(escape).collect();
        Self(lines.join("<br>"))
    }

    /// Creates a fragment from HTML of unknown origin: keeps the allowed tags, removes others but keeps their text, and removes
    /// scripts and styles altogether.
    ///
    /// The time grows with the size times the depth of nested elements, so callers limit the size.
    pub fn sanitized(html: &str) -> Self {
        Self(without_blocks(&SANITIZER.clean(html).to_string()))
    }

    /// Returns the fragment.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Replaces blocks in sanitized HTML by line breaks, removes links without a URL, and escapes the text for Salesforce.
fn without_blocks(sanitized: &str) -> String {
    let mut html = String::with_capacity(sanitized.len());
    // One entry for each open link: whether its tag was written.
    let mut links = Vec::new();
    for piece in Piece::all(sanitized) {
        match piece {
            Piece::Text(text) => html.push_str(&escape(&text.replace(['\r', '\n'], " "))),
            Piece::Tag { name: "a", attributes } => {
                let url = attributes.trim().strip_prefix("href=\"").and_then(|value| value.strip_suffix('"'));
                links.push(url.is_some());
                if let Some(url) = url {
                    html.push_str(&format!("<a href=\"{}\">", escape(decode(url).trim())));
                }
            }
            Piece::Tag { name: "/a", .. } => {
                if links.pop() == Some(true) {
                    html.push_str("</a>");
                }
            }
            Piece::Tag { name, .. } if BLOCKS.contains(&name) => break_line(&mut html),
            Piece::Tag { name, .. } if BLOCKS.contains(&name.trim_start_matches('/')) => {}
            Piece::Tag { name, .. } => html.push_str(&format!("<{name}>")),
        }
    }
    html
}

/// Adds a line break, unless the line is still empty.
fn break_line(html: &mut String) {
    if !html.is_empty() && !html.ends_with("<br>") && !html.ends_with("<p>") {
        html.push_str("<br>");
    }
}

/// A part of HTML in which `<` and `>` delimit tags only.
enum Piece<'a> {
    /// Text without its escapes.
    Text(Cow<'a, str>),
    /// A tag: the name, with a `/` before it for an end tag, and its attributes.
    Tag { name: &'a str, attributes: &'a str },
}

impl<'a> Piece<'a> {
    fn all(html: &'a str) -> impl Iterator<Item = Self> {
        html.split_inclusive('>').flat_map(|part| {
            let (text, tag) = part.split_once('<').unwrap_or((part, ""));
            let tag = tag.strip_suffix('>').unwrap_or(tag);
            let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
            let text = (!text.is_empty()).then(|| Self::Text(decode(text)));
            text.into_iter().chain((!name.is_empty()).then_some(Self::Tag { name, attributes }))
        })
    }
}

/// Returns the text of an HTML fragment as a user sees it, with every run of white space as one space. A tag separates words:
/// `<p>a</p><p>b</p>` is `a b`.
pub fn visible_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    for piece in Piece::all(html) {
        match piece {
            Piece::Text(part) => text.push_str(&part),
            Piece::Tag { .. } => text.push(' '),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces the character references of HTML (`&amp;`, `&#39;`) by their characters. Unknown ones stay.
fn decode(text: &str) -> Cow<'_, str> {
    html_escape::decode_html_entities(text)
}

/// Escapes a line of text. Removes control characters, which Salesforce refuses, but keeps tabs.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' => escaped.push('\t'),
            '\u{fffe}' | '\u{ffff}' => {}
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
