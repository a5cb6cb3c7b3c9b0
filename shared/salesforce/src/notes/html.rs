//! The text of a note: an HTML fragment that Salesforce accepts.
//!
//! Salesforce refuses a whole note for one unescaped character, and does not publish which tags it takes
//! (Object Reference, ContentNote): so few tags stay, with no attribute but an `href`, and everything else is escaped.

mod scanner;

use scanner::{Piece, Scanner, decode};

/// Tags that stay.
const KEPT: [&str; 12] = ["a", "b", "br", "em", "i", "li", "ol", "p", "s", "strong", "u", "ul"];

/// Elements that go with all that is in them.
const DROPPED: [&str; 13] = [
    "script", "style", "head", "title", "iframe", "object", "embed", "svg", "math", "template", "noscript", "textarea",
    "select",
];

/// Blocks whose tags go: a line break takes their place.
const BLOCKS: [&str; 13] =
    ["div", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "section", "article", "blockquote", "pre", "hr"];

/// What a link may begin with.
const LINKS: [&str; 3] = ["http://", "https://", "mailto:"];

/// An HTML fragment with nothing in it that Salesforce refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteHtml(String);

impl NoteHtml {
    /// Plain text: special characters are escaped, line breaks become `<br>`.
    pub fn from_text(text: &str) -> Self {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<String> = text.split('\n').map(escape).collect();
        Self(lines.join("<br>"))
    }

    /// HTML of unknown origin: known tags stay, others go and their text stays, scripts and styles go altogether.
    pub fn sanitised(html: &str) -> Self {
        let mut writer = Writer::default();
        for piece in Scanner::new(html) {
            writer.take(&piece);
        }
        Self(writer.finish())
    }

    /// The fragment.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes a balanced fragment.
#[derive(Default)]
struct Writer {
    html: String,
    /// Kept elements that are open, outermost first.
    open: Vec<&'static str>,
    /// The element that is being dropped, until its end tag.
    dropping: Option<&'static str>,
}

impl Writer {
    fn take(&mut self, piece: &Piece<'_>) {
        match (self.dropping, piece) {
            (Some(dropped), Piece::End(name)) if name == dropped => self.dropping = None,
            (Some(_), _) => {}
            (None, Piece::Text(text)) => {
                let text = decode(text).replace(['\r', '\n'], " ");
                self.html.push_str(&escape(&text));
            }
            (None, Piece::Start { name, href }) => self.start(name, href.as_deref()),
            (None, Piece::End(name)) => self.end(name),
        }
    }

    fn start(&mut self, name: &str, href: Option<&str>) {
        if let Some(dropped) = find(&DROPPED, name) {
            self.dropping = Some(dropped);
            return;
        }
        let Some(kept) = find(&KEPT, name) else {
            if find(&BLOCKS, name).is_some() {
                self.line_break();
            }
            return;
        };
        match (kept, href.filter(|href| is_link(href))) {
            ("br", _) => self.html.push_str("<br>"),
            ("a", None) => {}
            ("a", Some(href)) => {
                self.html.push_str(&format!("<a href=\"{}\">", escape(href.trim())));
                self.open.push(kept);
            }
            _ => {
                self.end_implied(kept);
                self.html.push_str(&format!("<{kept}>"));
                self.open.push(kept);
            }
        }
    }

    /// A paragraph ends an open one, a list item the one before it.
    fn end_implied(&mut self, starting: &str) {
        let implied = match starting {
            "p" => self.open.contains(&"p"),
            "li" => self.open.last() == Some(&"li"),
            _ => false,
        };
        if implied {
            self.end(starting);
        }
    }

    /// Closes the innermost element of that name and all within it; an end without a start is nothing.
    fn end(&mut self, name: &str) {
        let Some(position) = self.open.iter().rposition(|open| *open == name) else {
            return;
        };
        for open in self.open.drain(position..).rev() {
            self.html.push_str(&format!("</{open}>"));
        }
    }

    /// One line break, unless the line has only just begun.
    fn line_break(&mut self) {
        if !self.html.is_empty() && !self.html.ends_with("<br>") && !self.html.ends_with("<p>") {
            self.html.push_str("<br>");
        }
    }

    fn finish(mut self) -> String {
        for open in self.open.iter().rev() {
            self.html.push_str(&format!("</{open}>"));
        }
        self.html
    }
}

fn find(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}

fn is_link(href: &str) -> bool {
    let href = href.trim().to_ascii_lowercase();
    LINKS.iter().any(|scheme| href.starts_with(scheme))
}

/// Escapes a line of text; control characters, which Salesforce refuses, are dropped, a tab stays.
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
