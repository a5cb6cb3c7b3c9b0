//! The content of a note: an HTML fragment that Salesforce accepts, and the text that a user sees in one.
//!
//! Salesforce refuses a whole note for one unescaped character, and does not publish which tags it accepts
//! (Object Reference, ContentNote). So few tags are written, with no attribute but the `href` of a link, and everything else is
//! escaped. What notes do not have is mapped to what they have (`tags`), so that no word and no boundary of a block is lost,
//! and the differences are reported ([`Change`]).
//!
//! [`html5ever`] splits the HTML into tokens as a browser does. A tree is not built: the parser of a tree repeats open elements
//! in each new block, as the HTML standard says, so that 20 KB of input can need a gigabyte. That is also why `ammonia`, which
//! builds one, is not used. One pass over the tokens takes linear time and memory.

mod changes;
mod lines;
mod markdown;
mod tables;
mod tags;
mod tokens;
mod writer;

pub use changes::{Change, ChangeKind};

use changes::Changes;
use tokens::{Token, tokens};

/// Beginnings of the URL of a link.
const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// An HTML fragment with nothing in it that Salesforce refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteHtml(String);

/// A fragment, and how it differs from what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The fragment.
    pub html: NoteHtml,
    /// The differences, one entry for each kind.
    pub changes: Vec<Change>,
}

impl NoteHtml {
    /// Creates a fragment from plain text: escapes special characters and replaces line breaks by `<br>`.
    pub fn from_text(text: &str) -> Mapped {
        let mut changes = Changes::default();
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines = text.split('\n').map(escape).map(|(line, removed)| {
            (0..removed).for_each(|_| changes.add(ChangeKind::CharacterRemoved));
            line
        });
        let html = lines.collect::<Vec<_>>().join("<br>");
        Mapped { html: Self(html), changes: changes.list() }
    }

    /// Creates a fragment from HTML of unknown origin: keeps what notes have, maps the rest to it, and removes scripts and styles
    /// altogether.
    pub fn from_html(html: &str) -> Mapped {
        let (html, changes) = writer::write(&tokens(html));
        Mapped { html: Self(html), changes: changes.list() }
    }

    /// Creates a fragment from Markdown: CommonMark with tables, strikethrough and task lists, and with the HTML in it.
    pub fn from_markdown(markdown: &str) -> Mapped {
        Self::from_html(&markdown::to_html(markdown))
    }

    /// Returns the fragment.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a user sees nothing in it.
    pub fn is_empty(&self) -> bool {
        visible_text(&self.0).is_empty()
    }

    /// Returns the text, line by line: items of lists with `-` or their number, links with their address.
    pub fn to_text(&self) -> String {
        lines::text(&lines::lines(&self.0))
    }

    /// Returns CommonMark that [`NoteHtml::from_markdown`] reads as the same words, lines, lists, links and marks.
    pub fn to_markdown(&self) -> String {
        markdown::from_lines(&lines::lines(&self.0))
    }
}

/// Returns the text of an HTML fragment as a user sees it, with every run of white space as one space. A tag separates words:
/// `<p>a</p><p>b</p>` is `a b`.
pub fn visible_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    for token in tokens(html) {
        match token {
            Token::Text(part) => text.push_str(&part),
            Token::Start { .. } | Token::End(_) => text.push(' '),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_link(href: &str) -> bool {
    let beginning: String = href.chars().take(8).map(|character| character.to_ascii_lowercase()).collect();
    SCHEMES.iter().any(|scheme| beginning.starts_with(scheme))
}

/// Escapes a line of text. Removes control characters, which Salesforce refuses, but keeps tabs; a form feed and a vertical tab
/// become spaces. Returns the number of characters that it removed, too.
fn escape(text: &str) -> (String, usize) {
    let mut escaped = String::with_capacity(text.len());
    let mut removed = 0;
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' => escaped.push('\t'),
            '\u{b}' | '\u{c}' => escaped.push(' '),
            // A byte order mark and two characters that are none.
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => removed += 1,
            other if other.is_control() => removed += 1,
            other => escaped.push(other),
        }
    }
    (escaped, removed)
}

#[cfg(test)]
mod tests;
