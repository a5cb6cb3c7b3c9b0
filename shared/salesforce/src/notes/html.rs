//! The content of a note: an HTML fragment that Salesforce accepts, and the text that a user sees in one.
//!
//! Salesforce refuses a whole note for one unescaped character, and does not publish which tags it accepts
//! (Object Reference, ContentNote). So few tags are allowed, with no attribute but the `href` of a link, and everything else is
//! escaped.
//!
//! [`html5ever`] splits the HTML into tokens as a browser does. A tree is not built: the parser of a tree repeats open elements
//! in each new block, as the HTML standard says, so that 20 KB of input can need a gigabyte. That is also why `ammonia`, which
//! builds one, is not used. One pass over the tokens takes linear time and memory.

mod tokens;

use tokens::{Token, tokens};

/// Tags that are allowed.
const ALLOWED: [&str; 12] = ["a", "b", "br", "em", "i", "li", "ol", "p", "s", "strong", "u", "ul"];

/// Elements that are removed together with their content.
const REMOVED: [&str; 12] = [
    "script", "style", "head", "title", "iframe", "object", "svg", "math", "template", "noscript", "textarea", "select",
];

/// Blocks whose tags are replaced by a line break.
const BLOCKS: [&str; 14] =
    ["div", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "table", "section", "article", "blockquote", "pre", "hr"];

/// Elements whose tags are replaced by a space.
const CELLS: [&str; 4] = ["td", "th", "dt", "dd"];

/// Tags after which a line is empty.
const LINE_STARTS: [&str; 9] = ["<br>", "<p>", "</p>", "<li>", "</li>", "<ul>", "</ul>", "<ol>", "</ol>"];

/// Beginnings of the URL of a link.
const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// The number of elements inside one another. Deeper ones are removed, and their text stays.
const MAX_DEPTH: usize = 64;

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
    pub fn sanitized(html: &str) -> Self {
        let mut writer = Writer::default();
        for token in tokens(html) {
            writer.write(&token);
        }
        Self(writer.finish())
    }

    /// Returns the fragment.
    pub fn as_str(&self) -> &str {
        &self.0
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

/// Writes a balanced fragment.
#[derive(Default)]
struct Writer {
    html: String,
    /// The open elements, outermost first.
    open: Vec<&'static str>,
    /// The element that is being removed, until its end tag.
    removing: Option<&'static str>,
    /// A block began or ended: the next text starts on a line of its own.
    breaks_line: bool,
}

impl Writer {
    fn write(&mut self, token: &Token) {
        match (self.removing, token) {
            (Some(removed), Token::End(name)) if name == removed => self.removing = None,
            (Some(_), _) => {}
            (None, Token::Text(text)) => self.text(text),
            (None, Token::Start { name, href }) => self.start(name, href.as_deref()),
            (None, Token::End(name)) => self.end(name),
        }
    }

    fn text(&mut self, text: &str) {
        let text = escape(&text.replace(['\r', '\n'], " "));
        if !text.trim().is_empty() {
            self.break_line();
        }
        self.html.push_str(&text);
    }

    fn start(&mut self, name: &str, href: Option<&str>) {
        if let Some(removed) = find(&REMOVED, name) {
            self.removing = Some(removed);
        } else if let Some(allowed) = find(&ALLOWED, name) {
            self.start_allowed(allowed, href);
        } else {
            self.separate(name);
        }
    }

    fn start_allowed(&mut self, name: &'static str, href: Option<&str>) {
        let href = href.map(str::trim).filter(|href| is_link(href));
        if name == "br" {
            self.html.push_str("<br>");
            return;
        }
        if name == "a" && href.is_none() {
            return;
        }
        self.end_implied(name);
        if self.open.len() == MAX_DEPTH {
            return;
        }
        if matches!(name, "p" | "li" | "ul" | "ol") {
            self.breaks_line = false;
        } else {
            self.break_line();
        }
        match href {
            Some(href) if name == "a" => self.html.push_str(&format!("<a href=\"{}\">", escape(href))),
            _ => self.html.push_str(&format!("<{name}>")),
        }
        self.open.push(name);
    }

    /// A paragraph and a link end an open one; a list item ends the one before it in the same list.
    fn end_implied(&mut self, starting: &str) {
        let implied = match starting {
            "p" | "a" => self.open.contains(&starting),
            "li" => self.open.iter().rev().find(|open| matches!(**open, "li" | "ul" | "ol")) == Some(&"li"),
            _ => false,
        };
        if implied {
            self.end(starting);
        }
    }

    /// Ends the innermost element of that name and all within it. Ignores an end tag without a start tag.
    fn end(&mut self, name: &str) {
        if find(&ALLOWED, name).is_none() {
            return self.separate(name);
        }
        let Some(position) = self.open.iter().rposition(|open| *open == name) else {
            return;
        };
        for open in self.open.drain(position..).rev() {
            self.html.push_str(&format!("</{open}>"));
        }
    }

    /// Keeps the texts before and after a tag apart that is not written.
    fn separate(&mut self, name: &str) {
        if BLOCKS.contains(&name) {
            self.breaks_line = true;
        } else if CELLS.contains(&name) && !self.is_line_empty() && !self.html.ends_with(' ') {
            self.html.push(' ');
        }
    }

    /// Writes the line break that a block asked for, unless the line is empty.
    fn break_line(&mut self) {
        if std::mem::take(&mut self.breaks_line) && !self.is_line_empty() {
            self.html.push_str("<br>");
        }
    }

    fn is_line_empty(&self) -> bool {
        self.html.is_empty() || LINE_STARTS.iter().any(|tag| self.html.ends_with(tag))
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
    let href = href.to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| href.starts_with(scheme))
}

/// Escapes a line of text. Removes control characters, which Salesforce refuses, but keeps tabs; a form feed and a vertical tab
/// become spaces.
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
            '\u{b}' | '\u{c}' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
